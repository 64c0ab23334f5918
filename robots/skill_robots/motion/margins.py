"""Spatial margins along a trajectory: to the table, to the workspace's walls, and between links.

Only samples of a trajectory are measured, to bound the time of a check. Between two samples
the margins are bounded: a point whose acceleration is at most ``B`` sags at most ``B T^2 / 8``
below the line between two instants ``T`` apart, and a distance between two links changes at most by
the path length of their points. Two links whose distances at two samples are ``d_1`` and ``d_2``
are between them nowhere nearer than ``(d_1 + d_2 - s) / 2``, with the path length ``s``. If such a
bound is too small, a further sample is measured in the middle, and the bounds of both halves count.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor, sqrt
from typing import Literal, NamedTuple

import numpy as np

from skill_proto.arrays import Array

SpatialLimit = Literal["workspace", "table", "self_collision"]

MAX_SAG_M = 0.001
"""The first samples are so close that no point sags farther than this between them [m]."""
MAX_DRIFT_M = 0.02
"""The first samples are so close that no point moves farther than this from the nearer one [m]."""
FINEST_M = 0.004
"""Samples whose points are nearer to each other than this are not divided again [m]. It bounds the
time of a check: a stop at 1 kHz has hundreds of set-points."""

_TINY = 1e-9
"""Prevents division by zero."""


class Margins(NamedTuple):
    """Distances of one configuration to its spatial limits [m]; negative beyond a limit."""

    workspace: float
    table: float
    self_collision: float

    def above(self, least: Margins) -> Margins:
        """Returns how much larger these margins are than ``least``."""
        return Margins(
            self.workspace - least.workspace,
            self.table - least.table,
            self.self_collision - least.self_collision,
        )

    def broken(self) -> SpatialLimit | None:
        """Returns the first limit whose margin is negative."""
        if self.workspace < 0.0:
            return "workspace"
        if self.table < 0.0:
            return "table"
        return "self_collision" if self.self_collision < 0.0 else None


WITHIN_LIMITS = Margins(0.0, 0.0, 0.0)
"""Minimum margins of an arm that is inside all limits."""


class SampledPath:
    """One trajectory, whose margins are measured where that is necessary.

    Args:
        measure: returns the margins at joint positions ``(dof,)`` [rad].
        positions: set-points, one a servo period, ``(n + 1, dof)`` [rad].
        speed: upper bound for all points of the arm in the period before each set-point
            ``(n + 1,)`` [m/s].
        acceleration: upper bound for all points of the arm [m/s^2].
        period_s: servo period [s].
    """

    def __init__(
        self,
        measure: Callable[[Array], Margins],
        positions: Array,
        speed: Array,
        acceleration: float,
        period_s: float,
    ) -> None:
        self._measure = measure
        self._positions = positions
        self._length: list[float] = (np.cumsum(speed) * period_s).tolist()
        self._sag = acceleration * period_s**2 / 8.0
        self._stride = _stride(float(speed.max()), acceleration, period_s, len(positions) - 1)

    def verify(self, least: Margins) -> SpatialLimit | tuple[Margins, float]:
        """Returns the first limit that is broken, or the margins at the start, and the slack.

        Every point of the arm may deviate from the trajectory by the slack [m].

        Args:
            least: margins to be kept. If one is negative, the arm is beyond a limit and may not
                move farther out; then every set-point is measured.
        """
        last = len(self._positions) - 1
        stride = self._stride if min(least) >= 0.0 else 1
        first = self._measure(self._positions[0])
        before = first.above(least)
        slack, broken = min(before), before.broken()
        if broken is not None:
            return broken
        for start in range(0, last, stride):
            end = min(start + stride, last)
            after = self._measure(self._positions[end]).above(least)
            found = self._verify_between(start, before, end, after, least)
            if isinstance(found, str):
                return found
            slack, before = min(slack, found), after
        return first, slack

    def _verify_between(
        self, start: int, before: Margins, end: int, after: Margins, least: Margins
    ) -> SpatialLimit | float:
        """Returns the limit that is broken after one sample and up to another, or the slack."""
        broken = after.broken()
        if broken is not None:
            return broken
        if end - start == 1:
            return min(after)
        length = self._length[end] - self._length[start]
        sag = self._sag * (end - start) ** 2
        bound = Margins(
            min(before.workspace, after.workspace) - sag,
            min(before.table, after.table) - sag,
            (before.self_collision + after.self_collision - length) / 2.0,
        )
        broken = bound.broken()
        if broken is None:
            return min(bound)
        if length <= FINEST_M:
            return broken
        middle = (start + end) // 2
        between = self._measure(self._positions[middle]).above(least)
        found = self._verify_between(start, before, middle, between, least)
        if isinstance(found, str):
            return found
        rest = self._verify_between(middle, between, end, after, least)
        return rest if isinstance(rest, str) else min(found, rest)


def _stride(speed: float, acceleration: float, period_s: float, periods: int) -> int:
    """Returns the servo periods between two of the first samples."""
    between_s = min(
        sqrt(8.0 * MAX_SAG_M / max(acceleration, _TINY)), 2.0 * MAX_DRIFT_M / max(speed, _TINY)
    )
    return min(max(1, floor(between_s / period_s)), max(1, periods))
