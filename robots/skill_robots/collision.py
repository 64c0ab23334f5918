"""Distances of an arm to the table and to itself: the interface of a collision model."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from skill_proto.arrays import Array
from skill_robots.kinematics import Point


class Clearance(NamedTuple):
    """Distances of one configuration; negative if shapes overlap.

    A collision model may report a distance beyond its horizon as the horizon.
    """

    table: float
    """From the lowest point of the moving links to the table [m]."""
    self_collision: float
    """Between the nearest shapes of two links [m]."""
    end_effector: Point
    """Position of the end effector in the base frame [m]."""


class CollisionModel(Protocol):
    """An arm on its table, with the gripper fully open. One instance serves one thread."""

    def measure(self, joint_position: Array) -> Clearance:
        """Measures one configuration, joint positions ``(dof,)`` [rad]."""
        ...
