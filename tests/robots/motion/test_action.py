"""The decoder's geometry."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig, ActionDecoder, EndEffectors, end_effector_state
from skill_robots.motion.inverse_kinematics import inverse_kinematics

BASE = np.array(ActionConfig().base_position)


def _at(position: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Returns joints that put the end effector at a world position, and that position."""
    world = np.array([position])
    return inverse_kinematics(PANDA, world - BASE), world


def _ends(joints: np.ndarray, setpoint: np.ndarray) -> EndEffectors:
    rest = np.zeros_like(joints)
    return end_effector_state(PANDA, joints, rest, setpoint, rest, BASE)


def test_an_action_of_one_displaces_by_four_centimetres() -> None:
    joints, world = _at([-0.1, 0.05, 0.06])
    decoder = ActionDecoder(ActionConfig(), PANDA)
    goal = decoder.displace(np.array([[0.0, 1.0, 0.0]]), joints, _ends(joints, joints))
    moved = PANDA.kinematics.forward(goal).position + BASE - world
    np.testing.assert_allclose(moved, [[0.0, 0.04, 0.0]], atol=1.5e-3)


def test_actions_beyond_one_count_as_one() -> None:
    joints, _ = _at([-0.1, 0.0, 0.06])
    decoder = ActionDecoder(ActionConfig(), PANDA)
    ends = _ends(joints, joints)
    np.testing.assert_array_equal(
        decoder.displace(np.array([[7.0, -9.0, 0.0]]), joints, ends),
        decoder.displace(np.array([[1.0, -1.0, 0.0]]), joints, ends),
    )


def test_the_goal_stays_within_the_setpoint_error_of_the_measured_end_effector() -> None:
    measured, here = _at([-0.1, 0.0, 0.06])
    setpoint, _ = _at([-0.05, 0.0, 0.06])
    decoder = ActionDecoder(ActionConfig(), PANDA)
    goal = decoder.displace(np.array([[1.0, 0.0, 0.0]]), setpoint, _ends(measured, setpoint))
    gap = np.linalg.norm(PANDA.kinematics.forward(goal).position + BASE - here)
    assert gap == pytest.approx(0.06, abs=1e-3)


def test_the_goal_stays_in_the_workspace() -> None:
    joints, _ = _at([0.14, 0.31, 0.02])
    decoder = ActionDecoder(ActionConfig(), PANDA)
    goal = decoder.displace(np.array([[1.0, 1.0, -1.0]]), joints, _ends(joints, joints))
    end = PANDA.kinematics.forward(goal).position + BASE
    assert (end <= np.array([0.15, 0.32, 0.25]) + 1e-3).all()
    assert end[0, 2] >= 0.015 - 1e-3


def test_joint_goals_stay_inside_the_joint_limits() -> None:
    joints, _ = _at([-0.1, 0.0, 0.06])
    setpoint = joints.copy()
    setpoint[0, 6] = PANDA.position_high[6]
    decoder = ActionDecoder(ActionConfig(), PANDA)
    goal = decoder.displace(np.zeros((1, 3)), setpoint, _ends(joints, setpoint))
    assert (goal <= PANDA.position_high - 0.02).all()
    assert (goal >= PANDA.position_low + 0.02).all()


def test_a_step_goes_one_control_step_towards_a_far_goal_and_all_the_way_to_a_near_one() -> None:
    joints, world = _at([-0.1, 0.0, 0.10])
    decoder = ActionDecoder(ActionConfig(), PANDA)
    for offset, step in (([0.0, 0.2, 0.0], [0.0, 0.04, 0.0]), ([0.0, 0.02, 0.0], [0.0, 0.02, 0.0])):
        goal = decoder.step_towards(world + np.array([offset]), joints, _ends(joints, joints))
        moved = PANDA.kinematics.forward(goal).position + BASE - world
        np.testing.assert_allclose(moved, [step], atol=1.5e-3)
