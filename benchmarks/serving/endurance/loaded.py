"""Late ticks and memory of a server under load, compared with bare loops under the same load."""

from __future__ import annotations

import contextlib
import shlex
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple, NoReturn

import numpy as np
import psutil
from tqdm import tqdm

from benchmarks.lib.ranges import PositiveFloat, PositiveInt
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.bare_loop import measure_bare_loop
from benchmarks.serving.endurance.counts import (
    Sample,
    Ticks,
    memory,
    memory_results,
    memory_text,
    ratio,
)
from benchmarks.serving.endurance.meter import KEPT, Meter
from benchmarks.serving.failures.client_process import NeverHappenedError
from benchmarks.serving.failures.outcome import LONG, added
from benchmarks.serving.failures.rig import Rig

MAX_RATIO = 1.5
"""Required: largest ratio of the server's late share to that of the bare loop."""
MAX_GROWTH_MB = 2.0
"""Required: growth of the controller's memory is less than this [MB]."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A server with a flood, a subscriber that never reads and a recorder; and two bare loops.

    They run in turns (blocks): the server, a bare loop that only waits, and a bare loop that
    computes in each tick for as long as the median tick of the server in the same block. The second
    one is the control: its late ticks come from the machine, since it does nothing but compute.

    The server lives through all blocks, so its memory is one curve. All its processes are stopped
    (SIGSTOP) during a bare loop, so the bare loop shares the machine with the load only. The
    messages of the flood are not read then, and the load is lighter. Therefore the processors in
    use are reported: by the load for all loops, and by the controller and by the other processes of
    the server, which read the flood.
    """

    model: Path = Path("models/csf_panda.onnx")
    """Policy file; its skill has at least two numbers."""
    minutes: PositiveFloat = 10.0
    """Time of operation of the server; each bare loop runs equally long [min]."""
    blocks: PositiveInt = 5
    """Blocks of each loop, in turns."""
    servo_rate: PositiveFloat = 1000.0
    """Servo rate of all loops [Hz]."""
    flood: PositiveFloat = 20_000.0
    """Largest rate of the flood [messages/s], at least 1000; inf for no limit."""
    spin_us: float = 0.0
    """Busy waiting before each deadline, in all loops [us]."""
    realtime: bool = False
    """Request real-time scheduling and locked memory, in all loops."""
    options: str = ""
    """More options of skill-serve, such as "--cpu 1"."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block of the server, followed by a block of each bare loop of equal length."""

    served: Ticks
    bare: Ticks
    computing: Ticks
    """The bare loop that computes for ``execution_time_p50_us`` in each tick."""
    execution_time_p50_us: float
    """Median over the seconds."""
    execution_time_p99_us: float
    """Median over the seconds."""
    sent_hz: float
    """Messages of the flood that its sockets accepted [1/s]."""
    answered_hz: float
    """Messages that the server refused [1/s]."""
    busy_controller: float
    """Processors in use by the controller, its busy waiting included."""
    busy_others: float
    """Processors in use by the other processes of the server."""
    busy_served: float
    """Processors in use by flood, subscriber and recorder during the block of the server."""
    busy_bare: float
    """The same during the block of the bare loop."""

    @property
    def ratio(self) -> float:
        """Ratio of the late shares of server and bare loop."""
        return ratio(self.served, self.bare)

    @property
    def computing_ratio(self) -> float:
        """Ratio of the late shares of the two bare loops."""
        return ratio(self.computing, self.bare)


class LoadCounts(NamedTuple):
    """Cumulative counts of the load."""

    at: float
    """Monotonic time [s]."""
    busy_s: float
    """Processor time of the load [s]."""
    controller_s: float
    """Processor time of the controller [s]."""
    others_s: float
    """Processor time of the other processes of the server that run now [s]."""
    sent: int
    """Messages of the flood."""

    def busy_since(self, before: LoadCounts) -> float:
        """Returns the mean number of processors that the load used since ``before``."""
        return (self.busy_s - before.busy_s) / (self.at - before.at)


class Load:
    """The load during all loops: a flood, a subscriber that never reads, and a recorder.

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
        self._rig = rig

    def now(self) -> LoadCounts:
        """Returns the counts since the start."""
        server = self._rig.find_processes()
        return LoadCounts(
            at=time.monotonic(),
            busy_s=sum(map(_busy_s, self._processes)),
            controller_s=_busy_s(server["controller"]),
            others_s=sum(_busy_s(one) for role, one in server.items() if role != "controller"),
            sent=self._flood.lines[-1]["sent"],
        )


def _busy_s(process: psutil.Process) -> float:
    """Returns the processor time of a process; 0 if it has ended [s]."""
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return times.user + times.system
    return 0.0


def measure(config: Loaded) -> tuple[list[Block], list[Sample], float]:
    """Runs all blocks.

    Returns:
        The blocks, the samples of the server, and the size of the recording [MB].
    """
    options = ["--servo-rate", f"{config.servo_rate:g}", "--stop-after", "inf"]
    options += ["--spin-us", f"{config.spin_us:g}", *(["--realtime"] if config.realtime else [])]
    options += shlex.split(config.options)
    with (
        tempfile.TemporaryDirectory() as folder,
        Rig(config.model, *options, keep=KEPT) as rig,
        tqdm(total=round(180 * config.minutes), unit="s", disable=None, leave=False) as bar,
    ):
        record = Path(folder) / "record.jsonl"
        meter, load = Meter(rig, config.servo_rate), Load(rig, config.flood, record)
        blocks = [_block(config, rig, meter, load, bar) for _ in range(config.blocks)]
        return blocks, meter.samples, record.stat().st_size / 1e6


def _block(config: Loaded, rig: Rig, meter: Meter, load: Load, bar: tqdm[NoReturn]) -> Block:
    seconds = 60.0 * config.minutes / config.blocks
    client = rig.client(*LONG)
    first, load_first = rig.recording.states[-1], load.now()
    sampled = len(meter.samples)
    while time.monotonic() < load_first.at + seconds:
        meter.watch()
        bar.update()
    last, load_last = rig.recording.states[-1], load.now()
    served_s = load_last.at - load_first.at
    ticks = Ticks.of(last, config.servo_rate).since(Ticks.of(first, config.servo_rate))
    if last.mode != "skill":
        output = client.lines[-1]
        raise NeverHappenedError(
            f"the arm left mode skill: {last.last_event}; the client printed {output}"
        )
    client.end()
    rig.suspend_server()
    times = [
        (sample.execution_time_p50_us, sample.execution_time_p99_us)
        for sample in meter.samples[sampled:]
    ]
    execution_time_p50_us, execution_time_p99_us = np.median(times, axis=0).tolist()
    loop = partial(
        measure_bare_loop,
        *(seconds, config.servo_rate),
        spin_us=config.spin_us,
        realtime=config.realtime,
    )
    load_bare = load.now()
    bare = loop()
    load_end = load.now()
    bar.update(round(seconds))
    computing = loop(work_us=execution_time_p50_us)
    bar.update(round(seconds))
    rig.resume_server()
    return Block(
        served=ticks,
        bare=bare.counts,
        computing=computing.counts,
        execution_time_p50_us=execution_time_p50_us,
        execution_time_p99_us=execution_time_p99_us,
        sent_hz=(load_last.sent - load_first.sent) / served_s,
        answered_hz=added((first, last), "rejected.") / (last.time - first.time),
        busy_controller=(load_last.controller_s - load_first.controller_s) / served_s,
        busy_others=(load_last.others_s - load_first.others_s) / served_s,
        busy_served=load_last.busy_since(load_first),
        busy_bare=load_end.busy_since(load_bare),
    )


def print_blocks(blocks: Sequence[Block]) -> None:
    """Prints the table: counts and shares of ticks, times in microseconds, processors in use."""
    headers = ["block", "ticks", "late", "overruns", "share", "bare: ticks", "late", "overruns"]
    headers += [
        "share",
        "ratio",
        "computing: share",
        "ratio",
        "execution p50 us",
        "p99",
        "sent/s",
        "refused/s",
    ]
    headers += ["controller", "other processes", "load", "bare: load"]
    print_table(
        headers,
        [
            [
                str(number),
                *_ticks(block.served),
                *_ticks(block.bare),
                f"{block.ratio:.2f}",
                f"{block.computing.late_share:.5f}",
                f"{block.computing_ratio:.2f}",
                f"{block.execution_time_p50_us:.0f}",
                f"{block.execution_time_p99_us:.0f}",
                f"{block.sent_hz:.0f}",
                f"{block.answered_hz:.0f}",
                f"{block.busy_controller:.2f}",
                f"{block.busy_others:.2f}",
                f"{block.busy_served:.2f}",
                f"{block.busy_bare:.2f}",
            ]
            for number, block in enumerate(blocks, start=1)
        ],
    )


def _ticks(ticks: Ticks) -> list[str]:
    counts = (ticks.begun, ticks.late, ticks.overruns)
    return [*map(str, counts), f"{ticks.late_share:.5f}"]


def _pooled(ticks: Sequence[Ticks]) -> float:
    """Returns the late share of all blocks of one loop."""
    return Ticks(
        begun=sum(one.begun for one in ticks),
        late=sum(one.late for one in ticks),
        overruns=sum(one.overruns for one in ticks),
    ).late_share


def run(config: Loaded) -> None:
    """Measures, prints the table and writes the result."""
    blocks, samples, recorded_mb = measure(config)
    print_blocks(blocks)
    middle = median(block.ratio for block in blocks)
    computing = median(block.computing_ratio for block in blocks)
    print(f"median ratio: {middle:.2f} (required: at most {MAX_RATIO})")
    print(f"median ratio of the bare loop that computes: {computing:.2f}")
    shares = [
        _pooled([getattr(b, name) for b in blocks]) for name in ("served", "bare", "computing")
    ]
    print("late shares over all blocks: " + ", ".join(f"{share:.5f}" for share in shares))
    controller = memory_text(memory(samples, "controller_mb"))
    print(f"memory of the controller: {controller} (required: less than {MAX_GROWTH_MB:g} MB)")
    print(f"memory of all processes: {memory_text(memory(samples, 'all_mb'))}")
    print(f"size of the recording: {recorded_mb:.0f} MB")
    write_json(
        config.json,
        {
            "blocks": [
                {**asdict(block), "ratio": block.ratio, "computing_ratio": block.computing_ratio}
                for block in blocks
            ],
            "median_ratio": middle,
            "median_computing_ratio": computing,
            "memory": memory_results(samples),
            "recorded_mb": recorded_mb,
        },
    )
