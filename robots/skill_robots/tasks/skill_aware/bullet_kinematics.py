"""Bullet's inverse kinematics for panda-gym's arm, batched in NumPy.

panda-gym asks Bullet for the joint targets of a displaced hand. Bullet takes 20 steps of damped
least squares from the measured joints. The damping is so strong that the targets fall short: a
requested displacement of 5 cm along x moves the hand by 3.5 cm or less. The MuJoCo twin must have
the same error, because a policy learns to compensate it.
"""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka.kinematics import END_EFFECTOR_IN_HAND as NOMINAL_END_EFFECTOR_IN_HAND
from skill_robots.franka.specs import PANDA
from skill_robots.kinematics import EndEffectorPose
from skill_robots.motion.inverse_kinematics import rotation_to_down

DAMPING = 0.5
"""Added to the diagonal of ``J J^T`` (rotations in rad, lengths in m). Identified from joint
targets of PyBullet 3.2.7 at random poses; the explicit iteration agrees to 1e-5 rad."""

ITERATIONS = 20
"""PyBullet's default."""

END_EFFECTOR_IN_HAND = 0.105
"""Offset along the hand's z axis [m], as in pybullet_data's URDF; Franka's is 1.6 mm less."""

NEUTRAL_JOINTS = (0.0, 0.41, 0.0, -1.85, 0.0, 2.26, 0.79)
"""panda-gym's neutral pose [rad]: hand down, end effector at (0.038, 0, 0.197) m."""

PLACING_ROUNDS = 20
"""Rounds of the inverse kinematics from the neutral pose. The hand is then within 1 mm of its
place, wherever a cube starts on the benchmark's table."""

_SWEEPS = 2
_BEYOND_NOMINAL = END_EFFECTOR_IN_HAND - NOMINAL_END_EFFECTOR_IN_HAND


def locate(joint_position: Array, base: Array) -> tuple[EndEffectorPose, Array]:
    """Returns end effectors in the world frame, and their Jacobians ``(n, 6, 7)``.

    Args:
        joint_position: ``(n, 7)`` [rad].
        base: position of the arm ``(3,)`` [m].
    """
    nominal, jacobian = PANDA.kinematics.forward_with_jacobian(joint_position)
    lever = _BEYOND_NOMINAL * nominal.rotation[:, :, 2]
    jacobian[:, :3] += np.cross(jacobian[:, 3:], lever[:, :, None], axis=1)
    return EndEffectorPose(nominal.position + base + lever, nominal.rotation), jacobian


def placed_joints(hand: Array | None, base: Array, *, n: int) -> Array:
    """Returns joint positions ``(n, 7)`` [rad] with hands in their places, pointing down.

    Args:
        hand: places in the world frame, ``(n, 3)`` [m]. A row of NaN, and None for all rows: the
            neutral pose.
        base: position of the arm ``(3,)`` [m].
        n: number of arms.
    """
    joints = np.tile(NEUTRAL_JOINTS, (n, 1))
    if hand is not None:
        placed = ~np.isnan(hand[:, 0])
        for _ in range(PLACING_ROUNDS):
            joints[placed] = joint_targets(joints[placed], hand[placed], base)
    return joints


def joint_targets(joint_position: Array, hand: Array, base: Array) -> Array:
    """Returns joint targets ``(n, 7)`` [rad] for hands at ``(n, 3)`` [m], pointing down.

    With ``e`` the error and ``J J^T = V diag(s) V^T``, k steps of ``dq = J^T (J J^T + c I)^-1 e``
    with the Jacobian held still sum to::

        dq = J^T V diag((1 - (c / (s + c))^k) / s) V^T e

    so that ten steps cost one eigendecomposition. The Jacobian is updated once; the result is
    within 0.5 mm of that of all 20 steps.

    Args:
        joint_position: measured, ``(n, 7)`` [rad].
        hand: requested positions, world frame.
        base: position of the arm ``(3,)`` [m].
    """
    joints = joint_position.copy()
    for _ in range(_SWEEPS):
        here, jacobian = locate(joints, base)
        error = np.concatenate([hand - here.position, rotation_to_down(here.rotation)], axis=1)
        transposed = jacobian.transpose(0, 2, 1)
        strength, axes = np.linalg.eigh(jacobian @ transposed)
        strength = np.maximum(strength, 1e-9)
        left = (DAMPING / (strength + DAMPING)) ** (ITERATIONS / _SWEEPS)
        along = axes.transpose(0, 2, 1) @ error[:, :, None]
        joints += (transposed @ (axes @ (((1.0 - left) / strength)[:, :, None] * along)))[:, :, 0]
    return joints
