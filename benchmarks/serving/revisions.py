"""Compares two installed revisions of skill-serve, in turns on one machine.

    python -m benchmarks.serving.revisions --before /path/to/other/.venv/bin/skill-serve

Measured are the execution time of a tick as telemetry reports it, the round trip of a command and
of ``hello``, the resident memory of all processes, and the time to the first action. A client holds
the lease and sends ten commands per second while the ticks are measured.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
import tyro

from benchmarks.lib.report import print_table, write_json
from skill_runtime.authority.modes import POLICY_MODES
from skill_runtime.client import SkillClient

PORT = 23_600

SETTLE_S = 2.0
"""Time before the first measurement of a server [s]."""

PERIOD_S = 0.1
"""Time between two commands while ticks are measured [s]."""

PAUSE_S = 0.004
"""Time between two round trips [s]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Two revisions in turns."""

    before: Path
    """skill-serve of the other revision."""
    after: Path = Path(sys.executable).parent / "skill-serve"
    """skill-serve of this revision."""
    model: Path = Path("models/csf_panda.onnx")
    """Policy file; its skill has two numbers."""
    rates: tuple[float, ...] = (200.0, 1000.0)
    """Servo rates [Hz]."""
    rounds: int = 5
    """Measurements of each revision and rate."""
    seconds: float = 10.0
    """Length of one measurement of ticks [s]."""
    round_trips: int = 500
    """Round trips of one measurement."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measurement of one server; times in microseconds."""

    execution_p50: float
    execution_p99: float
    overruns: int
    command_p50: float
    hello_p50: float
    rss_mb: float
    pss_mb: float
    first_action_s: float


@contextmanager
def server(program: Path, model: Path, rate_hz: float) -> Iterator[psutil.Process]:
    """Runs skill-serve until the end of the block."""
    command = [str(program), "--model", str(model), "--servo-rate", f"{rate_hz:g}"]
    with subprocess.Popen(
        [*command, "--port", str(PORT)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def measure(config: Config, program: Path, rate_hz: float) -> Measurement:
    """Starts a server and measures it."""
    began = time.monotonic()
    with (
        server(program, config.model, rate_hz) as process,
        SkillClient(f"tcp://127.0.0.1:{PORT}", timeout_s=30.0) as client,
    ):
        for state in client.telemetry():
            if state.mode in POLICY_MODES and state.action is not None:
                break
        first_action_s = time.monotonic() - began
        with client.acquire("benchmark", ttl_s=5.0):
            client.skill([1.0, 0.0], valid_for_s=2.0)
            time.sleep(SETTLE_S)
            ticks = np.array(list(_ticks(client, config.seconds)))
            command = _round_trips(
                lambda: client.skill([1.0, 0.0], valid_for_s=2.0), config.round_trips
            )
            hello = _round_trips(lambda: client.hello(), config.round_trips)
            rss_mb, pss_mb = _memory_mb(process)
    execution_p50, execution_p99 = np.median(ticks[:, :2], axis=0).tolist()
    return Measurement(
        execution_p50=execution_p50,
        execution_p99=execution_p99,
        overruns=int(ticks[-1, 2] - ticks[0, 2]),
        command_p50=command,
        hello_p50=hello,
        rss_mb=rss_mb,
        pss_mb=pss_mb,
        first_action_s=first_action_s,
    )


def _ticks(client: SkillClient, seconds: float) -> Iterator[tuple[float, float, int]]:
    """Yields median and 99th percentile of each second's execution times, and the overruns."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        client.skill([1.0, 0.0], valid_for_s=2.0)
        timing = client.state().timing
        yield timing.execution_time_p50_us, timing.execution_time_p99_us, timing.overruns
        time.sleep(PERIOD_S)


def _round_trips(call: Callable[[], object], count: int) -> float:
    """Returns the median time of a call [us]."""
    times: list[float] = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
        time.sleep(PAUSE_S)
    return 1e6 * float(np.median(times))


def _memory_mb(process: psutil.Process) -> tuple[float, float]:
    """Returns resident and proportional memory of a server's processes together [MB]."""
    found = [one.memory_full_info() for one in (process, *process.children(recursive=True))]
    return sum(one.rss for one in found) / 1e6, sum(one.pss for one in found) / 1e6


def main(config: Config) -> None:
    """Measures in turns, prints medians and ratios, and writes the result."""
    result: dict[str, list[dict[str, float]]] = {}
    for rate_hz in config.rates:
        found: dict[str, list[Measurement]] = {"before": [], "after": []}
        for index in range(config.rounds):
            names = ("before", "after") if index % 2 == 0 else ("after", "before")
            for name in names:
                program = config.before if name == "before" else config.after
                found[name].append(measure(config, program, rate_hz))
        fields = list(asdict(found["before"][0]))
        medians = {
            name: {
                field: float(np.median([getattr(one, field) for one in rows])) for field in fields
            }
            for name, rows in found.items()
        }
        print(f"{rate_hz:g} Hz, medians of {config.rounds}; times in microseconds")
        print_table(
            ["", "before", "after", "ratio"],
            [
                [
                    field,
                    f"{medians['before'][field]:.4g}",
                    f"{medians['after'][field]:.4g}",
                    f"{medians['after'][field] / (medians['before'][field] or np.nan):.2f}",
                ]
                for field in fields
            ],
        )
        for name, rows in found.items():
            result[f"{rate_hz:g} Hz {name}"] = [asdict(row) for row in rows]
    write_json(config.json, result)


if __name__ == "__main__":
    main(tyro.cli(Config, prog="python -m benchmarks.serving.revisions", description=__doc__))
