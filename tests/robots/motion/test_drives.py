"""Goals of actions that turn the end effector."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_proto.manifest import ActionPart
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import (
    MAX_JOINT_ERROR,
    ActionConfig,
    ActionDecoder,
    end_effector_state,
)
from skill_robots.motion.drives.drive import Situation
from skill_robots.motion.drives.end_effector import EndEffectorDrive
from skill_robots.motion.inverse_kinematics import inverse_kinematics

BASE = np.array(ActionConfig().base_position)
HERE = np.array([-0.1, 0.0, 0.10])
JOINTS = inverse_kinematics(PANDA, HERE[None] - BASE)
DISPLACEMENT = ActionPart(
    name="end_effector_displacement", size=3, scale=0.04, unit="m", frame="world"
)
ROTATION = ActionPart(name="end_effector_rotation", size=3, scale=0.2, unit="rad", frame="world")
POSITION = ActionPart(name="end_effector_position", size=3, scale=1.0, unit="m", frame="world")
QUATERNION = ActionPart(name="end_effector_quaternion", size=4, scale=1.0, unit="1", frame="world")


def situation(setpoint: Array) -> Situation:
    rest = np.zeros_like(JOINTS)
    ends = end_effector_state(PANDA, JOINTS, rest, setpoint, rest, BASE)
    return Situation(joint_position=JOINTS, setpoint=setpoint, ends=ends)


def drive(*action: ActionPart) -> EndEffectorDrive:
    return EndEffectorDrive(action, ActionDecoder(ActionConfig(), PANDA))


@pytest.mark.parametrize(
    ("parts", "action"),
    [
        ((DISPLACEMENT, ROTATION), [0, 0, 0, 0, 0, 1]),
        ((POSITION, QUATERNION), [*HERE, 0, 0, 1, 0]),
    ],
)
def test_turns_of_a_blocked_arm_do_not_add_up(
    parts: tuple[ActionPart, ...], action: list[float]
) -> None:
    """The set-point reaches each goal at once, and the measured arm never moves."""
    turning, setpoint = drive(*parts), JOINTS
    for _ in range(20):
        moved = turning.goal(np.array(action, float), situation(setpoint)).position
        assert moved is not None
        setpoint = moved
    lead = np.abs(setpoint - JOINTS)
    assert lead.max() == pytest.approx(MAX_JOINT_ERROR, abs=0.02)


@pytest.mark.parametrize("size", [0.0, 1e-4])
def test_a_quaternion_without_a_direction_does_not_turn_the_hand(size: float) -> None:
    tilted = JOINTS + np.array([[0, 0, 0, 0, 0.05, 0.05, 0.05]])
    now = situation(tilted)
    action = np.array([*now.ends.setpoint[0], size, 0, 0, 0])
    moved = drive(POSITION, QUATERNION).goal(action, now).position
    assert moved is not None
    ends = PANDA.kinematics.forward(np.concatenate([tilted, moved])).rotation
    np.testing.assert_allclose(ends[1], ends[0], atol=2e-3)
