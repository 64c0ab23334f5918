"""The results of skill-doctor as text and as JSON."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from skill_runtime.doctor.advice import Advice
from skill_runtime.doctor.loop_latency import LoopMeasurement
from skill_runtime.doctor.machine import Machine, ResourceLimits
from skill_runtime.doctor.verdict import Verdict
from skill_runtime.realtime.cpus import format_cpus
from skill_runtime.realtime.latency import Percentiles, compute_percentiles
from skill_runtime.realtime.scheduling import Grant

WIDTH = 96
"""Line width in characters; commands may be longer."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """All results."""

    seconds: float
    """Duration of one measurement [s]."""
    machine: Machine
    grants: Sequence[Grant]
    empty_loops: Sequence[LoopMeasurement]
    served_loops: Sequence[LoopMeasurement]
    costs: Mapping[str, Percentiles | str]
    """Time of each part of serving, or the reason why it was not measured."""
    verdicts: Sequence[Verdict]
    advice: Sequence[Advice]


def as_json(report: Report) -> dict[str, object]:
    """Returns the report as a JSON object."""
    return {
        "command": shlex.join(["skill-doctor", *sys.argv[1:]]),
        "seconds": report.seconds,
        "machine": asdict(report.machine),
        "grants": [grant._asdict() for grant in report.grants],
        "empty_loops": [_loop_as_json(loop) for loop in report.empty_loops],
        "served_loops": [
            {
                **_loop_as_json(loop),
                "execution_time": asdict(compute_percentiles(loop.execution_time_s)),
            }
            for loop in report.served_loops
        ],
        "costs": {
            name: cost if isinstance(cost, str) else asdict(cost)
            for name, cost in report.costs.items()
        },
        "verdicts": [
            {
                "name": verdict.requirement.name,
                "holds": verdict.holds,
                "flags": verdict.best.strategy.flags,
                "missed_share": verdict.best.missed.share,
                "missed_in_a_row": verdict.best.missed.in_a_row,
                "budget_s": verdict.requirement.budget_s,
                "reason": verdict.reason,
            }
            for verdict in report.verdicts
        ],
        "advice": [asdict(advice) for advice in report.advice],
    }


def _loop_as_json(loop: LoopMeasurement) -> dict[str, object]:
    return {
        "rate_hz": loop.rate_hz,
        **asdict(loop.strategy),
        "wakeup_latency": asdict(compute_percentiles(loop.wakeup_latency_s)),
        "later_than_period": loop.later_than_period,
    }


def as_text(report: Report) -> str:
    """Returns the report for a terminal."""
    return "\n".join(
        [
            "machine",
            *_machine(report.machine, report.grants),
            "",
            "wake-up latency of an empty loop [us]",
            *_loops(report.empty_loops),
            "",
            "cost of serving [us]",
            *_costs(report.costs),
            "",
            f"verdict, from {report.seconds:g} s of each; --seconds 60 also shows rarer delays",
            *_verdicts(report.verdicts),
            "",
            *_advice(report.advice),
        ]
    )


def _machine(machine: Machine, grants: Sequence[Grant]) -> Iterator[str]:
    rt = "PREEMPT_RT" if machine.preempt_rt else "not PREEMPT_RT"
    free = f"{format_cpus(machine.isolated)} isolated" if machine.isolated else "none isolated"
    load = "" if machine.load is None else f", load {machine.load:g}"
    hypervisor = machine.hypervisor
    kind = f"virtual machine ({hypervisor})" if hypervisor else "no hypervisor detected"
    rows = {
        "kernel": f"{machine.kernel or sys.platform}, {rt}",
        "processors": f"{len(machine.processors)}, {free}{load}",
        "frequency governor": ", ".join(machine.frequency_governors) or "no frequency scaling",
        "hardware": f"{kind}{', in a container' if machine.container else ''}",
        "clock": machine.clock_source or "unknown",
        "limits": limits_text(machine.limits),
        **{grant.request: grant.detail for grant in grants},
    }
    for name, value in rows.items():
        yield from _wrapped(f"  {name:<22}{value}", 24)


def limits_text(limits: ResourceLimits) -> str:
    """Returns the limits that ``ulimit -r`` and ``ulimit -l`` print."""
    rtprio = "unlimited" if limits.rtprio is None else str(limits.rtprio)
    memlock = limits.memlock_bytes
    locked = "unlimited" if memlock is None else f"{memlock / 2**20:.3g} MiB"
    return f"rtprio {rtprio}, memlock {locked}"


def _loops(loops: Sequence[LoopMeasurement]) -> Iterator[str]:
    heads = ("p50", "p99", "p99.9", "max")
    yield f"  {'rate':<9}{'waiting':<32}" + "".join(f"{head:>9}" for head in heads) + "  > period"
    for loop in loops:
        latency = compute_percentiles(loop.wakeup_latency_s)
        yield (
            f"  {f'{loop.rate_hz:g} Hz':<9}{loop.strategy.name:<32}{_row(latency)}"
            f"{100 * loop.later_than_period:>8.2f} %"
        )


def _costs(costs: Mapping[str, Percentiles | str]) -> Iterator[str]:
    yield f"  {'':<41}" + "".join(f"{head:>9}" for head in ("p50", "p99", "p99.9", "max"))
    for name, cost in costs.items():
        yield f"  {name:<41}{f'  {cost}' if isinstance(cost, str) else _row(cost)}"


def _row(times: Percentiles) -> str:
    values = (times.p50_us, times.p99_us, times.p999_us, times.max_us)
    return "".join(f"{'-' if value is None else f'{value:.0f}':>9}" for value in values)


def _verdicts(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for verdict in verdicts:
        yield f"  {verdict.requirement.name}: {verdict.text}"
        yield from _wrapped(f"    {verdict.reason}", 4)


def _advice(advice: Sequence[Advice]) -> Iterator[str]:
    if not advice:
        yield "no changes recommended"
        return
    yield "recommended changes, most useful first"
    for number, item in enumerate(advice, 1):
        yield from _wrapped(f"  {number}. {item.change}", 5)
        for line in item.lines:
            yield f"       {line}"


def _wrapped(line: str, indent: int) -> list[str]:
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
