"""Counts of late ticks and memory growth, against hand-computed values and with a real server."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from benchmarks.serving.bare_loop import measure_bare_loop, summarize
from benchmarks.serving.endurance.counts import (
    Sample,
    Ticks,
    each_minute,
    late_after_us,
    memory,
    memory_results,
    ratio,
)
from benchmarks.serving.endurance.meter import Meter
from benchmarks.serving.failures.client_process import CLOCK
from benchmarks.serving.failures.rig import Rig
from tests.support.served import until

from skill_proto.messages import Telemetry, Timing


def sampled(megabytes: dict[float, float]) -> list[Sample]:
    """Returns samples from memory of the controller [MB] by time of operation [s]."""
    return [
        Sample(
            served_s=at,
            controller_mb=mb,
            all_mb=2 * mb,
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
    samples = sampled({1: 90.0, 59: 100.0, 60.5: 101.0, 90: 103.5, 130: 102.0})
    found = memory(samples, "controller_mb")
    assert found is not None
    assert (found.settled_mb, found.max_mb, found.end_mb) == (101.0, 103.5, 102.0)
    assert found.growth_mb == 2.5
    assert memory(sampled({1: 90.0, 60: 100.0}), "controller_mb") is None


def test_memory_of_a_minute_is_the_value_at_its_end() -> None:
    samples = sampled({1: 90.0, 59: 100.0, 60.5: 101.0, 90: 103.5, 121: 102.0, 130: 104.0})
    assert each_minute(samples, "controller_mb") == [101.0, 102.0]


def test_the_memory_of_all_processes_is_a_result_of_its_own() -> None:
    result = memory_results(sampled({60.5: 101.0, 90: 103.5}))
    assert result["all_mb"] == {
        "each_minute": [202.0],
        "settled_mb": 202.0,
        "max_mb": 207.0,
        "end_mb": 207.0,
    }


def test_a_tick_is_late_after_half_a_period() -> None:
    assert late_after_us(1000.0) == 500.0
    assert late_after_us(200.0) == 2500.0
    assert late_after_us(400.0) == 2000.0  # the next bound of the histogram after 1250


def test_late_ticks_are_those_beyond_the_bound_of_the_histogram() -> None:
    timing = Timing(
        execution_time_p50_us=0.0,
        execution_time_p99_us=0.0,
        wakeup_latency_p50_us=0.0,
        wakeup_latency_p99_us=0.0,
        overruns=4,
        wakeup_latency_le_us=(200.0, 500.0, 1000.0),
        wakeup_latency_count=(70, 90, 95, 97),
    )
    state = Telemetry.model_construct(timing=timing)
    assert Ticks.of(state, 1000.0) == Ticks(begun=97, late=7, overruns=4)


def test_a_bare_loop_is_counted_like_a_server() -> None:
    latencies_s = np.array([1e-4] * 98 + [6e-4, 2.5e-3] + [2e-4] * 99 + [4e-4])
    found = summarize(latencies_s, overruns=2, rate_hz=100.0)
    assert found.counts == Ticks(begun=200, late=0, overruns=2)  # late is 5 ms at 100 Hz
    assert found.wakeup_p50_us == pytest.approx(150.0)  # of 100 and 200
    assert found.wakeup_p99_us == pytest.approx(400.0)  # of 600 and 200
    assert summarize(latencies_s, overruns=2, rate_hz=1000.0).counts.late == 2


def test_a_bare_loop_runs_in_a_process_of_its_own() -> None:
    found = measure_bare_loop(0.5, 200.0)
    assert 0 < found.counts.begun + found.counts.overruns <= 110
    assert found.wakeup_p50_us > 0.0


def test_the_meter_reads_telemetry_and_the_memory_of_each_process(policy_file: Path) -> None:
    with Rig(policy_file, keep=50) as rig:
        meter = Meter(rig, 200.0)
        before = meter.ticks
        sample = meter.watch()
        ticks = meter.ticks.since(before)
        assert set(rig.find_processes()) == {"supervisor", "controller", "gateway", "stop listener"}
        assert sample.controller_mb > 10.0
        assert sample.all_mb > sample.controller_mb + 10.0
        assert sample.execution_time_p50_us > 0.0
        assert ticks.begun + ticks.overruns > 100  # of 200, also on a busy machine
        assert len(rig.recording.states) == 50


def test_a_suspended_server_continues_without_a_restart_or_a_stop(policy_file: Path) -> None:
    with Rig(policy_file) as rig:
        processes = {role: process.pid for role, process in rig.find_processes().items()}
        rig.suspend_server()
        server = rig.find_processes().values()
        until(lambda: all(process.status() == psutil.STATUS_STOPPED for process in server))
        suspended = CLOCK.now()
        time.sleep(1.0)  # far longer than any heartbeat
        resumed = rig.resume_server()
        state = rig.recording.wait_for(lambda state: True, resumed + 0.5)
        assert rig.recording.between(suspended, resumed) == []
        assert state.mode == "hold"
        assert {role: process.pid for role, process in rig.find_processes().items()} == processes


def test_the_end_of_the_rig_is_the_end_of_all_processes(policy_file: Path) -> None:
    with Rig(policy_file) as rig:
        processes = list(rig.find_processes().values())
        rig.suspend_server()
    assert len(processes) == 4
    assert not any(process.is_running() for process in processes)
