"""Spread: the percentiles that say how steadily something takes its time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Array
from skill_proto.messages import Timing

MIN_SAMPLES = 1000
"""Samples of which one in a thousand is one at all."""


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Of a number of samples, in microseconds."""

    count: int
    p50_us: float
    p99_us: float
    p999_us: float | None
    """None of fewer than :data:`MIN_SAMPLES` samples."""
    max_us: float


def spread(times_s: Array) -> Percentiles:
    """Percentiles of at least one time [s]; each is one of the samples, none is between two."""
    ordered = np.sort(times_s) * 1e6

    def at(share: float) -> float:
        return round(float(ordered[max(math.ceil(share * len(ordered)), 1) - 1]), 1)

    return Percentiles(
        count=len(ordered),
        p50_us=at(0.5),
        p99_us=at(0.99),
        p999_us=at(0.999) if len(ordered) >= MIN_SAMPLES else None,
        max_us=at(1.0),
    )


class TickTimes:
    """Work and lateness of the ticks of the last second, in preallocated rings."""

    def __init__(self, ticks: int) -> None:
        """Makes room for ``ticks`` ticks, at least one."""
        self._work = np.zeros(max(ticks, 1))
        self._late = np.zeros(max(ticks, 1))
        self._count = 0

    def add(self, work_s: float, late_s: float) -> None:
        """Notes one tick."""
        slot = self._count % len(self._work)
        self._work[slot] = work_s
        self._late[slot] = late_s
        self._count += 1

    def timing(self, overruns: int) -> Timing:
        """Percentiles over the ring, as telemetry carries them."""
        n = min(self._count, len(self._work))
        if n == 0:
            return Timing(
                execution_time_p50_us=0,
                execution_time_p99_us=0,
                wakeup_latency_p50_us=0,
                wakeup_latency_p99_us=0,
                overruns=overruns,
            )
        work, late = np.sort(self._work[:n]) * 1e6, np.sort(self._late[:n]) * 1e6
        middle, high = n // 2, min(n - 1, math.ceil(0.99 * n) - 1)
        return Timing(
            execution_time_p50_us=round(float(work[middle]), 1),
            execution_time_p99_us=round(float(work[high]), 1),
            wakeup_latency_p50_us=round(float(late[middle]), 1),
            wakeup_latency_p99_us=round(float(late[high]), 1),
            overruns=overruns,
        )
