"""Percentiles against values computed by hand."""

from __future__ import annotations

import numpy as np

from skill_runtime.realtime.latency import compute_percentiles


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
