"""Faults, late ticks and memory of a server under normal use for an hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.lib.ranges import PositiveFloat, Seed
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.endurance.counts import (
    LATE_SHARE,
    Sample,
    Ticks,
    memory,
    memory_results,
    memory_text,
)
from benchmarks.serving.endurance.meter import KEPT, ROLES, Meter
from benchmarks.serving.failures.client_process import Peer
from benchmarks.serving.failures.rig import Rig
from skill_proto.messages import Telemetry


@dataclass(frozen=True, kw_only=True)
class Soak:
    """A server with changing clients: skills, goals, resets, stops and takeovers of the lease.

    Two visitors command the arm in turns and compete for the lease
    (benchmarks.serving.endurance.peers). Two more processes read and record the telemetry.
    """

    model: Path = Path("models/csf_panda.onnx")
    """Policy file."""
    minutes: PositiveFloat = 60.0
    """Duration [min]."""
    servo_rate: PositiveFloat = 200.0
    """Servo rate [Hz]."""
    seed: Seed = 0
    """Seed of the visitors' actions."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of the run; times are medians over the seconds."""

    seconds: float
    ticks: Ticks
    execution_time_p50_us: float
    execution_time_p99_us: float
    wakeup_latency_p99_us: float
    counters: dict[str, int]
    """Counters of the server."""
    visitors: dict[str, int]
    """Outcomes of the visitors' requests."""
    unread: int
    """States that the subscriber missed."""


def measure(config: Soak) -> tuple[Outcome, list[Sample]]:
    """Runs the server; returns the result and the samples."""
    options = ("--servo-rate", f"{config.servo_rate:g}", "--seed", str(config.seed))
    seconds = round(60 * config.minutes)
    with (
        Rig(config.model, *options, keep=KEPT) as rig,
        tqdm(total=seconds, unit="s", disable=None, leave=False) as bar,
    ):
        watcher = rig.peer("watch", rig.telemetry_address)
        seeds = (2 * config.seed, 2 * config.seed + 1)
        visitors = [
            rig.peer("visitor", rig.address, "--seed", str(seed), roles=ROLES) for seed in seeds
        ]
        meter, first = Meter(rig, config.servo_rate), rig.recording.states[-1]
        begun = meter.ticks
        for _ in range(seconds):
            sample = meter.watch()
            for peer in (watcher, *visitors):
                peer.check()
            text = _state_text(rig.recording.states[-1], meter.ticks.since(begun), sample)
            bar.set_postfix_str(text, refresh=False)
            bar.update()
        last = rig.recording.states[-1]
        ticks = Ticks.of(last, config.servo_rate).since(Ticks.of(first, config.servo_rate))
        return _outcome(meter, ticks, first, last, visitors, watcher), meter.samples


def _outcome(
    meter: Meter,
    ticks: Ticks,
    first: Telemetry,
    last: Telemetry,
    visitors: Sequence[Peer],
    watcher: Peer,
) -> Outcome:
    outcomes: Counter[str] = Counter()
    for visitor in visitors:
        newest = visitor.lines[-1]
        outcomes.update({name: n for name, n in newest.items() if name not in ("event", "at")})
    timing = [
        (s.execution_time_p50_us, s.execution_time_p99_us, s.wakeup_latency_p99_us)
        for s in meter.samples
    ]
    execution_time_p50_us, execution_time_p99_us, wakeup_latency_p99_us = np.median(
        timing, axis=0
    ).tolist()
    return Outcome(
        seconds=last.time - first.time,
        ticks=ticks,
        execution_time_p50_us=execution_time_p50_us,
        execution_time_p99_us=execution_time_p99_us,
        wakeup_latency_p99_us=wakeup_latency_p99_us,
        counters=dict(last.counters),
        visitors=dict(outcomes),
        unread=sum(line["missed"] for line in watcher.lines),
    )


def _state_text(state: Telemetry, ticks: Ticks, sample: Sample) -> str:
    return (
        f"{state.counters.get('faults', 0)} faults, {ticks.late} late, {ticks.overruns} overruns, "
        f"controller {sample.controller_mb:.0f} MB"
    )


def print_outcome(outcome: Outcome) -> None:
    """Prints the counters of the server, the outcomes of the visitors' requests, and the timing."""
    print_table(
        ["counter of the server", "count"],
        [[name, str(n)] for name, n in sorted(outcome.counters.items())],
    )
    print_table(
        ["outcome of a visitor's request", "count"],
        [[name, str(n)] for name, n in sorted(outcome.visitors.items())],
    )
    ticks = outcome.ticks
    print(
        f"{outcome.seconds:.0f} s: {outcome.counters.get('faults', 0)} faults; {ticks.begun} ticks,"
        f" {ticks.late} more than {LATE_SHARE:g} periods late, {ticks.overruns} overruns: "
        f"{ticks.late_share:.5f} of all deadlines"
    )
    print(
        f"medians over the seconds: execution time p50 {outcome.execution_time_p50_us:.0f} us, "
        f"p99 {outcome.execution_time_p99_us:.0f} us; wake-up latency p99 "
        f"{outcome.wakeup_latency_p99_us:.0f} us"
    )
    print(f"states that the subscriber missed: {outcome.unread}")


def run(config: Soak) -> None:
    """Measures, prints the tables and writes the result."""
    outcome, samples = measure(config)
    print_outcome(outcome)
    print(f"memory of the controller: {memory_text(memory(samples, 'controller_mb'))}")
    print(f"memory of all processes: {memory_text(memory(samples, 'all_mb'))}")
    write_json(
        config.json,
        {
            **asdict(outcome),
            "late_share": outcome.ticks.late_share,
            "memory": memory_results(samples),
        },
    )
