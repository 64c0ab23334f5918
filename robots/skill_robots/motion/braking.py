"""Plans the shortest stop that keeps acceleration and jerk within their limits, in discrete time.

The governor checks differences of set-points one servo period apart, and this planner keeps exactly
these differences within the limits. The library Ruckig (Berscheid and Kroeger, RSS 2021) plans such
stops in continuous time. Its samples, started from the governor's velocity and acceleration, exceed
the jerk limit at 1 ms. Started half a period later they keep the limits, but the governor's check
then takes longer at 1 ms than with this planner, and Ruckig adds a compiled dependency without a
wheel for Linux on aarch64. ``python -m benchmarks.safety.ruckig_braking`` measures both.

Per joint, with ``w = v / dt`` and ``D = j_max dt``, a stop of ``n`` servo periods is a sequence of
accelerations ``a_1 .. a_n`` with::

    |a_i| <= a_max,   |a_i - a_(i-1)| <= D,   |a_n| <= D,   a_1 + ... + a_n = -w

from the present acceleration ``a_0``; then the joint rests without acceleration. Every constraint
is convex. So the sums that ``n`` periods can reach form an interval. Its ends are the sum of the
lowest profile, ``max(-a_max, a_0 - i D, -(n + 1 - i) D)``, and that of the highest, its mirror
image; a blend of the two profiles reaches any sum between. ``n`` is the smallest number whose
interval contains ``-w`` for every joint. All joints come to rest together, so that the end
effector stays close to its path.

An arm may accelerate faster than it brakes: ``|a_0|`` may exceed ``a_max`` by up to ``D``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec

USUAL_DURATION_S = 0.6
"""The tables are computed once for stops up to this duration [s]; the supported arms need less."""

_ROUNDING = 1e-9
"""Tolerance for rounding, as a share of a limit."""


@dataclass(frozen=True)
class BrakingTrajectory:
    """A trajectory to rest: set-points from now on, one a servo period, ``(n + 1, dof)`` each."""

    position: Array
    """[rad]; the first row is the start."""
    velocity: Array
    """[rad/s]."""
    acceleration: Array
    """[rad/s^2]."""

    def __len__(self) -> int:
        """Returns the number of servo periods to rest, n; may be 0."""
        return len(self.position) - 1

    def after(self, periods: int) -> tuple[Array, Array, Array]:
        """Returns position, velocity and acceleration that many servo periods from now."""
        return self.position[periods], self.velocity[periods], self.acceleration[periods]


class BrakingPlanner:
    """Plans braking trajectories of one arm.

    Numbers per joint are plain floats, because numpy's overhead exceeds their arithmetic; numpy
    computes the rows of the trajectory.

    Args:
        acceleration_limit: of the stops ``(dof,)`` [rad/s^2].
        jerk_limit: ``(dof,)`` [rad/s^3].
        period_s: servo period [s].

    Attributes:
        period_s: as given.
    """

    def __init__(self, acceleration_limit: Array, jerk_limit: Array, period_s: float) -> None:
        self.period_s = period_s
        self._acceleration_limit = acceleration_limit
        self._step = jerk_limit * period_s
        # Per joint D, and a_max in units of D.
        self._unit: list[tuple[float, float]] = list(
            zip(self._step.tolist(), (acceleration_limit / self._step).tolist(), strict=True)
        )
        self._make_ramp(round(USUAL_DURATION_S / period_s))
        self._slowest = 0

    @classmethod
    def of(cls, spec: ArmSpec, period_s: float) -> BrakingPlanner:
        """Returns the planner of an arm's stops.

        The governor verifies these stops, and the driver of a real arm executes them on its own.
        """
        return cls(spec.deceleration_limit, spec.jerk_limit, period_s)

    def _make_ramp(self, periods: int) -> None:
        """Tabulates ``k D`` for every k up to ``periods``, and the same clipped at the limit."""
        self._ramp = np.arange(0.0, periods + 1.0)[:, None] * self._step
        self._clipped = np.minimum(self._ramp, self._acceleration_limit)

    def plan(self, position: Array, velocity: Array, acceleration: Array) -> BrakingTrajectory:
        """Plans the shortest common stop of all joints.

        Args:
            position: ``(dof,)`` [rad].
            velocity: ``(dof,)`` [rad/s].
            acceleration: ``(dof,)`` [rad/s^2]; at most ``D`` beyond its limit.
        """
        period_s = self.period_s
        unit = zip(velocity.tolist(), acceleration.tolist(), self._unit, strict=True)
        joints = [(-v / (period_s * step), a / step, limit) for v, a, (step, limit) in unit]
        # The joint that took longest last time usually takes longest again.
        n = _periods(*joints[self._slowest], 0)
        blend, is_enough = _blend(n, joints)
        if not is_enough:
            for index, joint in enumerate(joints):
                longer = _periods(*joint, n)
                if longer > n:
                    n, self._slowest = longer, index
            blend, _ = _blend(n, joints)
        accelerations = self._accelerations(n, acceleration, blend)
        velocities = _integral(velocity, accelerations, period_s)
        if n > 0:
            velocities[-1] = 0.0  # exactly
        positions = _integral(position, velocities, period_s)
        return BrakingTrajectory(positions, velocities, accelerations)

    def _accelerations(self, n: int, acceleration: Array, blend: list[float]) -> Array:
        """Returns the present acceleration and ``n`` blends of lowest and highest profile."""
        if n >= len(self._ramp):
            self._make_ramp(2 * n)
        falling, rising = self._clipped[n:0:-1], self._ramp[1 : n + 1]
        low = np.minimum(falling, rising - acceleration)  # of the lowest profile, negated
        span = np.minimum(falling, rising + acceleration)
        span += low
        span *= blend
        accelerations = np.empty((n + 1, len(blend)))
        accelerations[0] = acceleration
        np.subtract(span, low, out=accelerations[1:])
        return accelerations


Joint = tuple[float, float, float]
"""Wanted sum ``-w``, present acceleration and limit of one joint, in units of ``D``."""


def _blend(n: int, joints: Sequence[Joint]) -> tuple[list[float], bool]:
    """Returns each joint's share of the highest profile, and whether ``n`` periods are enough."""
    blend: list[float] = []
    is_enough = True
    for wanted, now, limit in joints:
        low = _highest_sum(n, -now, limit)
        span = low + _highest_sum(n, now, limit)
        above, tolerance = wanted + low, _ROUNDING * limit
        if not -tolerance <= above <= span + tolerance or abs(now) > n + 1 + tolerance:
            is_enough = False
        share = above / span if span > 0.0 else 0.0
        blend.append(0.0 if share < 0.0 else 1.0 if share > 1.0 else share)
    return blend, is_enough


def _periods(wanted: float, now: float, limit: float, minimum: int) -> int:
    """Returns the smallest sufficient number of periods for one joint, at least ``minimum``."""
    tolerance = _ROUNDING * limit
    n = max(minimum, ceil(abs(wanted) / limit - _ROUNDING), ceil(abs(now) - tolerance) - 1)
    while not (
        -_highest_sum(n, -now, limit) - tolerance
        <= wanted
        <= _highest_sum(n, now, limit) + tolerance
    ):
        n += 1
    return n


def _highest_sum(n: int, now: float, limit: float) -> float:
    """Sums ``min(limit, now + i, n + 1 - i)`` over ``i`` from 1 to ``n``, in units of ``D``."""
    # Comparisons instead of min and max, whose calls would take most of the time.
    meet, flat_from = (n + 1 - now) / 2.0, limit - now
    rising = int(meet if meet < flat_from else flat_from)
    rising = 0 if rising < 0 else n if rising > n else rising
    falling = int(limit)
    falling = falling if falling < n - rising else n - rising
    flat = n - rising - falling
    return rising * now + (rising * (rising + 1) + falling * (falling + 1)) / 2.0 + flat * limit


def _integral(start: Array, rates: Array, period_s: float) -> Array:
    """Returns ``start`` and its sums with the rates ``(n + 1, dof)``, without the first rate."""
    steps = rates * period_s
    steps[0] = start
    return np.add.accumulate(steps)
