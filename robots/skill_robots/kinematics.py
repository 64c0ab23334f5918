"""Kinematics of an arm: the interface, and damped least squares for any arm.

Every pose is in the arm's base frame. Batch comes first in every shape; units are metres and
radians.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from skill_proto.arrays import Array

Point = tuple[float, float, float]
"""A position [m] or a direction."""


class EndEffectorPose(NamedTuple):
    """Poses of n end effectors in the base frame."""

    position: Array
    """``(n, 3)`` [m]."""
    rotation: Array
    """``(n, 3, 3)``, columns are the axes of the end effector's frame."""


class Kinematics(Protocol):
    """Forward kinematics of one type of arm; stateless."""

    def forward(self, joint_position: Array) -> EndEffectorPose:
        """Returns the poses of the end effector for joint positions ``(n, dof)``."""
        ...

    def forward_with_jacobian(self, joint_position: Array) -> tuple[EndEffectorPose, Array]:
        """Returns the poses and the geometric Jacobians for joint positions ``(n, dof)``.

        Returns:
            The poses, and the Jacobians ``(n, 6, dof)``: rows 0-2 give the linear velocity of the
            end effector's origin, rows 3-5 its angular velocity, both in the base frame.
        """
        ...

    def forward_point(self, joint_position: Sequence[float]) -> Point:
        """Returns the position of one end effector [m], from plain floats."""
        ...

    def moving_point(
        self, joint_position: Sequence[float], joint_velocity: Sequence[float]
    ) -> tuple[Point, Point]:
        """Returns position [m] and velocity [m/s] of one end effector, from plain floats.

        The runtime calls this in every servo period, so it should be faster than
        :meth:`forward_with_jacobian`.
        """
        ...


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
        jacobian: ``(n, 6, dof)``, as from :meth:`Kinematics.forward_with_jacobian`.
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
    gram[:, range(6), range(6)] += damping
    residual = twist[:, :, None] - jacobian @ towards_rest[:, :, None]
    return towards_rest + (transposed @ np.linalg.solve(gram, residual))[:, :, 0]
