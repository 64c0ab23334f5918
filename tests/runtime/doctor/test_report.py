"""Reports of given results: the text fits a terminal, and JSON is complete."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from skill_runtime.doctor.advice import Advice, Findings, advise
from skill_runtime.doctor.loop_latency import LoopMeasurement, wait_strategies
from skill_runtime.doctor.machine import Machine, ResourceLimits
from skill_runtime.doctor.report import Report, as_json, as_text, limits_text
from skill_runtime.doctor.verdict import FRANKA, SERVO, judge
from skill_runtime.realtime.latency import compute_percentiles
from skill_runtime.realtime.scheduling import LOCKED_MEMORY, SCHEDULING, Grant

REFUSAL = (
    "refused (Operation not permitted); grant it with 'rtprio 80' in some file or CAP_SYS_NICE"
)


def report(machine: Machine, latency_s: float, advice: list[Advice] | None = None) -> Report:
    """A report on loops whose ticks all have the given latency."""
    loops = [
        LoopMeasurement(
            rate_hz=rate,
            strategy=strategy,
            wakeup_latency_s=np.full(2000, latency_s),
            execution_time_s=np.zeros(2000),
        )
        for rate in (200.0, 1000.0)
        for strategy in wait_strategies(1000.0, fifo=True)
    ]
    grants = [Grant(SCHEDULING, False, REFUSAL), Grant(LOCKED_MEMORY, False, REFUSAL)]
    verdicts = [judge(SERVO, loops), judge(FRANKA, loops)]
    findings = Findings(
        machine=machine,
        grants=grants,
        verdicts=verdicts,
        tick_s=0.004,
        cpu=None,
        user="someone-with-a-name",
        is_root=False,
    )
    return Report(
        seconds=5.0,
        machine=machine,
        grants=grants,
        empty_loops=loops,
        served_loops=loops[:4],
        costs={
            "an inference of the policy": compute_percentiles(np.full(5, 99.0)),
            "a whole tick at 200 Hz": "not measured: no policy file; --model FILE",
        },
        verdicts=verdicts,
        advice=advise(findings) if advice is None else advice,
    )


def test_the_worst_machine_fits_100_columns(make_machine: Callable[..., Machine]) -> None:
    machine = make_machine(
        kernel="6.8.0-1012-a-kernel-with-a-long-name-generic",
        preempt_rt=False,
        announces_rt=False,
        processors=tuple(range(128)),
        frequency_governors=("conservative", "ondemand", "powersave", "schedutil"),
        hypervisor="a vendor with a long name",
        container=True,
        clock_source="hpet",
        load=120.5,
        limits=ResourceLimits(rtprio=0, memlock_bytes=2**23),
    )
    printed = as_text(report(machine, 0.2))
    assert max(map(len, printed.splitlines())) <= 100
    assert "does not hold" in printed
    assert "  1. A tick takes 4 of 5 ms" in printed
    assert "rtprio 0, memlock 8 MiB" in printed
    assert "not measured: no policy file" in printed


def test_a_good_machine_needs_no_change(make_machine: Callable[..., Machine]) -> None:
    printed = as_text(report(make_machine(), 0.0, []))
    assert printed.count(": holds\n") == 2
    assert printed.endswith("no changes recommended")


def test_json_contains_every_result(make_machine: Callable[..., Machine]) -> None:
    made = report(make_machine(), 0.2)
    written = json.loads(json.dumps(as_json(made), allow_nan=False))
    assert written["machine"]["frequency_governors"] == ["performance"]
    assert [loop["rate_hz"] for loop in written["empty_loops"]] == [200.0] * 4 + [1000.0] * 4
    assert written["empty_loops"][0]["wakeup_latency"]["p99_us"] == 200000.0
    assert written["empty_loops"][0]["later_than_period"] == 1.0
    assert written["served_loops"][3]["execution_time"]["max_us"] == 0.0
    assert [verdict["holds"] for verdict in written["verdicts"]] == [False, False]
    assert written["grants"][0]["granted"] is False
    assert len(written["advice"]) == len(made.advice)


def test_limits_are_written_as_in_a_shell() -> None:
    assert limits_text(ResourceLimits(rtprio=None, memlock_bytes=None)) == (
        "rtprio unlimited, memlock unlimited"
    )
