"""Percentiles, by hand."""

from __future__ import annotations

import numpy as np

from skill_runtime.realtime.latency import spread


def test_percentiles_are_samples() -> None:
    times = np.random.default_rng(0).permutation(np.arange(1, 1001)) * 1e-6
    found = spread(times)
    assert (found.count, found.p50_us, found.p99_us) == (1000, 500.0, 990.0)
    assert (found.p999_us, found.max_us) == (999.0, 1000.0)


def test_of_few_samples_there_is_no_worst_in_a_thousand() -> None:
    assert spread(np.full(999, 1e-6)).p999_us is None


def test_one_sample_is_every_percentile() -> None:
    found = spread(np.array([2e-6]))
    assert (found.p50_us, found.p99_us, found.max_us) == (2.0, 2.0, 2.0)
