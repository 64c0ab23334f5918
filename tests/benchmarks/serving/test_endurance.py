"""Counts of late ticks and memory growth, against hand-computed values and with a real server."""

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
    """Returns samples from memory [MB] by time of operation [s]."""
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


def test_ticks_of_a_block_are_a_difference_and_overruns_count_as_late() -> None:
    before = Ticks(begun=1000, late=7, overruns=500)
    block = Ticks(begun=1900, late=17, overruns=600).since(before)
    assert block == Ticks(begun=900, late=10, overruns=100)
    assert block.late_share == 0.11
    assert Ticks(begun=0, late=0, overruns=0).late_share == 0.0


def test_the_ratio_compares_shares_and_never_divides_by_zero() -> None:
    never, some = Ticks(begun=100, late=0, overruns=0), Ticks(begun=100, late=2, overruns=0)
    assert ratio(Ticks(begun=200, late=6, overruns=0), some) == pytest.approx(1.5)
    assert ratio(never, some) == 0.0
    assert math.isinf(ratio(some, never))
    assert ratio(never, never) == 1.0


def test_memory_is_evaluated_after_the_first_minute() -> None:
    found = memory(sampled({1: 90.0, 59: 100.0, 60.5: 101.0, 90: 103.5, 130: 102.0}))
    assert found is not None
    assert (found.settled_mb, found.max_mb, found.end_mb) == (101.0, 103.5, 102.0)
    assert found.growth_mb == 2.5
    assert memory(sampled({1: 90.0, 60: 100.0})) is None


def test_memory_of_a_minute_is_the_value_at_its_end() -> None:
    samples = sampled({1: 90.0, 59: 100.0, 60.5: 101.0, 90: 103.5, 121: 102.0, 130: 104.0})
    assert each_minute(samples) == [101.0, 102.0]


def test_a_tick_is_late_after_half_a_period() -> None:
    counters: Counter[str] = Counter()
    times = CountedTimes(1000.0, counters)
    for late_s in (0.0, 0.0004, 0.0006, 0.0031):
        times.add(1e-4, late_s)
    assert counters[LATE] == 2
    assert times.timing(0).wakeup_latency_p99_us == pytest.approx(3100.0)


def test_the_meter_reads_the_counts_from_telemetry(policy_file: Path) -> None:
    with Rig(policy_file, program=SERVER, keep=50) as rig:
        meter = Meter(rig)
        before = meter.ticks
        sample = meter.watch()
        ticks = meter.ticks.since(before)
        assert sample.memory_mb > 10.0
        assert sample.execution_time_p50_us > 0.0
        assert ticks.begun + ticks.overruns > 100  # of 200, also on a busy machine
        assert len(rig.recording.states) == 50
