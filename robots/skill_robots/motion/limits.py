"""What an arm may never be told: a state, a step from one to the next, a way to rest.

Distances to what must not be touched are measured on samples of a way. What lies between two
samples is bounded: a point whose acceleration is at most ``B`` sinks at most ``B T^2 / 8`` below
the line between two instants ``T`` apart, and a distance between two bodies changes at most at
their speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf, sqrt
from typing import Literal, NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.franka import kinematics
from skill_robots.franka.clearance import ClearanceModel
from skill_robots.franka.kinematics import Point
from skill_robots.motion.braking import BrakingTrajectory

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

END_EFFECTOR_REACH_M = (1.02, 1.02, 0.704, 0.621, 0.229, 0.229, 0.0)
"""Nor is the end effector from these [m], by the same table: it lies on the last joint's axis."""

_REACH = np.array(REACH_M)
_REACHES_AND_ONE = np.stack([_REACH, np.array(END_EFFECTOR_REACH_M), np.ones_like(_REACH)], axis=1)

MAX_SAG_M = 0.001
"""Samples are so near to each other that no point sinks farther than this between them [m]."""
MAX_DRIFT_M = 0.02
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
    compliant arm is, and those of the shipped policies dip up to 5.5 mm into the table they sweep
    over. The plant is .8 to 4.5 kN/m stiff downwards, most near the arm's base: 8 mm press with 6
    to 36 N (``benchmarks/safety/governor.py``)."""
    self_clearance_m: float = 0.01
    """Between two links [m]."""


class Motion(NamedTuple):
    """A set-point with its derivatives, ``(dof,)`` each."""

    position: Array
    """[rad]."""
    velocity: Array
    """[rad/s]."""
    acceleration: Array
    """[rad/s^2]."""

    def then(self, position: Array, period_s: float) -> Motion:
        """The motion one period later at ``position``, derivatives by differences."""
        velocity = (position - self.position) / period_s
        return Motion(position, velocity, (velocity - self.velocity) / period_s)


class Margins(NamedTuple):
    """How far one configuration is from what must not be touched [m]; negative beyond."""

    workspace: float
    table: float
    self_collision: float


UNRESTRICTED = Margins(0.0, 0.0, 0.0)
"""What must be left everywhere by an arm that is inside all limits."""


class VerifiedStop(NamedTuple):
    """A way that was found to leave room enough."""

    way: BrakingTrajectory
    spare: float
    """How much farther than on this way everything may go [m]."""
    room: Margins | None
    """At its beginning; None where that was not measured."""


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

    # One state and one step ---------------------------------------------------------------------

    def speed_bounds(self, position: Array) -> tuple[Array, Array]:
        """Lowest and highest joint velocity at joint positions ``(..., dof)`` [rad/s]."""
        most, zone = self.spec.velocity_limit, self.spec.velocity_limit_near_ends
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

    def room(self, position: Array) -> Margins:
        """At joint positions ``(dof,)``."""
        clearance = self._clearance.measure(position)
        around = self.surroundings
        sides = zip(clearance.end_effector, around.low, around.high, strict=True)
        return Margins(
            min(min(x - low, high - x) for x, low, high in sides),
            clearance.table - around.table_clearance_m,
            clearance.self_collision - around.self_clearance_m,
        )

    # A way to rest ------------------------------------------------------------------------------

    def verify_stop(
        self, way: BrakingTrajectory, now: Array, least: Margins, near: VerifiedStop | None = None
    ) -> MotionLimit | VerifiedStop:
        """The first limit that a motion, or the stop from it, breaks; or that the way is safe.

        Args:
            way: the stop; it begins with the motion that is to be adopted.
            now: joint positions ``(dof,)`` that the arm is told at present; where these are outside
                of a joint's range, every way back is open.
            least: room that must be left everywhere on the way [m].
            near: a way that began one period before this one and leaves that room; one that stays
                near enough to it need not be measured.
        """
        spec, positions = self.spec, way.position
        # Rounding is for the range, not for the way back: it would add up.
        low = np.minimum(spec.position_low - ROUNDING, now)
        high = np.maximum(spec.position_high + ROUNDING, now)
        if np.maximum(low - positions, positions - high).max() > 0.0:
            return "joint_position"
        turning = np.abs(way.velocity)
        if self._too_fast(way, turning):
            return "joint_velocity"
        speed, hand_speed, sum_of_turns = (turning @ _REACHES_AND_ONE).max(axis=0).tolist()
        if hand_speed > spec.end_effector_speed and self._hand_too_fast(now, positions):
            return "end_effector_speed"
        if near is not None:
            spare = near.spare - _farthest_apart(positions, near.way.position)
            if spare >= 0.0:
                return VerifiedStop(way, spare, None)
        stride, sag, drift = 1, 0.0, 0.0
        if min(least) >= 0.0:  # on a way back from beyond a limit no room can be spared
            bend = float((np.abs(way.acceleration) @ _REACH).max()) + sum_of_turns * speed
            stride, sag, drift = self._spacing(speed, bend, len(way))
        needed = Margins(least.workspace + sag, least.table + sag, least.self_collision + drift)
        return self._measure_way(way, stride, needed)

    def _too_fast(self, way: BrakingTrajectory, turning: Array) -> bool:
        """Whether a joint is; the bound is the same everywhere where there is no end zone."""
        slack = ROUNDING * self.spec.velocity_limit
        if (turning > self.spec.velocity_limit + slack).any():
            return True
        if self.spec.velocity_limit_near_ends is None:
            return False
        low, high = self.speed_bounds(way.position)
        return bool(np.maximum(low - way.velocity, way.velocity - high).max() > slack.min())

    def _hand_too_fast(self, now: Array, positions: Array) -> bool:
        points = kinematics.forward(np.concatenate([now[None], positions])).position
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        most = self.spec.end_effector_speed * self._period_s * (1.0 + ROUNDING)
        return float(steps.max()) > most

    def _measure_way(
        self, way: BrakingTrajectory, stride: int, needed: Margins
    ) -> MotionLimit | VerifiedStop:
        positions, last = way.position, len(way)
        first: Margins | None = None
        spare = inf
        for index in (*range(0, last, stride), last):
            room = self.room(positions[index])
            first = first or room
            workspace = room.workspace - needed.workspace
            table = room.table - needed.table
            self_collision = room.self_collision - needed.self_collision
            if workspace < 0.0:
                return "workspace"
            if table < 0.0:
                return "table"
            if self_collision < 0.0:
                return "self_collision"
            spare = min(spare, workspace, table, self_collision)
        return VerifiedStop(way, spare, first)

    def _spacing(self, speed: float, bend: float, periods: int) -> tuple[int, float, float]:
        """Servo periods between two samples of a way, and the room that this asks for [m].

        Args:
            speed: that no point of the arm exceeds [m/s].
            bend: acceleration that none exceeds [m/s^2].
            periods: length of the way.
        """
        between = min(sqrt(8.0 * MAX_SAG_M / max(bend, TINY)), 2.0 * MAX_DRIFT_M / max(speed, TINY))
        stride = min(max(1, floor(between / self._period_s)), max(1, periods))
        if stride == 1:
            return 1, 0.0, 0.0
        between = stride * self._period_s
        return stride, bend * between**2 / 8.0, speed * between / 2.0


def _farthest_apart(positions: Array, others: Array) -> float:
    """What no point of the arm is farther apart [m] on two ways; the other began a period ago."""
    after = others[1:]
    both = min(len(positions), len(after))
    apart = np.abs(positions[:both] - after[:both])
    farthest = float((apart @ _REACH).max()) if both else 0.0
    if both == len(positions):
        return farthest
    apart = np.abs(positions[both:] - others[-1])
    return max(farthest, float((apart @ _REACH).max()))
