"""Figures of the benchmark's client, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.arms.control_box.client import figures


def test_figures_of_a_simulator_in_real_time() -> None:
    times = np.arange(1001) * 1e-3
    result = figures(times + 5.0, times, np.ones(1001))
    assert result["wall_s"] == pytest.approx(1.0)
    assert result["realtime_factor"] == pytest.approx(1.0)
    assert result["gap_p99_ms"] == pytest.approx(1.0)
    assert result["seen_share"] == 1.0
    assert result["longest_skip"] == 0


def test_figures_of_a_slow_one_and_of_skipped_states() -> None:
    times = np.arange(101) * 1e-3
    times[51:] += 3e-3  # three states were not seen
    arrivals = np.arange(101) * 1.25e-3
    arrivals[51:] += 10e-3
    result = figures(arrivals, times, np.linspace(0.5, 1.0, 101))
    assert result["realtime_factor"] == pytest.approx(0.103 / 0.135)
    assert result["longest_skip"] == 3
    assert result["seen_share"] == pytest.approx(101 / 104)
    assert result["gap_p50_ms"] == pytest.approx(1.25)
    assert result["gap_max_ms"] == pytest.approx(11.25)
    assert result["success_rate_min"] == 0.5
    assert result["success_rate_mean"] == pytest.approx(0.75)
