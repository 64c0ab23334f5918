"""A histogram of wake-up latency since the start, with buckets that monitoring can sum."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

LATENCY_BOUNDS_US = (
    *(50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 2500.0, 5000.0),
    *(10_000.0, 20_000.0, 50_000.0, 100_000.0),
)
"""Upper bounds of the buckets [us]; one more bucket has no bound."""

LATENCY_BUCKETS = len(LATENCY_BOUNDS_US) + 1


class LatencyHistogram:
    """Counts ticks by their wake-up latency."""

    def __init__(self) -> None:
        self._buckets = [0] * LATENCY_BUCKETS

    def add(self, latency_s: float) -> None:
        """Counts one tick."""
        self._buckets[bisect_left(LATENCY_BOUNDS_US, 1e6 * latency_s)] += 1

    def cumulative(self) -> list[int]:
        """Returns the number of ticks up to each bound, and of all ticks at the end."""
        return list(accumulate(self._buckets))
