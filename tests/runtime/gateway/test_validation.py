"""Commands are checked against the policy and the arm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Goal, ServoJoint, ServoPose, Skill, Welcome
from skill_proto.vectors import MIN_SKILL_NORM
from skill_robots.franka.specs import PANDA
from skill_runtime.authority.refusal import Refusal
from skill_runtime.gateway.validation import CommandValidator
from skill_runtime.policy import load_manifest

Motion = Skill | Goal | ServoJoint | ServoPose

COMMON = {"lease": "x", "seq": 1, "reference_time": 0.0, "valid_for_s": 1.0}


@pytest.fixture(scope="module")
def manifest(policy_file: Path) -> PolicyManifest:
    return load_manifest(policy_file)


def validate(message: Motion, manifest: PolicyManifest) -> Array:
    """Validates a command for a Panda with this policy."""
    welcome = Welcome.model_construct(
        robot=PANDA.name,
        joint_names=PANDA.joint_names,
        joint_position_low=tuple(PANDA.position_low.tolist()),
        joint_position_high=tuple(PANDA.position_high.tolist()),
        gripper_width_max=PANDA.gripper_width_max,
        manifest=manifest,
    )
    return CommandValidator(welcome).validate(message)


def skill(*values: float) -> Skill:
    return Skill(**COMMON, skill=values)


def refused(call: Callable[[], object], code: str, *words: str) -> None:
    with pytest.raises(Refusal) as info:
        call()
    assert info.value.code == code
    assert info.value.fix
    for word in words:
        assert word in info.value.message


@given(x=st.floats(-1e3, 1e3), y=st.floats(-1e3, 1e3))
def test_a_skill_on_a_sphere_keeps_its_direction_and_has_length_one(x: float, y: float) -> None:
    manifest = _sphere()
    if np.hypot(x, y) < MIN_SKILL_NORM:
        refused(lambda: validate(skill(x, y), manifest), "invalid", "direction")
        return
    vector = validate(skill(x, y), manifest)
    assert np.linalg.norm(vector) == pytest.approx(1.0)
    assert vector @ [x, y] == pytest.approx(np.hypot(x, y))


def _sphere() -> PolicyManifest:
    """A manifest with a skill space and no valid field besides."""
    return PolicyManifest.model_construct(name="p", skill={"kind": "sphere"}).model_copy(
        update={"skill": _space("sphere", 2), "goal": None}
    )


def _space(kind: str, size: int) -> object:
    from skill_proto.manifest import SkillSpace

    return SkillSpace(kind=kind, size=size)  # type: ignore[arg-type]  a Literal, from parameters


def test_a_skill_so_long_that_its_length_overflows_is_refused(manifest: PolicyManifest) -> None:
    refused(lambda: validate(skill(1.7e308, 1.7e308), manifest), "invalid", "inf")


def test_wrong_lengths_name_both(manifest: PolicyManifest) -> None:
    refused(lambda: validate(skill(1, 0, 0), manifest), "invalid", "3 entries", "takes 2")
    goal = Goal(**COMMON, goal=(0.1,))
    refused(lambda: validate(goal, manifest), "invalid", "1 entries", "takes 2")


def test_one_hot(manifest: PolicyManifest) -> None:
    one_hot = manifest.model_copy(update={"skill": _space("one_hot", 3)})
    np.testing.assert_array_equal(validate(skill(0, 1, 0), one_hot), [0, 1, 0])
    for values in ((1, 1, 0), (0, 0, 0), (0.5, 0.5, 0), (0, -1, 0)):
        refused(lambda v=values: validate(skill(*v), one_hot), "invalid", "one-hot")


def test_a_skill_or_goal_that_the_policy_does_not_take_is_not_supported(
    manifest: PolicyManifest,
) -> None:
    plain = manifest.model_copy(update={"skill": _space("none", 0), "goal": None})
    refused(lambda: validate(skill(1, 0), plain), "not_supported", "takes no skill")
    goal = Goal(**COMMON, goal=(0.1, 0.1))
    refused(lambda: validate(goal, plain), "not_supported", "takes no goals")


def test_goals_outside_the_box_name_component_value_and_bounds(manifest: PolicyManifest) -> None:
    inside = Goal(**COMMON, goal=(0.1, -0.15))
    np.testing.assert_array_equal(validate(inside, manifest), [0.1, -0.15])
    outside = Goal(**COMMON, goal=(0.1, 5.0))
    refused(lambda: validate(outside, manifest), "invalid", "cube_position[1]", "5.0 m", "0.15 m")


def test_joints_outside_their_limits_are_named(manifest: PolicyManifest) -> None:
    middle = (PANDA.position_low + PANDA.position_high) / 2
    good = ServoJoint(**COMMON, joint_position=tuple(middle))
    np.testing.assert_array_equal(validate(good, manifest), middle)
    middle[3] = 0.0  # the fourth joint's upper limit is below zero
    bad = ServoJoint(**COMMON, joint_position=tuple(middle))
    refused(lambda: validate(bad, manifest), "invalid", PANDA.joint_names[3], "0.0 rad")


def test_poses_outside_the_workspace_are_named(manifest: PolicyManifest) -> None:
    bad = ServoPose(**COMMON, end_effector_position=(0.0, 0.0, -0.1))
    refused(lambda: validate(bad, manifest), "invalid", "z = -0.1 m", "0.015")


def test_the_gripper_width_is_bounded(manifest: PolicyManifest) -> None:
    def grip(width: float | None) -> Skill:
        return Skill.model_validate({**COMMON, "skill": (1.0, 0.0), "gripper_width": width})

    for width in (None, 0.0, 0.08, 0.08 + 1e-7):
        validate(grip(width), manifest)
    refused(lambda: validate(grip(0.5), manifest), "invalid", "0.5 m exceeds 0.08 m")


def test_a_number_rounded_at_its_bound_is_set_to_the_bound(manifest: PolicyManifest) -> None:
    """In single precision 0.15 is 0.15000000596."""
    goal = Goal(**COMMON, goal=(float(np.float32(-0.15)), float(np.float32(0.15))))
    np.testing.assert_array_equal(validate(goal, manifest), [-0.15, 0.15])
    low = manifest.plant.workspace_low_m
    corner = tuple(float(np.float32(value)) for value in low)
    pose = ServoPose.model_validate({**COMMON, "end_effector_position": corner})
    np.testing.assert_allclose(validate(pose, manifest), low, atol=1e-9)
    beyond = Goal(**COMMON, goal=(0.1, 0.150002))
    refused(lambda: validate(beyond, manifest), "invalid", "0.150002 m", "0.15 m")


def test_a_policy_with_neither_skill_nor_goal_takes_the_empty_skill(
    manifest: PolicyManifest,
) -> None:
    plain = manifest.model_copy(update={"skill": _space("none", 0), "goal": None})
    assert validate(skill(), plain).shape == (0,)
    refused(lambda: validate(skill(), manifest), "invalid", "0 entries", "takes 2")
