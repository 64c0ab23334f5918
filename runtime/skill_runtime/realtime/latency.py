"""Percentiles of times, and the tick times of the last second."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_runtime.realtime.histogram import LatencyHistogram

MIN_SAMPLES = 1000
"""Fewer samples than this have no 99.9th percentile."""


class TickPercentiles(NamedTuple):
    """Percentiles over the last second, as telemetry carries them [us]."""

    execution_p50_us: float = 0.0
    execution_p99_us: float = 0.0
    wakeup_p50_us: float = 0.0
    wakeup_p99_us: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Percentiles of a number of times, in microseconds."""

    count: int
    p50_us: float
    p99_us: float
    p999_us: float | None
    """None for fewer than :data:`MIN_SAMPLES` samples."""
    max_us: float


def compute_percentiles(times_s: Array) -> Percentiles:
    """Returns the percentiles of at least one time [s].

    Each percentile is one of the samples. The median of an even number of samples is the larger of
    the two in the middle; every other percentile has the nearest rank, ``ceil(share * count)``.
    """
    ordered = np.sort(times_s) * 1e6
    count = len(ordered)

    def at(rank: int) -> float:
        return round(float(ordered[rank - 1]), 1)

    return Percentiles(
        count=count,
        p50_us=at(count // 2 + 1),
        p99_us=at(math.ceil(0.99 * count)),
        p999_us=at(math.ceil(0.999 * count)) if count >= MIN_SAMPLES else None,
        max_us=at(count),
    )


class TickTimes:
    """Execution times and wake-up latencies of the last ticks, in preallocated ring buffers.

    Attributes:
        histogram: wake-up latencies since the start.
    """

    def __init__(self, ticks: int) -> None:
        """Allocates buffers for ``ticks`` ticks, at least one."""
        self._execution_times_s = np.zeros(max(ticks, 1))
        self._wakeup_latencies_s = np.zeros(max(ticks, 1))
        self._count = 0
        self.histogram = LatencyHistogram()

    def add(self, execution_time_s: float, wakeup_latency_s: float) -> None:
        """Records one tick."""
        index = self._count % len(self._execution_times_s)
        self._execution_times_s[index] = execution_time_s
        self._wakeup_latencies_s[index] = wakeup_latency_s
        self._count += 1
        self.histogram.add(wakeup_latency_s)

    def percentiles(self) -> TickPercentiles:
        """Returns the percentiles over the buffers; 0 without ticks."""
        n = min(self._count, len(self._execution_times_s))
        if n == 0:
            return TickPercentiles()
        execution = compute_percentiles(self._execution_times_s[:n])
        wakeup = compute_percentiles(self._wakeup_latencies_s[:n])
        return TickPercentiles(execution.p50_us, execution.p99_us, wakeup.p50_us, wakeup.p99_us)
