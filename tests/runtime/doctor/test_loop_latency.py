"""Missed deadlines of given times, and a short measurement of a real loop."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skill_runtime.doctor.loop_latency import (
    LoopMeasurement,
    MissedDeadlines,
    WaitStrategy,
    count_missed_deadlines,
    measure_loop,
    wait_strategies,
)


def loop(
    latency_ms: list[float], execution_ms: list[float] | None = None, rate_hz: float = 1000.0
) -> LoopMeasurement:
    latency_s = np.array(latency_ms) * 1e-3
    execution_s = (
        np.zeros(len(latency_s)) if execution_ms is None else np.array(execution_ms) * 1e-3
    )
    return LoopMeasurement(
        rate_hz=rate_hz,
        strategy=WaitStrategy(),
        wakeup_latency_s=latency_s,
        execution_time_s=execution_s,
    )


def test_ticks_in_time_miss_no_deadline() -> None:
    assert count_missed_deadlines(loop([0.0, 0.4, 0.1, 0.49]), 0.5e-3) == MissedDeadlines(0.0, 0)


def test_a_slightly_late_tick_misses_one() -> None:
    assert count_missed_deadlines(loop([0.0, 0.6, 0.0, 0.0]), 0.5e-3) == MissedDeadlines(0.25, 1)


def test_late_ticks_in_a_row_add_up() -> None:
    assert count_missed_deadlines(loop([0.6, 0.6, 0.6, 0.1, 0.6]), 0.5e-3) == MissedDeadlines(
        0.8, 3
    )


def test_skipped_deadlines_count() -> None:
    # The loop wakes 3.2 ms late: the deadlines at 0, 1 and 2 ms are missed, that at 3 ms is not.
    missed = count_missed_deadlines(loop([3.2, 0.0]), 0.5e-3)
    assert missed.share == pytest.approx(3 / 5)
    assert missed.in_a_row == 3


def test_a_run_continues_through_ticks_that_meet_no_deadline() -> None:
    # The loop wakes 3.7 ms late: all four deadlines are missed, and the next tick's too.
    missed = count_missed_deadlines(loop([3.7, 0.6, 0.0]), 0.5e-3)
    assert missed.share == pytest.approx(5 / 6)
    assert missed.in_a_row == 5


def test_execution_time_counts_and_no_deadline_counts_twice() -> None:
    # At 200 Hz: the first tick takes 12 ms; the second starts 7 ms late and serves two deadlines.
    missed = count_missed_deadlines(loop([0.0, 7.0, 0.0], [12.0, 1.0, 1.0], rate_hz=200.0), 5e-3)
    assert missed.share == pytest.approx(2 / 4)
    assert missed.in_a_row == 2


def test_the_share_later_than_a_period() -> None:
    assert loop([0.0, 0.9, 1.1, 5.0]).later_than_period == 0.5


def test_wait_strategies_are_ordered_by_cost_and_name_the_flags_of_skill_serve() -> None:
    assert [strategy.flags for strategy in wait_strategies(200.0, fifo=True)] == [
        "",
        "--realtime",
        "--spin-us 200",
        "--realtime --spin-us 200",
    ]
    assert [strategy.flags for strategy in wait_strategies(80.0, fifo=False)] == [
        "",
        "--spin-us 80",
    ]
    assert wait_strategies(80.0, fifo=True)[3].name == "sleep, spin 80 us, SCHED_FIFO"


@pytest.mark.parametrize("strategy", [WaitStrategy(), WaitStrategy(spin_us=100.0)])
def test_a_loop_is_measured(strategy: WaitStrategy) -> None:
    # The loop changes the scheduling of its thread.
    with ThreadPoolExecutor(1) as pool:
        measured = pool.submit(measure_loop, 200.0, strategy, 0.1).result()
    assert 1 <= len(measured.wakeup_latency_s) <= 20
    assert (measured.wakeup_latency_s >= 0).all()
    assert not measured.execution_time_s.any()
    if hasattr(os, "sched_getscheduler"):
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
