"""Late ticks and memory of a server under load, compared with a bare loop under the same load."""

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

MAX_RATIO = 1.5
"""Required: largest ratio of the server's late share to that of the bare loop."""
MAX_GROWTH_MB = 2.0
"""Required: memory growth is less than this [MB]."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A server with a flood, a subscriber that never reads and a recorder; and a bare loop.

    Server and bare loop run in turns (blocks). The server process lives through all blocks, so its
    memory is one curve. It is stopped (SIGSTOP) during a block of the bare loop, so each loop
    shares the machine with the load only. The server reads no message of the flood then. Therefore
    the processor time of the load is reported for both loops.
    """

    model: Path = Path("models/csf_panda.onnx")
    """Policy file; its skill has at least two numbers."""
    minutes: float = 10.0
    """Time of operation of the server; the bare loop runs equally long [min]."""
    blocks: int = 5
    """Blocks of each loop, in turns."""
    servo_rate: float = 1000.0
    """Servo rate of both loops [Hz]."""
    flood: float = 20_000.0
    """Largest rate of the flood [messages/s], at least 1000; inf for no limit."""
    spin_us: float = 0.0
    """Busy waiting before each deadline, in both loops [us]."""
    realtime: bool = False
    """Request real-time scheduling and locked memory, in both loops."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block of the server, followed by a block of the bare loop of equal length."""

    served: Ticks
    bare: Ticks
    execution_time_p50_us: float
    """Median over the seconds."""
    execution_time_p99_us: float
    """Median over the seconds."""
    sent_hz: float
    """Messages of the flood that its sockets accepted [1/s]."""
    answered_hz: float
    """Messages that the server refused [1/s]."""
    busy_served: float
    """Processors in use by flood, subscriber and recorder during the block of the server."""
    busy_bare: float
    """The same during the block of the bare loop."""

    @property
    def ratio(self) -> float:
        """Ratio of the late shares."""
        return ratio(self.served, self.bare)


class LoadCounts(NamedTuple):
    """Cumulative counts of the load."""

    at: float
    """Monotonic time [s]."""
    busy_s: float
    """Processor time [s]."""
    sent: int
    """Messages of the flood."""

    def busy_since(self, before: LoadCounts) -> float:
        """Returns the mean number of processors in use since ``before``."""
        return (self.busy_s - before.busy_s) / (self.at - before.at)


class Load:
    """The load during both loops: a flood, a subscriber that never reads, and a recorder.

    Args:
        rig: Rig with the server.
        rate: Largest rate of the flood [messages/s].
        path: File of the recorder.
    """

    def __init__(self, rig: Rig, rate: float, path: Path) -> None:
        telemetry = rig.telemetry_address
        watcher = rig.peer("watch", telemetry)
        watcher.signal(signal.SIGSTOP)  # it stays connected and subscribed, but reads no more
        recorder = rig.peer("record", telemetry, "--path", str(path))
        self._flood = rig.peer("flood", rig.address, "--rate", str(rate))
        self._processes = [psutil.Process(peer.pid) for peer in (watcher, recorder, self._flood)]

    def now(self) -> LoadCounts:
        """Returns the counts since the start."""
        times = [process.cpu_times() for process in self._processes]
        busy_s = sum(time.user + time.system for time in times)
        return LoadCounts(time.monotonic(), busy_s, self._flood.lines[-1]["sent"])


def measure(config: Loaded) -> tuple[list[Block], list[Sample], float]:
    """Runs all blocks.

    Returns:
        The blocks, the samples of the server, and the size of the recording [MB].
    """
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
        output = controller.lines[-1]
        raise NeverHappenedError(
            f"the arm left mode skill: {last.last_event}; the controller printed {output}"
        )
    controller.end()
    rig.signal_server(signal.SIGSTOP)
    load_bare = load.now()
    bare = _bare(config, rig, seconds)
    load_end = load.now()
    rig.signal_server(signal.SIGCONT)
    bar.update(round(seconds))
    times = [
        (sample.execution_time_p50_us, sample.execution_time_p99_us)
        for sample in meter.samples[sampled:]
    ]
    execution_time_p50_us, execution_time_p99_us = np.median(times, axis=0).tolist()
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
    """Runs a bare loop in its own process and returns its ticks."""
    options = ["--spin-us", f"{config.spin_us:g}", *(["--realtime"] if config.realtime else [])]
    words = ["bare", f"{seconds:g}", f"{config.servo_rate:g}", *options]
    peer = rig.peer(*words, roles=ROLES)
    time.sleep(seconds)
    done = peer.wait_for("done")
    return Ticks(begun=done["begun"], late=done["late"], overruns=done["overruns"])


def print_blocks(blocks: Sequence[Block]) -> None:
    """Prints the table of blocks: counts and shares of ticks, times in microseconds."""
    headers = ["block", "ticks", "late", "overruns", "share", "bare: ticks", "late", "overruns"]
    headers += ["share", "ratio", "execution p50 us", "p99", "sent/s", "refused/s"]
    headers += ["load", "bare: load"]
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
    counts = (ticks.begun, ticks.late, ticks.overruns)
    return [*map(str, counts), f"{ticks.late_share:.5f}"]


def run(config: Loaded) -> None:
    """Measures, prints the table and writes the result."""
    blocks, samples, recorded_mb = measure(config)
    print_blocks(blocks)
    found = memory(samples)
    middle = median(block.ratio for block in blocks)
    print(f"median ratio: {middle:.2f} (required: at most {MAX_RATIO})")
    print(f"{memory_text(found)} (required: less than {MAX_GROWTH_MB:g} MB)")
    print(f"size of the recording: {recorded_mb:.0f} MB")
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
