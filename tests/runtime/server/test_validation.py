"""Commands are checked against the policy and the arm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Goal, ServoJoint, ServoPose, Skill
from skill_proto.wire import WireError
from skill_robots.franka.specs import PANDA
from skill_runtime.authority.refusal import Refusal
from skill_runtime.policy import load_manifest
from skill_runtime.server.validation import (
    MIN_SKILL_NORM,
    validate_act,
    validate_goal,
    validate_gripper_width,
    validate_joints,
    validate_pose,
    validate_skill,
)

COMMON = {"lease": "x", "seq": 1, "reference_time": 0.0, "valid_for_s": 1.0}


@pytest.fixture(scope="module")
def manifest(policy_file: Path) -> PolicyManifest:
    return load_manifest(policy_file)


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
        refused(lambda: validate_skill(skill(x, y), manifest), "invalid", "direction")
        return
    vector = validate_skill(skill(x, y), manifest)
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
    refused(lambda: validate_skill(skill(1.7e308, 1.7e308), manifest), "invalid", "inf")


def test_wrong_lengths_name_both(manifest: PolicyManifest) -> None:
    refused(lambda: validate_skill(skill(1, 0, 0), manifest), "invalid", "3 entries", "takes 2")
    goal = Goal(**COMMON, goal=(0.1,))
    refused(lambda: validate_goal(goal, manifest), "invalid", "1 entries", "takes 2")


def test_one_hot(manifest: PolicyManifest) -> None:
    one_hot = manifest.model_copy(update={"skill": _space("one_hot", 3)})
    np.testing.assert_array_equal(validate_skill(skill(0, 1, 0), one_hot), [0, 1, 0])
    for values in ((1, 1, 0), (0, 0, 0), (0.5, 0.5, 0), (0, -1, 0)):
        refused(lambda v=values: validate_skill(skill(*v), one_hot), "invalid", "one-hot")


def test_a_skill_or_goal_that_the_policy_does_not_take_is_not_supported(
    manifest: PolicyManifest,
) -> None:
    plain = manifest.model_copy(update={"skill": _space("none", 0), "goal": None})
    refused(lambda: validate_skill(skill(1, 0), plain), "not_supported", "takes no skill")
    goal = Goal(**COMMON, goal=(0.1, 0.1))
    refused(lambda: validate_goal(goal, plain), "not_supported", "takes no goals")


def test_goals_outside_the_box_name_component_value_and_bounds(manifest: PolicyManifest) -> None:
    inside = Goal(**COMMON, goal=(0.15, -0.15))
    np.testing.assert_array_equal(validate_goal(inside, manifest), [0.15, -0.15])
    outside = Goal(**COMMON, goal=(0.1, 5.0))
    refused(
        lambda: validate_goal(outside, manifest), "invalid", "cube_position[1]", "5 m", "0.15 m"
    )


def test_joints_outside_their_limits_are_named() -> None:
    middle = (PANDA.position_low + PANDA.position_high) / 2
    good = ServoJoint(**COMMON, joint_position=tuple(middle))
    np.testing.assert_array_equal(validate_joints(good, PANDA), middle)
    middle[3] = 0.0  # the fourth joint's upper limit is below zero
    bad = ServoJoint(**COMMON, joint_position=tuple(middle))
    refused(lambda: validate_joints(bad, PANDA), "invalid", PANDA.joint_names[3], "0 rad")


def test_poses_outside_the_workspace_are_named(manifest: PolicyManifest) -> None:
    bad = ServoPose(**COMMON, end_effector_position=(0.0, 0.0, -0.1))
    refused(lambda: validate_pose(bad, manifest.plant), "invalid", "z = -0.1 m", "0.015")


def test_the_gripper_width_is_bounded() -> None:
    assert validate_gripper_width(None, PANDA) is None
    assert validate_gripper_width(0.0, PANDA) == 0.0
    refused(lambda: validate_gripper_width(0.5, PANDA), "invalid", "0.5 m")


def test_the_arrays_of_an_act_request_have_the_same_number_of_rows(
    manifest: PolicyManifest,
) -> None:
    observation, one_skill = np.zeros((3, 28)), np.zeros((1, 2))
    assert validate_act({"observation": observation, "goal": np.zeros((3, 2))}, manifest) == 3
    with pytest.raises(WireError, match=r"'skill' of shape \[1, 2\]") as info:
        validate_act({"observation": observation, "skill": one_skill}, manifest)
    assert "skill [n, 2]" in info.value.fix
