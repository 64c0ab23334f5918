"""A server used for an hour at its usual servo rate: faults, lateness, memory; for endurance.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.endurance.counts import (
    LATE,
    LATE_SHARE,
    Sample,
    Ticks,
    each_minute,
    memory,
    memory_text,
)
from benchmarks.serving.endurance.meter import KEPT, ROLES, SERVER, Meter
from benchmarks.serving.failures.rig import Peer, Rig
from skill_proto.messages import Telemetry


@dataclass(frozen=True, kw_only=True)
class Soak:
    """A server that visitors come and go at: skills, goals, resets, stops, the lease taken over.

    Two visitors steer in turns and get into each other's way (endurance_peers.py), while a third
    process watches and a fourth records.
    """

    model: Path = Path("models/csf_panda.onnx")
    """The policy file."""
    minutes: float = 60.0
    """How long [min]."""
    servo_rate: float = 200.0
    """Ticks a second [Hz]."""
    seed: int = 0
    """Of what the visitors do."""
    json: Path | None = None
    """Where to write the result."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of the whole run."""

    seconds: float
    ticks: Ticks
    execution_time_p50_us: float
    execution_time_p99_us: float
    wakeup_latency_p99_us: float
    """Medians over the seconds."""
    counters: dict[str, int]
    """Of the server."""
    visitors: dict[str, int]
    """What came of what they asked for."""
    unread: int
    """States that the watcher missed."""


def measure(config: Soak) -> tuple[Outcome, list[Sample]]:
    """The run, and what was sampled of it."""
    options = ("--servo-rate", f"{config.servo_rate:g}", "--seed", str(config.seed))
    seconds = round(60 * config.minutes)
    with (
        Rig(config.model, *options, program=SERVER, keep=KEPT) as rig,
        tqdm(total=seconds, unit="s", disable=None, leave=False) as bar,
    ):
        watcher = rig.peer("watch", rig.telemetry_address)
        seeds = (2 * config.seed, 2 * config.seed + 1)
        visitors = [
            rig.peer("visitor", rig.address, "--seed", str(seed), roles=ROLES) for seed in seeds
        ]
        meter, first = Meter(rig), rig.recording.states[-1]
        for _ in range(seconds):
            sample = meter.watch()
            for peer in (watcher, *visitors):
                peer.check()
            bar.set_postfix_str(_state_text(rig.recording.states[-1], sample), refresh=False)
            bar.update()
        last = rig.recording.states[-1]
        return _outcome(meter, first, last, visitors, watcher), meter.samples


def _outcome(
    meter: Meter, first: Telemetry, last: Telemetry, visitors: Sequence[Peer], watcher: Peer
) -> Outcome:
    asked: Counter[str] = Counter()
    for visitor in visitors:
        said = visitor.lines[-1]
        asked.update({name: n for name, n in said.items() if name not in ("what", "at")})
    timing = [
        (s.execution_time_p50_us, s.execution_time_p99_us, s.wakeup_latency_p99_us)
        for s in meter.samples
    ]
    execution_time_p50_us, execution_time_p99_us, wakeup_latency_p99_us = np.median(
        timing, axis=0
    ).tolist()
    return Outcome(
        seconds=last.time - first.time,
        ticks=Ticks.of(last).since(Ticks.of(first)),
        execution_time_p50_us=execution_time_p50_us,
        execution_time_p99_us=execution_time_p99_us,
        wakeup_latency_p99_us=wakeup_latency_p99_us,
        counters=dict(last.counters),
        visitors=dict(asked),
        unread=sum(line["missed"] for line in watcher.lines),
    )


def _state_text(state: Telemetry, sample: Sample) -> str:
    faults, late = state.counters.get("faults", 0), state.counters.get(LATE, 0)
    return (
        f"{faults} faults, {late} late, {state.timing.overruns} missed, {sample.memory_mb:.0f} MB"
    )


def print_outcome(outcome: Outcome) -> None:
    """Counters of the server, what the visitors met, and how the loop kept time."""
    print_table(
        ["counted by the server", ""],
        [[name, str(n)] for name, n in sorted(outcome.counters.items())],
    )
    print_table(
        ["what visitors met", ""], [[name, str(n)] for name, n in sorted(outcome.visitors.items())]
    )
    ticks = outcome.ticks
    print(
        f"{outcome.seconds:.0f} s: {outcome.counters.get('faults', 0)} faults; {ticks.begun} ticks,"
        f" {ticks.late} began more than {LATE_SHARE:g} periods late, {ticks.missed} missed: "
        f"{ticks.late_share:.5f} of those due; work p50 {outcome.execution_time_p50_us:.0f} us, "
        f"p99 {outcome.execution_time_p99_us:.0f} us, late p99 {outcome.wakeup_latency_p99_us:.0f} us (median seconds)"
    )
    print(f"states that a watcher missed: {outcome.unread}")


def run(config: Soak) -> None:
    """Measures, prints and writes."""
    outcome, samples = measure(config)
    found = memory(samples)
    print_outcome(outcome)
    print(memory_text(found))
    write_json(
        config.json,
        {
            **asdict(outcome),
            "late_share": outcome.ticks.late_share,
            "memory_mb_each_minute": each_minute(samples),
            "memory": found and asdict(found),
        },
    )
