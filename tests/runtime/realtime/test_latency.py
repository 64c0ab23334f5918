"""Percentiles against values computed by hand."""

from __future__ import annotations

import numpy as np

from skill_runtime.realtime.latency import TickPercentiles, TickTimes, compute_percentiles


def test_percentiles_are_samples() -> None:
    times = np.random.default_rng(0).permutation(np.arange(1, 1001)) * 1e-6
    found = compute_percentiles(times)
    assert (found.count, found.p50_us, found.p99_us) == (1000, 501.0, 990.0)
    assert (found.p999_us, found.max_us) == (999.0, 1000.0)


def test_few_samples_have_no_99_9th_percentile() -> None:
    assert compute_percentiles(np.full(999, 1e-6)).p999_us is None


def test_one_sample_is_every_percentile() -> None:
    found = compute_percentiles(np.array([2e-6]))
    assert (found.p50_us, found.p99_us, found.max_us) == (2.0, 2.0, 2.0)


def test_the_times_of_the_last_ticks_are_kept() -> None:
    """Of 1, 2, ... 7 us with latencies ten times as long, a buffer of four keeps 4 to 7."""
    times = TickTimes(4)
    assert times.percentiles() == TickPercentiles(0.0, 0.0, 0.0, 0.0)
    times.add(1e-6, 10e-6)
    assert times.percentiles() == TickPercentiles(1.0, 1.0, 10.0, 10.0)
    for number in range(2, 8):
        times.add(number * 1e-6, number * 10e-6)
    assert times.percentiles() == TickPercentiles(6.0, 7.0, 60.0, 70.0)


def test_the_histogram_counts_every_tick_since_the_start() -> None:
    times = TickTimes(2)
    for _ in range(5):
        times.add(1e-6, 60e-6)
    assert times.histogram.cumulative() == [0] + [5] * 12


def test_a_buffer_has_room_for_one_tick_at_least() -> None:
    times = TickTimes(0)
    times.add(3e-6, 4e-6)
    assert times.percentiles() == TickPercentiles(3.0, 3.0, 4.0, 4.0)
