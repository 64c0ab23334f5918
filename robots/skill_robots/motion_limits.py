"""What an arm may never be told: a state, a step from one to the next, a way to rest.

Distances to what must not be touched are measured on samples of a way. What lies between two
samples is bounded: a point whose acceleration is at most ``B`` sinks at most ``B T^2 / 8`` below
the line between two instants ``T`` apart, and a distance between two bodies changes at most at
their speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, sqrt
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skill_robots.arm import ArmSpec
from skill_robots.panda import kinematics
from skill_robots.panda.clearance import ClearanceModel
from skill_robots.stopping import Stop

Vector = NDArray[np.float64]
Point = tuple[float, float, float]

MotionLimit = Literal[
    "joint_position",
    "joint_velocity",
    "joint_acceleration",
    "joint_jerk",
    "end_effector_speed",
    "workspace",
    "table",
    "self_collision",
]

ROUNDING = 1e-6
"""Share of a limit by which rounding may pass it; positions by this many radians."""

REACH_M = (1.05, 1.05, 0.8, 0.75, 0.4, 0.35, 0.15)
"""No point of arm and open hand is farther than this from the axis of each joint [m]: the sums of
the link lengths beyond it (Franka's Denavit-Hartenberg table) and of half the hand's width."""

_REACH = np.array(REACH_M)

MOST_SAG_M = 0.001
"""Samples are so near to each other that no point sinks farther than this between them [m]."""
MOST_DRIFT_M = 0.02
"""Nor does any go farther than this from the nearer sample [m]."""


TINY = 1e-9


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where the arm may be, base frame."""

    low: Point
    """Corner of the box of the end effector [m]."""
    high: Point
    """The other one [m]."""
    table_clearance_m: float = -0.008
    """Between the lowest point of the arm and the table [m]. Negative: set-points are not where a
    compliant arm is, and those of the shipped policies dip up to 4.8 mm into the table they sweep
    over; at the plant's stiffness, about 1 kN/m downwards, 8 mm press with 8 N."""
    self_clearance_m: float = 0.01
    """Between two links [m]."""


class Motion(NamedTuple):
    """A set-point with its derivatives, ``(dof,)`` each."""

    position: Vector
    """[rad]."""
    velocity: Vector
    """[rad/s]."""
    acceleration: Vector
    """[rad/s^2]."""

    def then(self, position: Vector, period_s: float) -> Motion:
        """The motion one period later at ``position``, derivatives by differences."""
        velocity = (position - self.position) / period_s
        return Motion(position, velocity, (velocity - self.velocity) / period_s)


class Room(NamedTuple):
    """How far one configuration is from what must not be touched [m]; negative beyond."""

    workspace: float
    table: float
    itself: float


class MotionLimits:
    """Checks motions of one arm.

    Args:
        spec: the arm's published limits.
        surroundings: where it may be.
        period_s: servo period [s].

    Attributes:
        spec: as given.
        surroundings: as given.
    """

    def __init__(self, spec: ArmSpec, surroundings: Surroundings, period_s: float) -> None:
        self.spec = spec
        self.surroundings = surroundings
        self._period_s = period_s
        self._clearance = ClearanceModel()
        self._low = np.array(surroundings.low)
        self._high = np.array(surroundings.high)

    # One state and one step ---------------------------------------------------------------------

    def speed_bounds(self, position: Vector) -> tuple[Vector, Vector]:
        """Lowest and highest joint velocity at joint positions ``(..., dof)`` [rad/s]."""
        most, zone = self.spec.velocity_limit, self.spec.end_zone
        if zone is None:
            return -most, most
        up = np.maximum(self.spec.position_high - position, 0.0)
        down = np.maximum(position - self.spec.position_low, 0.0)
        twice = 2.0 * zone.deceleration
        return (
            -np.minimum(most, np.maximum(np.sqrt(twice * down) - zone.offset, 0.0)),
            np.minimum(most, np.maximum(np.sqrt(twice * up) - zone.offset, 0.0)),
        )

    def broken_by_step(self, before: Motion, after: Motion) -> MotionLimit | None:
        """What acceleration and jerk from one servo period to the next break."""
        spec, room = self.spec, 1.0 + ROUNDING
        if (np.abs(after.acceleration) > spec.acceleration_limit * room).any():
            return "joint_acceleration"
        change = np.abs(after.acceleration - before.acceleration)
        if (change > spec.jerk_limit * self._period_s * room).any():
            return "joint_jerk"
        return None

    def room(self, position: Vector) -> Room:
        """At joint positions ``(dof,)``."""
        clearance = self._clearance.measure(position)
        point = np.array(clearance.end_effector)
        inside = float(np.minimum(point - self._low, self._high - point).min())
        return Room(
            inside,
            clearance.table - self.surroundings.table_clearance_m,
            clearance.itself - self.surroundings.self_clearance_m,
        )

    # A way to rest ------------------------------------------------------------------------------

    def judge_way(
        self, start: Motion, way: Stop, now: Vector, least: Room
    ) -> tuple[MotionLimit | None, Room | None]:
        """What a motion and the stop from it break.

        Args:
            start: the motion to be adopted.
            way: the stop from it.
            now: joint positions ``(dof,)`` that the arm is told at present; where these are outside
                of a joint's range, every way back is open.
            least: room that must be left everywhere on the way [m].

        Returns:
            The first limit that is broken, None where none is; and the room at ``start``, where it
            came to that.
        """
        positions = np.concatenate([start.position[None], way.position])
        velocities = np.concatenate([start.velocity[None], way.velocity])
        spec = self.spec
        if (positions < np.minimum(spec.position_low, now) - ROUNDING).any() or (
            positions > np.maximum(spec.position_high, now) + ROUNDING
        ).any():
            return "joint_position", None
        low, high = self.speed_bounds(positions)
        slack = ROUNDING * spec.velocity_limit
        if (velocities < low - slack).any() or (velocities > high + slack).any():
            return "joint_velocity", None
        if self._too_fast(now, positions, velocities):
            return "end_effector_speed", None
        pushes = np.concatenate([start.acceleration[None], way.acceleration])
        return self._first_short_of_room(positions, velocities, pushes, least)

    def _too_fast(self, now: Vector, positions: Vector, velocities: Vector) -> bool:
        most = self.spec.end_effector_speed
        if float((np.abs(velocities) @ _REACH).max()) <= most:
            return False
        points = kinematics.forward(np.concatenate([now[None], positions])).position
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        return float(steps.max()) > most * self._period_s * (1.0 + ROUNDING)

    def _first_short_of_room(
        self, positions: Vector, velocities: Vector, pushes: Vector, least: Room
    ) -> tuple[MotionLimit | None, Room]:
        last = len(positions) - 1
        stride, sag, drift = 1, 0.0, 0.0
        if min(least) >= 0.0:  # on a way back from beyond a limit no room can be spared
            stride, sag, drift = self._spacing(velocities, pushes)
        first: Room | None = None
        for index in (*range(0, last, stride), last):
            room = self.room(positions[index])
            first = first or room
            if room.workspace < least.workspace + sag:
                return "workspace", first
            if room.table < least.table + sag:
                return "table", first
            if room.itself < least.itself + drift:
                return "self_collision", first
        assert first is not None  # there is always the last
        return None, first

    def _spacing(self, velocities: Vector, pushes: Vector) -> tuple[int, float, float]:
        """Servo periods between two samples, and the room that this asks for [m]."""
        turning = np.abs(velocities)
        speed = float((turning @ _REACH).max())
        bend = float((np.abs(pushes) @ _REACH).max()) + float(turning.sum(axis=1).max()) * speed
        between = min(
            sqrt(8.0 * MOST_SAG_M / max(bend, TINY)), 2.0 * MOST_DRIFT_M / max(speed, TINY)
        )
        stride = min(max(1, floor(between / self._period_s)), max(1, len(velocities) - 1))
        if stride == 1:
            return 1, 0.0, 0.0
        between = stride * self._period_s
        return stride, bend * between**2 / 8.0, speed * between / 2.0
