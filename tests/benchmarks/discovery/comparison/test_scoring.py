"""Scores of a policy whose representation has more dimensions than the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.discovery.comparison import scoring
from benchmarks.discovery.comparison.phi import load_phi
from benchmarks.discovery.comparison.scoring import Extent, Job, adjusted_r2, score
from tests.support.policy_files import push_manifest

from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.rollouts import skill_rollouts
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.tasks.tabletop.trajectories import Trajectories
from skill_robots.worlds.registry import make_world
from skill_training.export.onnx_file import export_policy
from skill_training.nets.representation import RepresentationConfig, StateRepresentation
from skill_training.recipes.discovery.config import SkillConfig, default_skill_config
from skill_training.recipes.discovery.inputs import network_inputs
from skill_training.recipes.discovery.policy import build_algorithm
from skill_training.recipes.discovery.recipe import SkillRecipe
from skill_training.recipes.recipe import RunFacts

SEEN = RepresentationConfig(
    inputs=("cube_position", "cube_velocity"), form="mlp", size=3, hidden=(16,)
)


def write_policy(config: SkillConfig, path: Path) -> StateRepresentation:
    """Writes a policy with random weights; returns its representation."""
    world = make_world(config.task, 1)
    world.close()
    inputs = network_inputs(config.algorithm.representation, config.task, world.spec, 0)
    algorithm = build_algorithm(config, inputs, world.spec, torch.device("cpu"))
    state = {"inputs": inputs.state_dict(), "algorithm": algorithm.state_dict()}
    facts = RunFacts(provenance=push_manifest().provenance, metrics={})
    graph, manifest = SkillRecipe().shipped(config, facts, state)
    export_policy(graph, manifest, path)
    return algorithm.representation


def test_skills_of_three_dimensions_are_also_scored_in_the_cubes_plane(tmp_path: Path) -> None:
    whole = default_skill_config("csf")
    config = replace(whole, algorithm=replace(whole.algorithm, hidden=(16,), representation=SEEN))
    path = tmp_path / "policy.onnx"
    representation = write_policy(config, path).double()
    states = np.random.default_rng(0).uniform(-0.1, 0.1, (6, 28))
    expected = representation(torch.as_tensor(states)).detach().numpy()
    np.testing.assert_allclose(load_phi(path)(states), expected, atol=1e-6)

    extent = Extent(skills=6, episodes=1, goals=0)
    found = score(Job(policy=path, world=config.task, seed=100, extent=extent))
    assert found["slope_cube"] > found["slope_cube_second"] > 0.0
    assert found["slope_hand"] == 0.0  # phi sees neither the hand nor its distance from the cube
    assert {"moved_share_10cm", "adjusted_r2"} <= found.keys()
    assert {"plane_moved_share_10cm", "plane_octants", "plane_adjusted_r2"} <= found.keys()


def test_a_representation_of_one_dimension_has_one_slope(tmp_path: Path) -> None:
    whole = default_skill_config("csf")
    seen = replace(SEEN, form="linear", size=1)
    config = replace(whole, algorithm=replace(whole.algorithm, hidden=(16,), representation=seen))
    path = tmp_path / "policy.onnx"
    write_policy(config, path)
    extent = Extent(skills=2, episodes=1, goals=0)
    found = score(Job(policy=path, world=config.task, seed=100, extent=extent))
    assert found["slope_cube"] > 0.0
    assert found["slope_cube_second"] == 0.0


def test_random_actions_have_the_task_of_the_trained_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[TabletopConfig] = []

    def spy(policy: Policy, config: TabletopConfig, **arguments: Any) -> Trajectories:  # noqa: ANN401  those of skill_rollouts
        tasks.append(config)
        return skill_rollouts(policy, config, **arguments)

    monkeypatch.setattr(scoring, "skill_rollouts", spy)
    world = TabletopConfig(mass=(0.1, 0.2), friction=(0.9, 1.0), gripper=True, sensor_noise=1.0)
    extent = Extent(skills=6, episodes=1, goals=2)
    found = score(Job(policy=None, world=world, seed=100, extent=extent))
    assert {"lifted_share", "moved_share_10cm", "adjusted_r2", "goal_share_5cm"} <= found.keys()
    (task,) = tasks
    assert (task.mass, task.friction, task.gripper) == (world.mass, world.friction, True)
    assert task.sensor_noise == 0.0  # as for the policies, whose arm is the nominal one


def test_r2_is_adjusted_for_the_dimensions_of_the_skill() -> None:
    """Displacements that are noise have R2 about k/n, and 0 after the adjustment."""
    generator = np.random.default_rng(1)
    cube = np.zeros((4, 48, 2, 2))
    skills = generator.standard_normal((48, 4))
    cube[:, :, 1] = skills[None, :, :2]
    trajectories = Trajectories(
        cube=cube,
        end_effector=np.zeros((4, 48, 2, 3)),
        skills=skills,
        mass=np.ones((4, 48)),
        friction=np.ones((4, 48)),
    )
    assert adjusted_r2(trajectories) == pytest.approx(1.0)
    noise = replace(trajectories, cube=generator.standard_normal(cube.shape))
    assert adjusted_r2(noise) < 0.02
