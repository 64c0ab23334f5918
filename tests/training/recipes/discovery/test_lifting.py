"""Training with the gripper: its aid is declared, and its test of actuation does without it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.registry import make_world
from skill_training.errors import ConfigError
from skill_training.nets.representation import RepresentationConfig
from skill_training.recipes.discovery.config import SkillConfig, default_skill_config
from skill_training.recipes.discovery.inputs import network_inputs
from skill_training.recipes.discovery.lifting import gripper_remark, without_held_starts
from skill_training.recipes.discovery.manifest import policy_name
from skill_training.recipes.discovery.policy import find_goals
from skill_training.recipes.discovery.recipe import SkillRecipe
from skill_training.recipes.goal.config import GoalConfig
from skill_training.recipes.goal.world import GoalTaskConfig

PUSH = default_skill_config("csf")


def lifting(held_share: float = 0.0) -> SkillConfig:
    assert isinstance(PUSH.task, TabletopConfig)
    return replace(PUSH, task=replace(PUSH.task, gripper=True, held_share=held_share))


def test_held_starts_are_declared_in_description_and_card() -> None:
    assert policy_name(lifting()) == "csf_panda_gripper"
    assert gripper_remark(lifting()) == " The policy also drives the gripper."
    aided = lifting(held_share=0.25)
    declared = "In 25% of the training episodes the cube began between the fingers"
    assert declared in gripper_remark(aided)
    limits = SkillRecipe().card_notes(aided).limits
    assert "in 25% of the training episodes the cube began between the\n  fingers" in limits
    assert "carries out one motion at a time" in limits
    assert "it does not\n  grasp" not in limits


def test_a_policy_that_pushes_is_described_as_before() -> None:
    assert gripper_remark(PUSH) == ""
    assert policy_name(PUSH) == "csf_panda"
    limits = SkillRecipe().card_notes(PUSH).limits
    assert "the gripper closed and pointing down; it pushes" in limits


def test_the_test_of_actuation_does_without_held_starts() -> None:
    """A held cube moves with the arm. The gripper is driven, the cube is not."""
    aided = lifting(held_share=1.0).task
    assert without_held_starts(aided) == lifting().task
    assert without_held_starts(PUSH.task) is PUSH.task
    task = replace(aided, sensor_noise=0.0)
    spec = make_world(task, 1).spec
    assert spec.entries[-1] == "gripper_width.0"
    assert [part.name for part in spec.action] == ["end_effector_displacement", "gripper_width"]
    representation = RepresentationConfig(inputs=("unactuated",), form="linear")
    found = network_inputs(representation, task, spec, seed=0)
    fields = {spec.entries[place].rpartition(".")[0] for place in found.seen}
    assert fields == {"cube_position", "cube_quaternion", "cube_velocity", "cube_angular_velocity"}


def test_a_policy_with_a_gripper_takes_no_goals() -> None:
    """At its goal a policy gives zeros, and a width of zero action is half open."""
    for config, takes in ((PUSH, True), (lifting(), False)):
        spec = make_world(config.task, 1).spec
        inputs = network_inputs(config.algorithm.representation, config.task, spec, seed=0)
        assert (find_goals(config, inputs, spec) is not None) == takes


def test_held_starts_without_a_gripper_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"--task\.held-share 0\.5 .* needs --task\.gripper"):
        replace(PUSH, task=TabletopConfig(held_share=0.5))


def test_the_goal_stage_has_no_gripper() -> None:
    with pytest.raises(ConfigError, match=r"takes no --task\.gripper"):
        GoalConfig(task=GoalTaskConfig(gripper=True))
