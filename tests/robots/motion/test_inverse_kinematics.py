"""Damped least squares, and its iteration for an end effector that points down."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.inverse_kinematics import damped_least_squares, inverse_kinematics

BASE = np.array(ActionConfig().base_position)


@pytest.fixture(scope="module")
def configurations() -> Array:
    rng = np.random.default_rng(0)
    return rng.uniform(PANDA.position_low, PANDA.position_high, (1000, 7))


def test_inverse_kinematics_reaches_the_position_with_the_end_effector_down() -> None:
    corners = np.array([[x, y, z] for x in (-0.3, 0.1) for y in (-0.3, 0.3) for z in (0.015, 0.25)])
    ends = PANDA.kinematics.forward(inverse_kinematics(PANDA, corners - BASE))
    np.testing.assert_allclose(ends.position + BASE, corners, atol=1e-4)
    np.testing.assert_allclose(ends.rotation[:, :, 2], [[0, 0, -1]] * 8, atol=1e-3)


def test_undamped_step_follows_the_twist(configurations: Array) -> None:
    joints = configurations[:200]
    _, jacobian = PANDA.kinematics.forward_with_jacobian(joints)
    regular = np.linalg.svd(jacobian, compute_uv=False)[:, -1] > 0.05
    twist = np.random.default_rng(1).normal(0, 0.01, (200, 6))
    step = damped_least_squares(jacobian, twist, joints, PANDA.neutral, damping=0.0)
    assert regular.sum() > 50
    achieved = np.einsum("nij,nj->ni", jacobian, step)
    assert achieved[regular] == pytest.approx(twist[regular], abs=1e-10)


def test_rest_motion_of_an_undamped_step_does_not_move_the_hand(configurations: Array) -> None:
    joints = configurations[:200]
    _, jacobian = PANDA.kinematics.forward_with_jacobian(joints)
    regular = np.linalg.svd(jacobian, compute_uv=False)[:, -1] > 0.05
    still = np.zeros((200, 6))
    step = damped_least_squares(jacobian, still, joints, PANDA.neutral, damping=0.0)
    assert np.abs(np.einsum("nij,nj->ni", jacobian, step))[regular].max() < 1e-10
    # The step is the projection of the rest motion onto the null space: never away from rest.
    wish = PANDA.neutral - joints
    assert (np.einsum("ni,ni->n", step, wish)[regular] > 0).all()


def test_damped_step_solves_its_normal_equations(configurations: Array) -> None:
    # (J^T J + damping I) (dq - dq0) = J^T (twist - J dq0): the same minimiser, in joint space.
    joints, damping = configurations[:50], 1e-3
    _, jacobian = PANDA.kinematics.forward_with_jacobian(joints)
    twist = np.random.default_rng(2).normal(0, 0.05, (50, 6))
    step = damped_least_squares(jacobian, twist, joints, PANDA.neutral)
    rest = 0.1 * (PANDA.neutral - joints)
    for J, t, dq, dq0 in zip(jacobian, twist, step, rest, strict=True):
        expected = np.linalg.solve(J.T @ J + damping * np.eye(7), J.T @ (t - J @ dq0))
        assert dq - dq0 == pytest.approx(expected, abs=1e-9)


def test_step_stays_bounded_at_a_singular_pose() -> None:
    # Stretched upright, no joint moves the hand further up. Damping bounds the step by
    # |twist| / (2 sqrt(damping)), the largest value of s / (s^2 + damping).
    joints = np.zeros((1, 7))
    _, jacobian = PANDA.kinematics.forward_with_jacobian(joints)
    assert np.linalg.svd(jacobian[0], compute_uv=False)[-1] < 1e-9
    twist = np.array([[0.02, 0.03, 0.05, 0.1, 0.1, 0.1]])
    step = damped_least_squares(jacobian, twist, joints, np.zeros(7), damping=1e-3)
    bound = np.linalg.norm(twist) / (2 * np.sqrt(1e-3))
    assert np.linalg.norm(step) <= bound
