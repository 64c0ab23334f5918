"""What a command asks for, against the policy and the arm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Goal, ServoJoint, ServoPose, Skill
from skill_robots.franka.specs import PANDA
from skill_runtime.authority.refusal import Refusal
from skill_runtime.policy.onnx_policy import load_manifest
from skill_runtime.server import validation as content

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
    if np.hypot(x, y) < content.SMALLEST_NORM:
        refused(lambda: content.skill(skill(x, y), manifest), "invalid", "direction")
        return
    vector = content.skill(skill(x, y), manifest)
    assert np.linalg.norm(vector) == pytest.approx(1.0)
    assert vector @ [x, y] == pytest.approx(np.hypot(x, y))


def _sphere() -> PolicyManifest:
    """A manifest of which only the skill space counts."""
    return PolicyManifest.model_construct(name="p", skill={"kind": "sphere"}).model_copy(
        update={"skill": _space("sphere", 2), "goal": None}
    )


def _space(kind: str, size: int) -> object:
    from skill_proto.manifest import SkillSpace

    return SkillSpace(kind=kind, size=size)  # type: ignore[arg-type]  a Literal, from parameters


def test_a_skill_so_long_that_its_length_overflows_is_refused(manifest: PolicyManifest) -> None:
    refused(lambda: content.skill(skill(1.7e308, 1.7e308), manifest), "invalid", "inf")


def test_wrong_lengths_name_both(manifest: PolicyManifest) -> None:
    refused(lambda: content.skill(skill(1, 0, 0), manifest), "invalid", "3 entries", "takes 2")
    goal = Goal(**COMMON, goal=(0.1,))
    refused(lambda: content.goal(goal, manifest), "invalid", "1 entries", "takes 2")


def test_one_hot(manifest: PolicyManifest) -> None:
    one_hot = manifest.model_copy(update={"skill": _space("one_hot", 3)})
    np.testing.assert_array_equal(content.skill(skill(0, 1, 0), one_hot), [0, 1, 0])
    for values in ((1, 1, 0), (0, 0, 0), (0.5, 0.5, 0), (0, -1, 0)):
        refused(lambda v=values: content.skill(skill(*v), one_hot), "invalid", "one-hot")


def test_what_the_policy_does_not_take_is_not_supported(manifest: PolicyManifest) -> None:
    plain = manifest.model_copy(update={"skill": _space("none", 0), "goal": None})
    refused(lambda: content.skill(skill(1, 0), plain), "not_supported", "takes no skill")
    goal = Goal(**COMMON, goal=(0.1, 0.1))
    refused(lambda: content.goal(goal, plain), "not_supported", "takes no goals")


def test_goals_outside_the_box_name_component_value_and_bounds(manifest: PolicyManifest) -> None:
    inside = Goal(**COMMON, goal=(0.15, -0.15))
    np.testing.assert_array_equal(content.goal(inside, manifest), [0.15, -0.15])
    outside = Goal(**COMMON, goal=(0.1, 5.0))
    refused(lambda: content.goal(outside, manifest), "invalid", "cube_position[1]", "5 m", "0.15 m")


def test_joints_outside_their_limits_are_named() -> None:
    middle = (PANDA.position_low + PANDA.position_high) / 2
    good = ServoJoint(**COMMON, joint_position=tuple(middle))
    np.testing.assert_array_equal(content.joints(good, PANDA), middle)
    middle[3] = 0.0  # the fourth joint's highest position is below zero
    bad = ServoJoint(**COMMON, joint_position=tuple(middle))
    refused(lambda: content.joints(bad, PANDA), "invalid", PANDA.joint_names[3], "0 rad")


def test_poses_outside_the_workspace_are_named(manifest: PolicyManifest) -> None:
    bad = ServoPose(**COMMON, end_effector_position=(0.0, 0.0, -0.1))
    refused(lambda: content.pose(bad, manifest.plant), "invalid", "z = -0.1 m", "0.015")


def test_the_hand_opens_only_so_far() -> None:
    assert content.gripper_width(None, PANDA) is None
    assert content.gripper_width(0.0, PANDA) == 0.0
    refused(lambda: content.gripper_width(0.5, PANDA), "invalid", "0.5 m")
