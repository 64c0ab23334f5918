"""The world in which skills are stepped is the one in which they were trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from skill_proto.manifest import PolicyManifest, Range
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.downstream.config import GoalsConfig
from skill_robots.worlds.mujoco_world import BodyConfig
from skill_robots.worlds.tabletop_world import gripper_action
from skill_training.algorithms.high_level.config import HighLevelConfig
from skill_training.errors import ConfigError
from skill_training.recipes.high_level.config import HighConfig
from skill_training.recipes.high_level.evaluation import scored
from skill_training.recipes.high_level.low_level import read_low_level
from skill_training.recipes.high_level.scenes import world_config
from skill_training.recipes.manifest_parts import trained_on

CSF = Path(__file__).parents[4] / "models" / "csf_panda.onnx"
CONFIG = HighConfig(
    algorithm=HighLevelConfig(low_level=CSF), task=GoalsConfig(name="tabletop", steps_per_goal=150)
)


@pytest.fixture(scope="module")
def manifest() -> PolicyManifest:
    return read_low_level(CSF).manifest


def test_the_tabletop_has_the_ranges_of_the_file(manifest: PolicyManifest) -> None:
    world = world_config(CONFIG, manifest)
    assert isinstance(world, TabletopConfig)
    assert (world.mass, world.friction) == ((0.4, 1.6), (0.2, 0.8))
    assert (world.stiffness_scale, world.latency_s) == ((0.85, 1.15), (0.0, 0.02))
    assert (world.sensor_noise, world.gripper, world.episode_steps) == (1.0, False, 150)
    assert trained_on(world) == manifest.trained_on


def test_a_quantity_that_the_file_does_not_name_has_its_default(manifest: PolicyManifest) -> None:
    world = world_config(CONFIG, manifest.model_copy(update={"trained_on": {}}))
    assert world == TabletopConfig(episode_steps=150)


def test_a_policy_of_the_gripper_gets_one(manifest: PolicyManifest) -> None:
    action = (*manifest.action, gripper_action())
    world = world_config(CONFIG, manifest.model_copy(update={"action": action}))
    assert isinstance(world, TabletopConfig)
    assert world.gripper


@pytest.mark.parametrize(
    ("name", "span", "words"),
    [
        ("cube_mass", Range(low=0.0, high=1.0, unit="kg"), "mass 0.0 1.0 is not a range"),
        ("action_latency", Range(low=0.0, high=0.5, unit="s"), "too long"),
        ("cube_mass", Range(low=400.0, high=1600.0, unit="g"), "unit 'g', expected 'kg'"),
        ("sensor_noise_scale", Range(low=0.0, high=99.0, unit="1"), "sensor_noise"),
    ],
)
def test_impossible_ranges_of_a_file_are_refused(
    manifest: PolicyManifest, name: str, span: Range, words: str
) -> None:
    other = manifest.model_copy(update={"trained_on": {**manifest.trained_on, name: span}})
    with pytest.raises(ConfigError, match=f"csf_panda.onnx.*{words}"):
        world_config(CONFIG, other)


def test_scores_are_those_of_the_nominal_arm(manifest: PolicyManifest) -> None:
    world = world_config(CONFIG, manifest)
    assert isinstance(world, TabletopConfig)
    harder = replace(world, mass=(0.5, 0.6))
    assert scored(harder) == TabletopConfig(mass=(0.5, 0.6), episode_steps=150)
    ant = BodyConfig(body="ant", restart_lying_after=10)
    assert scored(ant) == replace(ant, integrator="file", restart_lying_after=None)
