"""Spread: the percentiles that say how steadily something takes its time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ENOUGH = 1000
"""Samples of which one in a thousand is one at all."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Of a number of samples, in microseconds."""

    count: int
    p50_us: float
    p99_us: float
    p999_us: float | None
    """None of fewer than :data:`ENOUGH` samples."""
    max_us: float


def spread(times_s: NDArray[np.float64]) -> Spread:
    """Percentiles of at least one time [s]; each is one of the samples, none is between two."""
    ordered = np.sort(times_s) * 1e6

    def at(share: float) -> float:
        return round(float(ordered[max(math.ceil(share * len(ordered)), 1) - 1]), 1)

    return Spread(
        count=len(ordered),
        p50_us=at(0.5),
        p99_us=at(0.99),
        p999_us=at(0.999) if len(ordered) >= ENOUGH else None,
        max_us=at(1.0),
    )
