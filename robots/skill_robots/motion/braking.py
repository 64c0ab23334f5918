"""The shortest stop that keeps acceleration and jerk within their limits, in discrete time.

Per joint, with ``w = v / dt`` and ``D = j_max dt``, a stop of ``n`` servo periods is a sequence of
accelerations ``a_1 .. a_n`` with::

    |a_i| <= a_max,   |a_i - a_(i-1)| <= D,   |a_n| <= D,   a_1 + ... + a_n = -w

from the present acceleration ``a_0``; then the joint rests without acceleration. Every constraint
is convex. The sums that ``n`` periods can reach are therefore all those between that of the lowest
profile, ``max(-a_max, a_0 - i D, -(n + 1 - i) D)``, and that of the highest, its mirror image, and
a blend of the two reaches any sum between theirs. ``n`` is the smallest number whose range holds
``-w`` for every joint: all joints come to rest together, so that the hand keeps to its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from skill_proto.arrays import Array

USUAL_S = 0.6
"""Longer stops than any arm of ours needs [s]; room for them is made once."""

_ROUNDING = 1e-9
"""Share of a limit by which a joint may miss it for lack of digits."""


@dataclass(frozen=True)
class BrakingTrajectory:
    """A way to rest: set-points from now on, one per servo period, ``(n + 1, dof)`` each."""

    position: Array
    """[rad]; the first row is where the way begins."""
    velocity: Array
    """[rad/s]."""
    acceleration: Array
    """[rad/s^2]."""

    def __len__(self) -> int:
        """Servo periods to rest, n; may be 0."""
        return len(self.position) - 1

    def after(self, periods: int) -> tuple[Array, Array, Array]:
        """Position, velocity and acceleration so many servo periods from now."""
        return self.position[periods], self.velocity[periods], self.acceleration[periods]


class BrakingPlanner:
    """Plans stops of one arm.

    Args:
        acceleration_limit: ``(dof,)`` [rad/s^2].
        jerk_limit: ``(dof,)`` [rad/s^3].
        period_s: servo period [s].
    """

    def __init__(self, acceleration_limit: Array, jerk_limit: Array, period_s: float) -> None:
        self.period_s = period_s
        self._most = acceleration_limit
        self._step = jerk_limit * period_s
        self._limits: list[tuple[float, float]] = list(
            zip(acceleration_limit.tolist(), self._step.tolist(), strict=True)
        )
        self._make_ramp(round(USUAL_S / period_s))
        self._slack = _ROUNDING * acceleration_limit
        self._slowest = 0

    def _make_ramp(self, periods: int) -> None:
        """``k D`` for every k up to ``periods``, and the same cut at the limit."""
        self._ramp = np.arange(0.0, periods + 1.0)[:, None] * self._step
        self._cut = np.minimum(self._ramp, self._most)

    def plan(self, position: Array, velocity: Array, acceleration: Array) -> BrakingTrajectory:
        """The shortest common stop from a state whose acceleration is within its limit."""
        needed = -velocity / self.period_s
        wanted, now = needed.tolist(), acceleration.tolist()
        # The joint that took longest last time mostly does so again.
        n = self._periods_of(self._slowest, 0, wanted, now)
        low, span, sum_low, reach = self._profiles(n, acceleration)
        over, slack = needed + sum_low, self._slack
        if (
            (over < -slack) | (over > reach + slack) | (np.abs(acceleration) > (n + 1) * self._step)
        ).any():
            for joint in range(len(wanted)):
                longer = self._periods_of(joint, n, wanted, now)
                if longer > n:
                    n, self._slowest = longer, joint
            low, span, sum_low, reach = self._profiles(n, acceleration)
        share = (needed + sum_low) / np.where(reach > 0.0, reach, 1.0)
        pushes = np.empty((n + 1, len(position)))
        pushes[0] = acceleration
        pushes[1:] = np.minimum(np.maximum(share, 0.0), 1.0) * span - low
        speeds = np.empty_like(pushes)
        speeds[0] = velocity
        speeds[1:] = np.cumsum(pushes[1:], axis=0) * self.period_s + velocity
        if n > 0:
            speeds[-1] = 0.0  # to the last digit
        path = np.empty_like(pushes)
        path[0] = position
        path[1:] = np.cumsum(speeds[1:], axis=0) * self.period_s + position
        return BrakingTrajectory(path, speeds, pushes)

    def _profiles(self, n: int, acceleration: Array) -> tuple[Array, Array, Array, Array]:
        """The lowest profile's negative, what the highest has on top of it, the sums of both."""
        if n >= len(self._ramp):
            self._make_ramp(2 * n)
        ends, gone = self._cut[n:0:-1], self._ramp[1 : n + 1]
        low = np.minimum(ends, gone - acceleration)
        span = np.minimum(ends, gone + acceleration) + low
        return low, span, low.sum(axis=0), span.sum(axis=0)

    def _periods_of(
        self, joint: int, least: int, needed: Sequence[float], now: Sequence[float]
    ) -> int:
        """The smallest number, from ``least`` on, that is enough for one joint."""
        want, a, (most, step) = needed[joint], now[joint], self._limits[joint]
        tolerance = _ROUNDING * most
        n = max(
            least,
            ceil((abs(want) - tolerance) / most),
            ceil((abs(a) - tolerance) / step) - 1,
        )
        while not (
            -_highest_sum(n, -a, most, step) - tolerance
            <= want
            <= _highest_sum(n, a, most, step) + tolerance
        ):
            n += 1
        return n


def _highest_sum(n: int, a: float, most: float, step: float) -> float:
    """Of ``min(most, a + i step, (n + 1 - i) step)`` over ``i`` from 1 to ``n``."""
    meet = ((n + 1) * step - a) / (2.0 * step)
    rising = min(max(floor(min(meet, (most - a) / step)), 0), n)
    falling = min(n - rising, floor(most / step))
    flat = n - rising - falling
    return rising * a + step * (rising * (rising + 1) + falling * (falling + 1)) / 2.0 + flat * most
