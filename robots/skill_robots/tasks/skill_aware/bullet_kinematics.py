"""The inverse kinematics of panda-gym's arm, batched: where Bullet would send the joints.

panda-gym asks Bullet for joint targets of a displaced hand. Bullet answers with 20 steps of damped
least squares from the measured joints, damped so heavily that the targets fall short: a wish of
5 cm along x moves the hand by 3.5 cm or less. A policy feels that, so the twin does the same.
"""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka import kinematics
from skill_robots.motion.action import rotation_to_down

DAMPING = 0.5
"""On the diagonal of ``J J^T`` (rotations in rad, lengths in m). Found by comparing joint targets
of PyBullet 3.2.7 over random poses: the iteration written out agrees to 1e-5 rad."""

ITERATIONS = 20
"""PyBullet's default."""

END_EFFECTOR_IN_HAND = 0.105
"""Along the hand's z axis [m], as in pybullet_data's URDF; Franka's nominal one is 1.6 mm less."""

_SWEEPS = 2
_BEYOND_NOMINAL = END_EFFECTOR_IN_HAND - kinematics.END_EFFECTOR_IN_HAND


def locate(joint_position: Array, base: Array) -> tuple[kinematics.EndEffector, Array]:
    """End effectors in the world frame, and their Jacobians ``(n, 6, 7)``.

    Args:
        joint_position: ``(n, 7)`` [rad].
        base: Position of the arm ``(3,)`` [m].
    """
    nominal, jacobian = kinematics.forward_with_jacobian(joint_position)
    lever = _BEYOND_NOMINAL * nominal.rotation[:, :, 2]
    jacobian[:, :3] += np.cross(jacobian[:, 3:], lever[:, :, None], axis=1)
    return kinematics.EndEffector(nominal.position + base + lever, nominal.rotation), jacobian


def joint_targets(joint_position: Array, hand: Array, base: Array) -> Array:
    """Joint targets ``(n, 7)`` [rad] for hands wished at ``(n, 3)`` [m], pointing down.

    With ``e`` the error and ``J J^T = V diag(s) V^T``, k steps of ``dq = J^T (J J^T + c I)^-1 e``
    with the Jacobian held still sum to::

        dq = J^T V diag((1 - (c / (s + c))^k) / s) V^T e

    so that ten steps cost one eigendecomposition; the Jacobian is renewed once, which leaves the
    hand within 0.5 mm of where all 20 steps would put it.

    Args:
        joint_position: Measured, ``(n, 7)`` [rad].
        hand: World frame.
        base: Position of the arm ``(3,)`` [m].
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
