"""What skill-doctor prints and writes, made from what it has found."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from skill_runtime.doctor.advice import Advice
from skill_runtime.doctor.loop_latency import Timer
from skill_runtime.doctor.machine import Limits, Machine
from skill_runtime.doctor.verdict import Verdict
from skill_runtime.realtime.cpus import listed
from skill_runtime.realtime.latency import Percentiles, spread
from skill_runtime.realtime.scheduling import Grant

WIDTH = 96
"""Of a line, in characters; commands may be longer."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that was found."""

    seconds: float
    """Length of one measurement [s]."""
    machine: Machine
    answers: Sequence[Grant]
    timers: Sequence[Timer]
    """Of bare loops."""
    ticks: Sequence[Timer]
    """Of the served loop."""
    costs: Mapping[str, Percentiles | str]
    """Of each part of serving; why not where it was not measured."""
    verdicts: Sequence[Verdict]
    advice: Sequence[Advice]


def content(report: Report) -> dict[str, object]:
    """All of it, for JSON."""
    return {
        "command": shlex.join(["skill-doctor", *sys.argv[1:]]),
        "seconds": report.seconds,
        "machine": asdict(report.machine),
        "answers": [answer._asdict() for answer in report.answers],
        "timers": [_timer(timer) for timer in report.timers],
        "ticks": [
            {**_timer(timer), "work": asdict(spread(timer.work_s))} for timer in report.ticks
        ],
        "costs": {
            name: cost if isinstance(cost, str) else asdict(cost)
            for name, cost in report.costs.items()
        },
        "verdicts": [
            {
                "name": verdict.demand.name,
                "holds": verdict.holds,
                "flags": verdict.best.way.flags,
                "missed_share": verdict.best.misses.share,
                "missed_in_a_row": verdict.best.misses.in_a_row,
                "budget_s": verdict.demand.budget_s,
                "reason": verdict.reason,
            }
            for verdict in report.verdicts
        ],
        "advice": [asdict(advice) for advice in report.advice],
    }


def _timer(timer: Timer) -> dict[str, object]:
    return {
        "rate_hz": timer.rate_hz,
        **asdict(timer.way),
        "late": asdict(spread(timer.late_s)),
        "later_than_period": timer.later_than_period,
    }


def text(report: Report) -> str:
    """All of it, for a terminal."""
    return "\n".join(
        [
            "machine",
            *_machine(report.machine, report.answers),
            "",
            "how late a loop that does nothing begins its ticks [us]",
            *_timers(report.timers),
            "",
            "what serving costs [us]",
            *_costs(report.costs),
            "",
            f"verdict, on {report.seconds:g} s of each; --seconds 60 sees rarer trouble",
            *_verdicts(report.verdicts),
            "",
            *_advice(report.advice),
        ]
    )


def _machine(machine: Machine, answers: Sequence[Grant]) -> Iterator[str]:
    rt = "PREEMPT_RT" if machine.preempt_rt else "not PREEMPT_RT"
    free = f"{listed(machine.isolated)} isolated" if machine.isolated else "none isolated"
    load = "" if machine.load is None else f", load {machine.load:g}"
    kind = f"virtual ({machine.hypervisor})" if machine.hypervisor else "no hypervisor seen"
    rows = {
        "kernel": f"{machine.kernel or sys.platform}, {rt}",
        "processors": f"{len(machine.processors)}, {free}{load}",
        "governor": ", ".join(machine.governors) or "none to set",
        "hardware": f"{kind}{', in a container' if machine.container else ''}",
        "clock": machine.clock_source or "unknown",
        "limits": limits_text(machine.limits),
        **{answer.what: answer.detail for answer in answers},
    }
    for name, value in rows.items():
        yield from _wrapped(f"  {name:<22}{value}", 24)


def limits_text(limits: Limits) -> str:
    """Both limits, as ``ulimit -r`` and ``-l`` have them."""
    rtprio = "unlimited" if limits.rtprio is None else str(limits.rtprio)
    memlock = limits.memlock_bytes
    locked = "unlimited" if memlock is None else f"{memlock / 2**20:.3g} MiB"
    return f"rtprio {rtprio}, memlock {locked}"


def _timers(timers: Sequence[Timer]) -> Iterator[str]:
    heads = ("p50", "p99", "p99.9", "max")
    yield f"  {'rate':<9}{'waiting':<32}" + "".join(f"{head:>9}" for head in heads) + "  > period"
    for timer in timers:
        times = spread(timer.late_s)
        yield (
            f"  {f'{timer.rate_hz:g} Hz':<9}{timer.way.name:<32}{_row(times)}"
            f"{100 * timer.later_than_period:>8.2f} %"
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
        yield f"  {verdict.demand.name}: {verdict.text}"
        yield from _wrapped(f"    {verdict.reason}", 4)


def _advice(advice: Sequence[Advice]) -> Iterator[str]:
    if not advice:
        yield "nothing to change"
        return
    yield "what to change, most useful first"
    for number, item in enumerate(advice, 1):
        yield from _wrapped(f"  {number}. {item.what}", 5)
        for line in item.how:
            yield f"       {line}"


def _wrapped(line: str, indent: int) -> list[str]:
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
