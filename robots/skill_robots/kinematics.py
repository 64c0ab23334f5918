"""The interface of an arm's forward kinematics; ``motion.inverse_kinematics`` is its inverse.

Every pose is in the arm's base frame. Batch comes first in every shape; units are metres and
radians.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

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

    def forward_point_with_velocity(
        self, joint_position: Sequence[float], joint_velocity: Sequence[float]
    ) -> tuple[Point, Point]:
        """Returns position [m] and velocity [m/s] of one end effector, from plain floats.

        The runtime calls this in every servo period, so it should be faster than
        :meth:`forward_with_jacobian`.
        """
        ...
