"""Limits of set-points: of one state, of the step between two, and of a braking trajectory.

Distances to the table, to the workspace's walls and between links are measured at samples of a
trajectory. Between two samples they are bounded: a point whose acceleration is at most ``B`` sags
at most ``B T^2 / 8`` below the line between two instants ``T`` apart, and a distance between two
bodies changes at most at their speed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, inf, sqrt
from operator import gt, sub
from typing import Literal, NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.kinematics import Point
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
"""Tolerance for rounding, as a share of a limit; for positions in radians."""

MAX_SAG_M = 0.001
"""Samples are so close to each other that no point sags farther than this between them [m]."""
MAX_DRIFT_M = 0.02
"""Samples are so close that no point moves farther than this from the nearer one [m]."""

_TINY = 1e-9
"""Prevents division by zero."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Space that the arm may use, base frame."""

    low: Point
    """Lower corner of the end effector's box [m]."""
    high: Point
    """Upper corner of the box [m]."""
    table_clearance_m: float = -0.008
    """Minimum distance between the lowest point of the arm and the table [m]. It is negative
    because a compliant arm lags behind its set-points: those of the shipped policies dip up to
    5.5 mm into the table. The vertical stiffness of the plant is 0.8 to 4.5 kN/m, highest near the
    base: 8 mm press with 6 to 36 N (``benchmarks/safety/governor.py``)."""
    self_clearance_m: float = 0.01
    """Minimum distance between two links [m]."""


class Motion(NamedTuple):
    """A set-point with its derivatives, ``(dof,)`` each."""

    position: Array
    """[rad]."""
    velocity: Array
    """[rad/s]."""
    acceleration: Array
    """[rad/s^2]."""

    def then(self, position: Array, period_s: float) -> Motion:
        """Returns the motion one period later at ``position``, derivatives by differences."""
        velocity = (position - self.position) / period_s
        return Motion(position, velocity, (velocity - self.velocity) / period_s)


class Margins(NamedTuple):
    """Distances of one configuration to its spatial limits [m]; negative beyond a limit."""

    workspace: float
    table: float
    self_collision: float


WITHIN_LIMITS = Margins(0.0, 0.0, 0.0)
"""Minimum margins of an arm that is inside all limits."""


class VerifiedStop(NamedTuple):
    """A braking trajectory that keeps all limits: a fail-safe trajectory."""

    trajectory: BrakingTrajectory
    slack: float
    """Every point of the arm may deviate this far from the trajectory [m]."""
    margins: Margins | None
    """At its first set-point; None if they were not measured."""


class MotionLimits:
    """Checks motions of one arm.

    Args:
        spec: the arm.
        surroundings: space that the arm may use.
        period_s: servo period [s].

    Attributes:
        spec: the arm.
        surroundings: space that the arm may use.
    """

    def __init__(self, spec: ArmSpec, surroundings: Surroundings, period_s: float) -> None:
        self.spec = spec
        self.surroundings = surroundings
        self._period_s = period_s
        self._collision = spec.collision_model()
        tolerance = 1.0 + ROUNDING
        self._acceleration_limit: list[float] = (spec.acceleration_limit * tolerance).tolist()
        self._jerk_step: list[float] = (spec.jerk_limit * period_s * tolerance).tolist()
        self._velocity_limit = spec.velocity_limit * tolerance
        self._position_middle = (spec.position_low + spec.position_high) / 2.0
        self._position_half = (spec.position_high - spec.position_low) / 2.0 + ROUNDING

    # One state and one step ---------------------------------------------------------------------

    def speed_bounds(self, position: Array) -> tuple[Array, Array]:
        """Returns the lowest and highest joint velocity at ``position`` ``(..., dof)`` [rad/s]."""
        limit, near_end = self.spec.velocity_limit, self.spec.position_based_velocity_limit
        if near_end is None:
            return -limit, limit
        up = np.maximum(self.spec.position_high - position, 0.0)
        down = np.maximum(position - self.spec.position_low, 0.0)
        twice = 2.0 * near_end.deceleration
        return (
            -np.minimum(limit, np.maximum(np.sqrt(twice * down) - near_end.offset, 0.0)),
            np.minimum(limit, np.maximum(np.sqrt(twice * up) - near_end.offset, 0.0)),
        )

    def broken_by_step(self, before: Motion, after: Motion) -> MotionLimit | None:
        """Returns the limit of acceleration or jerk that a step of one servo period breaks."""
        acceleration: list[float] = after.acceleration.tolist()
        if exceeds(acceleration, self._acceleration_limit):
            return "joint_acceleration"
        if exceeds(map(sub, acceleration, before.acceleration.tolist()), self._jerk_step):
            return "joint_jerk"
        return None

    def margins(self, position: Array) -> Margins:
        """Measures the margins at joint positions ``(dof,)``."""
        clearance = self._collision.measure(position)
        around = self.surroundings
        sides = zip(clearance.end_effector, around.low, around.high, strict=True)
        return Margins(
            min(min(x - low, high - x) for x, low, high in sides),
            clearance.table - around.table_clearance_m,
            clearance.self_collision - around.self_clearance_m,
        )

    # A braking trajectory -----------------------------------------------------------------------

    def verify_stop(
        self,
        trajectory: BrakingTrajectory,
        now: Array,
        min_margins: Margins,
        near: VerifiedStop | None = None,
    ) -> MotionLimit | VerifiedStop:
        """Returns the first limit that the trajectory breaks, or the verified trajectory.

        Args:
            trajectory: begins with the motion that is to be adopted.
            now: joint positions ``(dof,)`` of the present set-point. For a joint beyond the end of
                its range every trajectory back is accepted.
            min_margins: margins to be kept on the whole trajectory [m].
            near: a verified trajectory that began one period earlier and keeps these margins. A
                trajectory within its slack needs no measurement.
        """
        spec, positions = self.spec, trajectory.position
        if self._beyond_range(positions, now):
            return "joint_position"
        rates = np.abs(trajectory.velocity)
        if self._too_fast(trajectory, rates):
            return "joint_velocity"
        tip_speed = float((rates @ spec.end_effector_reach).max())
        if tip_speed > spec.end_effector_speed and self._end_effector_too_fast(now, positions):
            return "end_effector_speed"
        if near is not None:
            apart = _max_deviation(positions, near.trajectory.position, spec.reach)
            slack = near.slack - apart
            if slack >= 0.0:
                return VerifiedStop(trajectory, slack, None)
        stride, sag, drift = 1, 0.0, 0.0
        if min(min_margins) >= 0.0:  # otherwise every set-point is measured
            speed = float((rates @ spec.reach).max())
            acceleration = float((np.abs(trajectory.acceleration) @ spec.reach).max())
            acceleration += float(rates.sum(axis=1).max()) * speed
            stride, sag, drift = self._spacing(speed, acceleration, len(trajectory))
        needed = Margins(
            min_margins.workspace + sag,
            min_margins.table + sag,
            min_margins.self_collision + drift,
        )
        return self._measure(trajectory, stride, needed)

    def _beyond_range(self, positions: Array, now: Array) -> bool:
        """Returns whether a joint leaves its range, or moves farther beyond its end."""
        beyond = np.abs(positions - self._position_middle) > self._position_half
        if not np.count_nonzero(beyond):
            return False
        # No rounding tolerance for a joint beyond its range: on its return it would add up.
        low = np.minimum(self.spec.position_low - ROUNDING, now)
        high = np.maximum(self.spec.position_high + ROUNDING, now)
        return float(np.maximum(low - positions, positions - high).max()) > 0.0

    def _too_fast(self, trajectory: BrakingTrajectory, rates: Array) -> bool:
        """Returns whether a joint is faster than its bound, which may depend on its position."""
        if np.count_nonzero(rates > self._velocity_limit):
            return True
        if self.spec.position_based_velocity_limit is None:
            return False
        low, high = self.speed_bounds(trajectory.position)
        excess = np.maximum(low - trajectory.velocity, trajectory.velocity - high)
        return float(excess.max()) > ROUNDING * float(self.spec.velocity_limit.min())

    def _end_effector_too_fast(self, now: Array, positions: Array) -> bool:
        points = self.spec.kinematics.forward(np.concatenate([now[None], positions])).position
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        longest = self.spec.end_effector_speed * self._period_s * (1.0 + ROUNDING)
        return float(steps.max()) > longest

    def _measure(
        self, trajectory: BrakingTrajectory, stride: int, needed: Margins
    ) -> MotionLimit | VerifiedStop:
        """Measures the margins at every ``stride``-th set-point and at the last."""
        positions, last = trajectory.position, len(trajectory)
        first: Margins | None = None
        slack = inf
        for index in (*range(0, last, stride), last):
            margins = self.margins(positions[index])
            first = first or margins
            workspace = margins.workspace - needed.workspace
            table = margins.table - needed.table
            self_collision = margins.self_collision - needed.self_collision
            if workspace < 0.0:
                return "workspace"
            if table < 0.0:
                return "table"
            if self_collision < 0.0:
                return "self_collision"
            slack = min(slack, workspace, table, self_collision)
        return VerifiedStop(trajectory, slack, first)

    def _spacing(self, speed: float, acceleration: float, periods: int) -> tuple[int, float, float]:
        """Returns servo periods between two samples, and the margins for sag and drift [m].

        Args:
            speed: upper bound for all points of the arm [m/s].
            acceleration: upper bound for all points of the arm [m/s^2].
            periods: length of the trajectory.
        """
        between = min(
            sqrt(8.0 * MAX_SAG_M / max(acceleration, _TINY)), 2.0 * MAX_DRIFT_M / max(speed, _TINY)
        )
        stride = min(max(1, floor(between / self._period_s)), max(1, periods))
        if stride == 1:
            return 1, 0.0, 0.0
        between = stride * self._period_s
        return stride, acceleration * between**2 / 8.0, speed * between / 2.0


def _max_deviation(positions: Array, others: Array, reach: Array) -> float:
    """Bounds the distance of any point of the arm between two trajectories [m].

    Args:
        positions: of a trajectory that begins now, ``(n, dof)`` [rad].
        others: of a trajectory that began one period ago, ``(m, dof)`` [rad].
        reach: ``(dof,)``, see ``ArmSpec.reach`` [m].
    """
    after = others[1:]
    both = min(len(positions), len(after))
    apart = np.abs(positions[:both] - after[:both])
    farthest = float((apart @ reach).max()) if both else 0.0
    if both == len(positions):
        return farthest
    apart = np.abs(positions[both:] - others[-1])
    return max(farthest, float((apart @ reach).max()))


def exceeds(values: Iterable[float], limits: Iterable[float]) -> bool:
    """Returns whether the magnitude of a value is above its limit.

    For the joints of one arm this is faster than numpy, which costs more per call than per number.
    """
    return any(map(gt, map(abs, values), limits))
