"""Inverse kinematics of any arm by damped least squares, with the end effector pointing down.

Poses are in the arm's base frame; batch comes first in every shape.
"""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec

DOWN = np.diag([1.0, -1.0, -1.0])
"""Rotation of an end effector that points straight down, ``(3, 3)``."""

_IDENTITY = np.eye(6)


def inverse_kinematics(spec: ArmSpec, position: Array, iterations: int = 20) -> Array:
    """Solves for joint positions ``(n, dof)`` of an end effector that points down.

    Args:
        spec: the arm.
        position: of the end effector, ``(n, 3)`` in the arm's base frame [m], in the workspace.
        iterations: damped least-squares steps from the neutral pose. 20 reach every start of an
            episode to rounding; in the workspace's far corners up to 1 cm may remain.
    """
    joints = np.tile(spec.neutral, (len(position), 1))
    for _ in range(iterations):
        here, jacobian = spec.kinematics.forward_with_jacobian(joints)
        twist = np.concatenate([position - here.position, rotation_to_down(here.rotation)], axis=1)
        joints = joints + damped_least_squares(jacobian, twist, joints, spec.neutral, rest_gain=0.0)
    return joints


def damped_least_squares(
    jacobian: Array,
    twist: Array,
    joint_position: Array,
    rest: Array,
    *,
    damping: float = 1e-3,
    rest_gain: float = 0.1,
) -> Array:
    """Computes a joint step that follows a twist and drifts towards a rest configuration.

    With ``dq0 = rest_gain (rest - q)`` the step is
    ``dq = dq0 + J^T (J J^T + damping I)^-1 (twist - J dq0)``: damped least squares (Nakamura and
    Hanafusa, "Inverse kinematic solutions with singularity robustness for robot manipulator
    control", 1986) with the rest motion projected towards the null space (Liegeois, 1977).

    Args:
        jacobian: ``(n, 6, dof)``, as from ``spec.kinematics.forward_with_jacobian``.
        twist: ``(n, 6)``, desired displacement [m] and rotation vector [rad], base frame.
        joint_position: ``(n, dof)`` [rad].
        rest: ``(dof,)`` [rad].
        damping: added to the diagonal; bounds the step near singular poses.
        rest_gain: share of the distance to ``rest`` that one step aims for.

    Returns:
        Joint step ``(n, dof)`` [rad].
    """
    towards_rest = rest_gain * (rest - joint_position)
    transposed = jacobian.transpose(0, 2, 1)
    gram = jacobian @ transposed
    gram += damping * _IDENTITY
    residual = twist[:, :, None] - jacobian @ towards_rest[:, :, None]
    return towards_rest + (transposed @ np.linalg.solve(gram, residual))[:, :, 0]


def rotation_to_down(rotation: Array) -> Array:
    """Returns the small-angle rotation vector ``(n, 3)`` from ``rotation`` to :data:`DOWN`.

    It is half the difference of ``E = DOWN rotation^T`` and ``E^T``, as a vector.
    """
    vector = np.empty((len(rotation), 3))
    vector[:, 0] = rotation[:, 2, 1] - rotation[:, 1, 2]
    vector[:, 1] = rotation[:, 2, 0] + rotation[:, 0, 2]
    vector[:, 2] = -rotation[:, 0, 1] - rotation[:, 1, 0]
    vector *= 0.5
    return vector
