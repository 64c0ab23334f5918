"""The histogram of wake-up latencies, against counts made by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skill_runtime.realtime.histogram import LATENCY_BOUNDS_US, LATENCY_BUCKETS, LatencyHistogram


def test_the_bounds_rise_and_one_bucket_has_none() -> None:
    assert all(low < high for low, high in pairwise(LATENCY_BOUNDS_US))
    assert LATENCY_BUCKETS == len(LATENCY_BOUNDS_US) + 1 == 13
    assert LatencyHistogram().cumulative() == [0] * 13


@pytest.mark.parametrize(
    ("latency_us", "bucket"),
    [
        *((-3.0, 0), (0.0, 0), (49.9, 0), (50.0, 0), (50.1, 1), (150.0, 2), (2200.0, 6)),
        *((2600.0, 7), (99_999.0, 11), (100_000.0, 11), (100_001.0, 12), (6e7, 12)),
    ],
)
def test_a_latency_counts_from_its_bound_on(latency_us: float, bucket: int) -> None:
    histogram = LatencyHistogram()
    histogram.add(1e-6 * latency_us)
    assert histogram.cumulative() == [0] * bucket + [1] * (13 - bucket)


def test_counts_add_up() -> None:
    histogram = LatencyHistogram()
    for latency_s in (10e-6, 10e-6, 80e-6, 3e-3, 1.0):
        histogram.add(latency_s)
    assert histogram.cumulative() == [2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 5]


@given(st.lists(st.floats(0, 1e3)))
def test_each_entry_is_the_number_of_ticks_up_to_its_bound(latencies_s: list[float]) -> None:
    histogram = LatencyHistogram()
    for latency_s in latencies_s:
        histogram.add(latency_s)
    counts = [sum(1e6 * value <= bound for value in latencies_s) for bound in LATENCY_BOUNDS_US]
    assert histogram.cumulative() == [*counts, len(latencies_s)]
