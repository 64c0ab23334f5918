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
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from skill_proto.arrays import Array

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

    Args:
        acceleration_limit: ``(dof,)`` [rad/s^2].
        jerk_limit: ``(dof,)`` [rad/s^3].
        period_s: servo period [s].
    """

    def __init__(self, acceleration_limit: Array, jerk_limit: Array, period_s: float) -> None:
        self.period_s = period_s
        self._acceleration_limit = acceleration_limit
        self._step = jerk_limit * period_s
        self._limits: list[tuple[float, float]] = list(
            zip(acceleration_limit.tolist(), self._step.tolist(), strict=True)
        )
        self._make_ramp(round(USUAL_DURATION_S / period_s))
        self._tolerance = _ROUNDING * acceleration_limit
        self._slowest = 0

    def _make_ramp(self, periods: int) -> None:
        """Tabulates ``k D`` for every k up to ``periods``, and the same clipped at the limit."""
        self._ramp = np.arange(0.0, periods + 1.0)[:, None] * self._step
        self._clipped = np.minimum(self._ramp, self._acceleration_limit)

    def plan(self, position: Array, velocity: Array, acceleration: Array) -> BrakingTrajectory:
        """Plans the shortest common stop of all joints.

        Args:
            position: ``(dof,)`` [rad].
            velocity: ``(dof,)`` [rad/s].
            acceleration: ``(dof,)`` [rad/s^2], within its limit.
        """
        needed = -velocity / self.period_s
        wanted, now = needed.tolist(), acceleration.tolist()
        # The joint that took longest last time usually takes longest again.
        n = self._periods_of(self._slowest, 0, wanted, now)
        low, span, sum_low, reach = self._profiles(n, acceleration)
        over, tolerance = needed + sum_low, self._tolerance
        if (
            (over < -tolerance)
            | (over > reach + tolerance)
            | (np.abs(acceleration) > (n + 1) * self._step)
        ).any():
            for joint in range(len(wanted)):
                longer = self._periods_of(joint, n, wanted, now)
                if longer > n:
                    n, self._slowest = longer, joint
            low, span, sum_low, reach = self._profiles(n, acceleration)
        share = (needed + sum_low) / np.where(reach > 0.0, reach, 1.0)
        accelerations = np.empty((n + 1, len(position)))
        accelerations[0] = acceleration
        accelerations[1:] = np.minimum(np.maximum(share, 0.0), 1.0) * span - low
        velocities = np.empty_like(accelerations)
        velocities[0] = velocity
        velocities[1:] = np.cumsum(accelerations[1:], axis=0) * self.period_s + velocity
        if n > 0:
            velocities[-1] = 0.0  # exactly
        positions = np.empty_like(accelerations)
        positions[0] = position
        positions[1:] = np.cumsum(velocities[1:], axis=0) * self.period_s + position
        return BrakingTrajectory(positions, velocities, accelerations)

    def _profiles(self, n: int, acceleration: Array) -> tuple[Array, Array, Array, Array]:
        """Returns the lowest profile negated, the span up to the highest, and the sums of both."""
        if n >= len(self._ramp):
            self._make_ramp(2 * n)
        falling, rising = self._clipped[n:0:-1], self._ramp[1 : n + 1]
        low = np.minimum(falling, rising - acceleration)
        span = np.minimum(falling, rising + acceleration) + low
        return low, span, low.sum(axis=0), span.sum(axis=0)

    def _periods_of(
        self, joint: int, minimum: int, needed: Sequence[float], now: Sequence[float]
    ) -> int:
        """Returns the smallest sufficient number of periods for one joint, at least ``minimum``."""
        want, a, (limit, step) = needed[joint], now[joint], self._limits[joint]
        tolerance = _ROUNDING * limit
        n = max(
            minimum,
            ceil((abs(want) - tolerance) / limit),
            ceil((abs(a) - tolerance) / step) - 1,
        )
        while not (
            -_highest_sum(n, -a, limit, step) - tolerance
            <= want
            <= _highest_sum(n, a, limit, step) + tolerance
        ):
            n += 1
        return n


def _highest_sum(n: int, a: float, limit: float, step: float) -> float:
    """Sums ``min(limit, a + i step, (n + 1 - i) step)`` over ``i`` from 1 to ``n``."""
    meet = ((n + 1) * step - a) / (2.0 * step)
    rising = min(max(floor(min(meet, (limit - a) / step)), 0), n)
    falling = min(n - rising, floor(limit / step))
    flat = n - rising - falling
    return (
        rising * a + step * (rising * (rising + 1) + falling * (falling + 1)) / 2.0 + flat * limit
    )
