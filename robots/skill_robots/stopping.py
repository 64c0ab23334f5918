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
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_ROUNDING = 1e-9
"""Share of a limit by which a joint may miss it for lack of digits."""


@dataclass(frozen=True)
class Stop:
    """Set-points from the first period after now to rest, ``(n, dof)`` each; n may be 0."""

    position: Vector
    """[rad]."""
    velocity: Vector
    """[rad/s]."""
    acceleration: Vector
    """[rad/s^2]."""

    @property
    def parts(self) -> tuple[Vector, Vector, Vector]:
        """Position, velocity and acceleration."""
        return self.position, self.velocity, self.acceleration

    def __len__(self) -> int:
        """Servo periods to rest."""
        return len(self.position)


class StopPlanner:
    """Plans stops of one arm.

    Args:
        acceleration_limit: ``(dof,)`` [rad/s^2].
        jerk_limit: ``(dof,)`` [rad/s^3].
        period_s: servo period [s].
    """

    def __init__(self, acceleration_limit: Vector, jerk_limit: Vector, period_s: float) -> None:
        self.period_s = period_s
        self._most = acceleration_limit
        self._step = jerk_limit * period_s
        self._limits: list[tuple[float, float]] = list(
            zip(acceleration_limit.tolist(), self._step.tolist(), strict=True)
        )

    def plan(self, position: Vector, velocity: Vector, acceleration: Vector) -> Stop:
        """The shortest common stop from a state whose acceleration is within its limit."""
        needed = (-velocity / self.period_s).tolist()
        now: list[float] = acceleration.tolist()
        n = self._periods(needed, now)
        left = np.arange(n, 0.0, -1.0)[:, None] * self._step
        gone = np.arange(1.0, n + 1.0)[:, None] * self._step
        ends = np.minimum(left, self._most)
        high = np.minimum(ends, acceleration + gone)
        low = np.maximum(-ends, acceleration - gone)
        sum_low = low.sum(axis=0)
        spread = high.sum(axis=0) - sum_low
        share = (np.array(needed) - sum_low) / np.where(spread > 0.0, spread, 1.0)
        chosen = low + np.clip(share, 0.0, 1.0) * (high - low)
        speeds = velocity + np.cumsum(chosen, axis=0) * self.period_s
        if n > 0:
            speeds[-1] = 0.0  # to the last digit
        path = position + np.cumsum(speeds, axis=0) * self.period_s
        return Stop(path, speeds, chosen)

    def _periods(self, needed: Sequence[float], now: Sequence[float]) -> int:
        n = 0
        for want, a, (most, step) in zip(needed, now, self._limits, strict=True):
            tolerance = _ROUNDING * most
            n = max(n, ceil((abs(want) - tolerance) / most), ceil((abs(a) - tolerance) / step) - 1)
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
