"""Late ticks and growing memory, counted by hand; and a server that counts its own."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.serving.endurance.counts import LATE, Sample, Ticks, each_minute, memory, ratio
from benchmarks.serving.endurance.meter import SERVER, Meter
from benchmarks.serving.endurance.server import CountedTimes
from benchmarks.serving.failures.rig import Rig


def sampled(megabytes: dict[float, float]) -> list[Sample]:
    """Memory [MB] by seconds served."""
    return [
        Sample(
            served_s=at,
            memory_mb=mb,
            execution_time_p50_us=0.0,
            execution_time_p99_us=0.0,
            wakeup_latency_p99_us=0.0,
        )
        for at, mb in megabytes.items()
    ]


def test_ticks_are_counted_within_a_block_and_the_missed_ones_are_late_too() -> None:
    before = Ticks(begun=1000, late=7, missed=500)
    block = Ticks(begun=1900, late=17, missed=600).since(before)
    assert block == Ticks(begun=900, late=10, missed=100)
    assert block.late_share == 0.11
    assert Ticks(begun=0, late=0, missed=0).late_share == 0.0


def test_the_ratio_is_that_of_shares_and_a_bare_loop_that_is_never_late_is_no_division() -> None:
    never, some = Ticks(begun=100, late=0, missed=0), Ticks(begun=100, late=2, missed=0)
    assert ratio(Ticks(begun=200, late=6, missed=0), some) == pytest.approx(1.5)
    assert ratio(never, some) == 0.0
    assert math.isinf(ratio(some, never))
    assert ratio(never, never) == 1.0


def test_memory_is_judged_from_the_first_minute_on() -> None:
    found = memory(sampled({1: 90.0, 59: 100.0, 60.5: 101.0, 90: 103.5, 130: 102.0}))
    assert found is not None
    assert (found.settled_mb, found.most_mb, found.end_mb) == (101.0, 103.5, 102.0)
    assert found.growth_mb == 2.5
    assert memory(sampled({1: 90.0, 60: 100.0})) is None


def test_memory_by_the_minute_is_that_at_its_end() -> None:
    samples = sampled({1: 90.0, 59: 100.0, 60.5: 101.0, 90: 103.5, 121: 102.0, 130: 104.0})
    assert each_minute(samples) == [101.0, 102.0]


def test_a_tick_is_late_from_half_a_period_on() -> None:
    counters: Counter[str] = Counter()
    times = CountedTimes(1000.0, counters)
    for late_s in (0.0, 0.0004, 0.0006, 0.0031):
        times.add(1e-4, late_s)
    assert counters[LATE] == 2
    assert times.timing(0).wakeup_latency_p99_us == pytest.approx(3100.0)


def test_what_the_server_counts_is_read_from_its_telemetry(policy_file: Path) -> None:
    with Rig(policy_file, program=SERVER, keep=50) as rig:
        meter = Meter(rig)
        before = meter.ticks
        sample = meter.watch()
        ticks = meter.ticks.since(before)
        assert sample.memory_mb > 10.0
        assert sample.execution_time_p50_us > 0.0
        assert ticks.begun + ticks.missed > 100  # of 200, whatever else the machine does
        assert len(rig.recording.states) == 50
