"""Deadlines, latency and deferred collection, on a manual clock."""

from __future__ import annotations

import gc
import sys

import numpy as np
import pytest

from skill_runtime.realtime.clock import ManualClock, MonotonicClock
from skill_runtime.realtime.pacing import Pacer
from skill_runtime.realtime.scheduling import DeferredGc


def test_deadlines_are_absolute_so_execution_times_do_not_add_up() -> None:
    clock = ManualClock(100.0)
    pacer = Pacer(0.005, clock)
    pacer.start()
    started: list[float] = []
    for _ in range(200):
        assert pacer.wait() == pytest.approx(0.0, abs=1e-9)
        started.append(clock.now())
        clock.time_s += 0.003
    assert np.allclose(started, 100.0 + 0.005 * np.arange(1, 201))
    assert pacer.overruns == 0


def test_a_late_tick_does_not_delay_the_next_one() -> None:
    clock = ManualClock()
    pacer = Pacer(0.01, clock)
    pacer.start()
    pacer.wait()
    clock.time_s = 0.023
    assert pacer.wait() == pytest.approx(0.003)
    pacer.wait()
    assert clock.now() == pytest.approx(0.03)
    assert pacer.overruns == 0


def test_overruns_are_counted_and_skipped() -> None:
    clock = ManualClock()
    pacer = Pacer(0.01, clock)
    pacer.start()
    pacer.wait()
    clock.time_s = 0.057  # the tick due at 0.02 starts now
    assert pacer.wait() == pytest.approx(0.037)
    assert pacer.overruns == 3
    pacer.wait()
    assert clock.now() == pytest.approx(0.06)
    assert pacer.overruns == 3


def test_busy_waiting_ends_at_the_deadline() -> None:
    clock = MonotonicClock()
    pacer = Pacer(0.002, clock, spin_s=0.001)
    pacer.start()
    deadline = pacer.deadline
    latency_s = pacer.wait()
    assert latency_s >= 0
    assert clock.now() >= deadline


def test_the_monotonic_clock_sleeps_and_accepts_a_past_time() -> None:
    clock = MonotonicClock()
    start = clock.now()
    clock.sleep_until(start + 0.01)
    assert clock.now() >= start + 0.01
    clock.sleep_until(start)


def test_the_collector_is_switched_off_and_on_again() -> None:
    interval = sys.getswitchinterval()
    with DeferredGc(interval_s=1.0) as collector:
        assert not gc.isenabled()
        assert sys.getswitchinterval() < interval
        ring: list[object] = []
        ring.append(ring)
        del ring
        before = sum(stats["collected"] for stats in gc.get_stats())
        collector.collect_in_slack(now=100.0, slack_s=0.0)
        assert sum(stats["collected"] for stats in gc.get_stats()) == before
        collector.collect_in_slack(now=100.0, slack_s=10.0)
        assert sum(stats["collected"] for stats in gc.get_stats()) > before
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert sys.getswitchinterval() == interval
