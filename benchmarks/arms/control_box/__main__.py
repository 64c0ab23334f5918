"""Does the simulated control box keep real time? The same client, beside franky-sim 1.0.4.

    python -m benchmarks.arms.control_box --json control_box.json

Each simulator runs alone with one client, a torque loop of pylibfranka at 1 kHz, one after the
other. Gaps and the real-time factor are those that the client sees. Answered cycles and misses are
counted by the control box, because only it knows when a command has come too late; franky-sim does
not count them. If the control box lost more than 20 ms, the run is inconclusive.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arms.box_process import MAX_SLIP_S
from benchmarks.arms.control_box import client, servers
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat
from benchmarks.lib.report import print_table, write_json

BARS = {
    "realtime_factor": (">=", 0.999),
    "answered_share": (">=", 0.995),
    "gap_p99_ms": ("<=", 1.3),
    "longest_miss": ("<=", 15),
    "cpu_share": ("<=", 0.25),
}
"""Bars of the control box with SCHED_FIFO."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Times the simulated control box and franky-sim with one client each."""

    seconds: PositiveFloat = 60.0
    """Duration of each measurement [s]."""
    franky_sim: Path | None = None
    """Python interpreter of an environment with franky-sim 1.0.4; by default one is made."""
    alone: bool = False
    """Leave franky-sim out."""
    json: Path | None = None
    """Write the results to this file."""


def main(options: Options) -> None:
    """Measures, prints a table, and writes the results."""
    result: dict[str, object] = {"seconds": options.seconds}
    box = measure_box(options.seconds)
    result |= {name: box[name] for name in BARS}
    slip = box["slip_s"]
    assert isinstance(slip, float)
    result["conclusive"] = slip <= MAX_SLIP_S
    result["control_box"] = box
    peer: dict[str, object] | None = None
    if not options.alone:
        python = options.franky_sim or servers.franky_sim_python()
        peer = measure(servers.franky_sim("127.77.0.2", python), "127.77.0.2", options.seconds)
        result["franky_sim"] = peer
    print_result(box, peer)
    if not result["conclusive"]:
        print(f"\ninconclusive: the control box lost {slip} s; run it again")
    write_json(options.json, result)


def measure_box(seconds: float) -> dict[str, object]:
    """Returns the client's figures of the control box, and those of its own report."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        figures = measure(servers.control_box("127.77.0.1", report), "127.77.0.1", seconds)
        own = servers.read_report(report)
    names = ("answered_share", "awaited", "answered", "longest_miss", "late_commands", "slip_s")
    return figures | {name: own[name] for name in names} | {"report": own}


def measure(
    start: AbstractContextManager[servers.Simulator], address: str, seconds: float
) -> dict[str, object]:
    """Runs the client against one simulator; returns its figures and the processor's share."""
    load = os.getloadavg()[0]
    command = [sys.executable, "-m", client.__name__, address, str(seconds)]
    with start as simulator, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        run.stdout.readline()
        before, began = simulator.processor_s(), time.monotonic()
        answer = run.stdout.readline()
        used, took = simulator.processor_s() - before, time.monotonic() - began
        if not answer:
            raise servers.SimulatorError("the client failed; its error is above")
        figures: dict[str, object] = json.loads(answer)
        return {
            "scheduling": simulator.scheduling,
            "load_before": load,
            "load_after": os.getloadavg()[0],
            **figures,
            "cpu_share": used / took,
        }


def print_result(box: Mapping[str, object], peer: Mapping[str, object] | None) -> None:
    """Prints both simulators side by side, with the bars."""
    names = [
        *("scheduling", "load_before", "load_after", "realtime_factor", "states_per_s"),
        *("answered_share", "longest_miss", "seen_share", "longest_skip"),
        *("gap_p50_ms", "gap_p99_ms", "gap_max_ms", "success_rate_mean", "cpu_share", "slip_s"),
    ]
    rows: list[list[str]] = []
    for name in names:
        sign, bar = BARS.get(name, ("", ""))
        cells = [_text(box.get(name)), _text(peer.get(name)) if peer else "-"]
        rows.append([name, *cells, f"{sign} {bar}".strip()])
    print_table(["", "control box", "franky-sim 1.0.4", "bar"], rows)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "-" if value is None else str(value)


if __name__ == "__main__":
    run_program(main, Options, prog="python -m benchmarks.arms.control_box", description=__doc__)
