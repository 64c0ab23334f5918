"""Deadlines that were missed, from times made by hand; and that the loops run at all."""

from __future__ import annotations

import os

import numpy as np
import pytest

from skill_runtime.doctor.loop_latency import Misses, Timer, Way, measure_timer, misses, ways


def timer(
    late_ms: list[float], work_ms: list[float] | None = None, rate_hz: float = 1000.0
) -> Timer:
    late = np.array(late_ms) * 1e-3
    work = np.zeros(len(late)) if work_ms is None else np.array(work_ms) * 1e-3
    return Timer(rate_hz=rate_hz, way=Way(), late_s=late, work_s=work)


def test_in_time_is_in_time() -> None:
    assert misses(timer([0.0, 0.4, 0.1, 0.49]), 0.5e-3) == Misses(0.0, 0)


def test_a_little_late_is_one() -> None:
    assert misses(timer([0.0, 0.6, 0.0, 0.0]), 0.5e-3) == Misses(0.25, 1)


def test_late_ticks_in_a_row_add_up() -> None:
    assert misses(timer([0.6, 0.6, 0.6, 0.1, 0.6]), 0.5e-3) == Misses(0.8, 3)


def test_what_was_slept_through_counts() -> None:
    # Awake 3.2 ms after the first deadline: those at 0, 1 and 2 ms are lost, that at 3 ms is not.
    found = misses(timer([3.2, 0.0]), 0.5e-3)
    assert found.share == pytest.approx(3 / 5)
    assert found.in_a_row == 3


def test_a_run_goes_on_through_ticks_that_catch_nothing() -> None:
    # Awake 3.7 ms late: all four deadlines are lost, and the next tick's too.
    found = misses(timer([3.7, 0.6, 0.0]), 0.5e-3)
    assert found.share == pytest.approx(5 / 6)
    assert found.in_a_row == 5


def test_work_counts_and_no_deadline_counts_twice() -> None:
    # At 200 Hz: 12 ms of work in the first tick; the second begins 7 ms late and has two to serve.
    found = misses(timer([0.0, 7.0, 0.0], [12.0, 1.0, 1.0], rate_hz=200.0), 5e-3)
    assert found.share == pytest.approx(2 / 4)
    assert found.in_a_row == 2


def test_the_share_later_than_a_period() -> None:
    assert timer([0.0, 0.9, 1.1, 5.0]).later_than_period == 0.5


def test_ways_cost_more_and_more_and_are_the_flags_of_skill_serve() -> None:
    assert [way.flags for way in ways(200.0, fifo=True)] == [
        "",
        "--realtime",
        "--spin-us 200",
        "--realtime --spin-us 200",
    ]
    assert [way.flags for way in ways(80.0, fifo=False)] == ["", "--spin-us 80"]
    assert ways(80.0, fifo=True)[3].name == "sleep, spin 80 us, SCHED_FIFO"


@pytest.mark.parametrize("way", [Way(), Way(spin_us=100.0)])
def test_a_loop_is_measured(way: Way) -> None:
    found = measure_timer(200.0, way, 0.1)
    assert 1 <= len(found.late_s) <= 20
    assert (found.late_s >= 0).all()
    assert not found.work_s.any()
    if hasattr(os, "sched_getscheduler"):
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
