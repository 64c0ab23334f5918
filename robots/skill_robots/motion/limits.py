"""Limits of set-points: of one state, of the step between two, and of a braking trajectory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import gt, sub
from typing import Literal, NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.kinematics import Point
from skill_robots.motion.braking import BrakingTrajectory
from skill_robots.motion.margins import Margins, SampledPath, SpatialLimit

MotionLimit = Literal[
    "joint_position",
    "joint_velocity",
    "joint_acceleration",
    "joint_jerk",
    "end_effector_speed",
    SpatialLimit,
]

ROUNDING = 1e-6
"""Tolerance for rounding, as a share of a limit; for positions in radians."""


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
        speed = rates @ spec.reach
        acceleration = float((np.abs(trajectory.acceleration) @ spec.reach).max())
        acceleration += float(rates.sum(axis=1).max()) * float(speed.max())
        path = SampledPath(self.margins, positions, speed, acceleration, self._period_s)
        verified = path.verify(min_margins)
        if not isinstance(verified, tuple):
            return verified
        margins, slack = verified
        return VerifiedStop(trajectory, slack, margins)

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
