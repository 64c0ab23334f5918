"""The interface between the tabletop and a physics engine."""

from __future__ import annotations

from typing import Protocol

from skill_proto.arrays import Array, Ids

GripperWidth = Array | float | None
"""Widths of the grippers ``(n,)``, or one of all grippers [m]; None leaves them unchanged."""


class TabletopPhysics(Protocol):
    """n scenes of one arm, one table and one cube; everything is in the world frame.

    Arrays are ``(n, ...)`` and show the present state. They may be views: copy a value that must
    outlive the next step, and write to none of them.
    """

    @property
    def time_s(self) -> float:
        """Simulated time of the first scene [s].

        It does not increase in a step in which the simulation has become unstable.
        """
        ...

    @property
    def joint_position(self) -> Array:
        """``(n, 7)`` [rad]."""
        ...

    @property
    def joint_velocity(self) -> Array:
        """``(n, 7)`` [rad/s]."""
        ...

    @property
    def gripper_width(self) -> Array:
        """``(n,)`` distance between the fingers [m]."""
        ...

    @property
    def cube_position(self) -> Array:
        """``(n, 3)`` [m]."""
        ...

    @property
    def cube_quaternion(self) -> Array:
        """``(n, 4)``, w first."""
        ...

    @property
    def cube_velocity(self) -> Array:
        """``(n, 3)`` [m/s]."""
        ...

    @property
    def cube_angular_velocity(self) -> Array:
        """``(n, 3)`` [rad/s]."""
        ...

    def contact_force(self) -> Array:
        """Returns the sum of all contact forces on the arm ``(n, 3)`` [N].

        It belongs to the last physics step. Single steps of an impact differ much between engines:
        compare means over some milliseconds.
        """
        ...

    def reset(
        self,
        ids: Ids,
        joints: Array,
        cube: Array,
        yaw: Array,
        height: Array | None = None,
        gripper_width: Array | None = None,
    ) -> None:
        """Puts arms and cubes of the scenes ``ids`` at rest.

        Args:
            ids: ``(k,)`` scenes.
            joints: ``(k, 7)`` [rad].
            cube: ``(k, 2)`` position of the cube on the table [m].
            yaw: ``(k,)`` rotation of the cube about the vertical [rad].
            height: ``(k,)`` height of the cube's centre [m]; None: it lies on the table.
            gripper_width: ``(k,)`` [m]; None: the grippers are closed.
        """
        ...

    def set_context(self, ids: Ids, mass: Array, friction: Array) -> None:
        """Sets mass ``(k,)`` of the cubes [kg] and effective cube-table friction ``(k,)``."""
        ...

    def set_impedance(self, ids: Ids, stiffness: Array, damping: Array) -> None:
        """Sets the joint impedance of the arms, ``(k, 7)`` [N m/rad, N m s/rad]."""
        ...

    def step(self, position: Array, velocity: Array, gripper_width: GripperWidth) -> None:
        """Runs one physics step with a set-point of the joints.

        Args:
            position: ``(n, 7)`` [rad].
            velocity: ``(n, 7)`` [rad/s], fed forward.
            gripper_width: of the grippers [m].
        """
        ...

    def push_cube(self, velocity: Array) -> None:
        """Sets the horizontal velocity of the cubes, ``(2,)`` or ``(n, 2)`` [m/s]."""
        ...

    def close(self) -> None:
        """Frees the resources of the engine."""
        ...
