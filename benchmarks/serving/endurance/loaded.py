"""How punctual a loaded server stays, and how large, beside a bare timer loop; for endurance.py."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple, NoReturn

import numpy as np
import psutil
from tqdm import tqdm

from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.endurance.counts import (
    Sample,
    Ticks,
    each_minute,
    memory,
    memory_text,
    ratio,
)
from benchmarks.serving.endurance.meter import KEPT, ROLES, SERVER, Meter
from benchmarks.serving.failures.outcome import LONG, added
from benchmarks.serving.failures.rig import NeverHappenedError, Rig

RATIO = 1.5
GROWTH_MB = 2.0
"""What is asked for: late ticks beside those of the bare loop, and growth of memory [MB]."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A server that is flooded, watched by one who never reads and recorded, beside a bare loop.

    One server process lives through all blocks, so that its memory is one curve; ticks are counted
    within them. While the bare loop has its block the server is stopped (SIGSTOP), so that either
    loop shares the machine with the flood, the watcher and the recorder, and not with the other.
    The flood then finds nobody who reads: what processor time the load takes is told for both.
    """

    model: Path = Path("models/csf_panda.onnx")
    """The policy file; its skills are of two numbers or more."""
    minutes: float = 10.0
    """That the server serves; the bare loop runs as long again [min]."""
    blocks: int = 5
    """Blocks of each, in turns."""
    servo_rate: float = 1000.0
    """Ticks a second, in both loops [Hz]."""
    flood: float = 20_000.0
    """Most messages a second that the flooding client sends, at least 1000; inf for no limit."""
    spin_us: float = 0.0
    """Busy waiting before each deadline, in both loops [us]."""
    realtime: bool = False
    """Ask for real-time scheduling and locked memory, in both loops."""
    json: Path | None = None
    """Where to write the result."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """The server for a while, then the bare loop for as long."""

    served: Ticks
    bare: Ticks
    execution_time_p50_us: float
    execution_time_p99_us: float
    """Medians over the seconds."""
    sent_hz: float
    answered_hz: float
    """Of the flood: messages that its sockets took, and that the server refused."""
    busy_served: float
    busy_bare: float
    """Processors that flood, watcher and recorder kept busy."""

    @property
    def ratio(self) -> float:
        """Of the late shares."""
        return ratio(self.served, self.bare)


class LoadSoFar(NamedTuple):
    """What the load has done up to a time."""

    at: float
    """Monotonic time [s]."""
    busy_s: float
    """Processor time [s]."""
    sent: int
    """Messages of the flood."""

    def busy_since(self, before: LoadSoFar) -> float:
        """Processors kept busy."""
        return (self.busy_s - before.busy_s) / (self.at - before.at)


class Load:
    """What is beside both loops: a flood, a watcher who never reads, and a recorder.

    Args:
        rig: the server's.
        rate: of the flood, in messages a second.
        path: where the recorder writes.
    """

    def __init__(self, rig: Rig, rate: float, path: Path) -> None:
        telemetry = rig.telemetry_address
        watcher = rig.peer("watch", telemetry)
        watcher.signal(signal.SIGSTOP)  # subscribed, connected, and it never reads again
        recorder = rig.peer("record", telemetry, "--path", str(path))
        self._flood = rig.peer("flood", rig.address, "--rate", str(rate))
        self._processes = [psutil.Process(peer.pid) for peer in (watcher, recorder, self._flood)]

    def now(self) -> LoadSoFar:
        """Since its start."""
        times = [process.cpu_times() for process in self._processes]
        busy_s = sum(time.user + time.system for time in times)
        return LoadSoFar(time.monotonic(), busy_s, self._flood.lines[-1]["sent"])


def measure(config: Loaded) -> tuple[list[Block], list[Sample], float]:
    """All blocks, what was sampled of the server, and the megabytes that were recorded."""
    options = ["--servo-rate", f"{config.servo_rate:g}", "--stop-after", "inf"]
    options += ["--spin-us", f"{config.spin_us:g}", *(["--realtime"] if config.realtime else [])]
    with (
        tempfile.TemporaryDirectory() as folder,
        Rig(config.model, *options, program=SERVER, keep=KEPT) as rig,
        tqdm(total=round(120 * config.minutes), unit="s", disable=None, leave=False) as bar,
    ):
        record = Path(folder) / "record.jsonl"
        meter, load = Meter(rig), Load(rig, config.flood, record)
        blocks = [_block(config, rig, meter, load, bar) for _ in range(config.blocks)]
        return blocks, meter.samples, record.stat().st_size / 1e6


def _block(config: Loaded, rig: Rig, meter: Meter, load: Load, bar: tqdm[NoReturn]) -> Block:
    seconds = 60.0 * config.minutes / config.blocks
    controller = rig.controller(*LONG)
    first, load_first = rig.recording.states[-1], load.now()
    sampled = len(meter.samples)
    while time.monotonic() < load_first.at + seconds:
        meter.watch()
        bar.update()
    last, load_last = rig.recording.states[-1], load.now()
    if last.mode != "skill":
        said = controller.lines[-1]
        raise NeverHappenedError(f"the arm did not go on: {last.last_event}; controller: {said}")
    controller.end()
    rig.signal_server(signal.SIGSTOP)
    load_bare = load.now()
    bare = _bare(config, rig, seconds)
    load_end = load.now()
    rig.signal_server(signal.SIGCONT)
    bar.update(round(seconds))
    work = [
        (sample.execution_time_p50_us, sample.execution_time_p99_us)
        for sample in meter.samples[sampled:]
    ]
    execution_time_p50_us, execution_time_p99_us = np.median(work, axis=0).tolist()
    return Block(
        served=Ticks.of(last).since(Ticks.of(first)),
        bare=bare,
        execution_time_p50_us=execution_time_p50_us,
        execution_time_p99_us=execution_time_p99_us,
        sent_hz=(load_last.sent - load_first.sent) / (load_last.at - load_first.at),
        answered_hz=added((first, last), "rejected.") / (last.time - first.time),
        busy_served=load_last.busy_since(load_first),
        busy_bare=load_end.busy_since(load_bare),
    )


def _bare(config: Loaded, rig: Rig, seconds: float) -> Ticks:
    """Of a bare loop in a process of its own."""
    options = ["--spin-us", f"{config.spin_us:g}", *(["--realtime"] if config.realtime else [])]
    words = ["bare", f"{seconds:g}", f"{config.servo_rate:g}", *options]
    peer = rig.peer(*words, roles=ROLES)
    time.sleep(seconds)
    done = peer.wait_for("done")
    return Ticks(begun=done["begun"], late=done["late"], missed=done["missed"])


def print_blocks(blocks: Sequence[Block]) -> None:
    """The table: counts of ticks, shares, times in microseconds."""
    headers = ["block", "ticks", "late", "missed", "share", "bare: ticks", "late", "missed"]
    headers += ["share", "ratio", "work p50", "p99", "sent/s", "refused/s", "load", "bare: load"]
    print_table(
        headers,
        [
            [
                str(number),
                *_ticks(block.served),
                *_ticks(block.bare),
                f"{block.ratio:.2f}",
                f"{block.execution_time_p50_us:.0f}",
                f"{block.execution_time_p99_us:.0f}",
                f"{block.sent_hz:.0f}",
                f"{block.answered_hz:.0f}",
                f"{block.busy_served:.2f}",
                f"{block.busy_bare:.2f}",
            ]
            for number, block in enumerate(blocks, start=1)
        ],
    )


def _ticks(ticks: Ticks) -> list[str]:
    counts = (ticks.begun, ticks.late, ticks.missed)
    return [*map(str, counts), f"{ticks.late_share:.5f}"]


def run(config: Loaded) -> None:
    """Measures, prints and writes."""
    blocks, samples, recorded_mb = measure(config)
    print_blocks(blocks)
    found = memory(samples)
    middle = median(block.ratio for block in blocks)
    print(f"median ratio: {middle:.2f} (asked for: at most {RATIO})")
    print(f"{memory_text(found)}; asked for: less than {GROWTH_MB:g} MB")
    print(f"recorded: {recorded_mb:.0f} MB")
    write_json(
        config.json,
        {
            "blocks": [{**asdict(block), "ratio": block.ratio} for block in blocks],
            "median_ratio": middle,
            "memory_mb_each_minute": each_minute(samples),
            "memory": found and asdict(found),
            "recorded_mb": recorded_mb,
        },
    )
