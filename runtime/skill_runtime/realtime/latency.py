"""Percentiles of times, and the tick times of the last second."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Array
from skill_proto.messages import Timing

MIN_SAMPLES = 1000
"""Fewer samples than this have no 99.9th percentile."""


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
    """Execution times and wake-up latencies of the last ticks, in preallocated ring buffers."""

    def __init__(self, ticks: int) -> None:
        """Allocates buffers for ``ticks`` ticks, at least one."""
        self._execution_times_s = np.zeros(max(ticks, 1))
        self._wakeup_latencies_s = np.zeros(max(ticks, 1))
        self._count = 0

    def add(self, execution_time_s: float, wakeup_latency_s: float) -> None:
        """Records one tick."""
        index = self._count % len(self._execution_times_s)
        self._execution_times_s[index] = execution_time_s
        self._wakeup_latencies_s[index] = wakeup_latency_s
        self._count += 1

    def timing(self, overruns: int) -> Timing:
        """Returns the percentiles over the buffers, as telemetry carries them; 0 without ticks."""
        n = min(self._count, len(self._execution_times_s))
        if n == 0:
            return Timing(
                execution_time_p50_us=0,
                execution_time_p99_us=0,
                wakeup_latency_p50_us=0,
                wakeup_latency_p99_us=0,
                overruns=overruns,
            )
        execution = compute_percentiles(self._execution_times_s[:n])
        wakeup = compute_percentiles(self._wakeup_latencies_s[:n])
        return Timing(
            execution_time_p50_us=execution.p50_us,
            execution_time_p99_us=execution.p99_us,
            wakeup_latency_p50_us=wakeup.p50_us,
            wakeup_latency_p99_us=wakeup.p99_us,
            overruns=overruns,
        )
