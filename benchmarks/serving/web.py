"""The cost of the web page: its processor time, and the lateness that it adds to the loop.

    python -m benchmarks.serving.web

One server runs at 200 Hz. In turns, its page is suspended (none), open in no tab, and open in one.
The tab is a program that reads everything that the page sends, as a browser on another machine
does; a browser that draws on the machine of the loop costs much more, most of all without a GPU.
At the end the tab steers the arm by a click on the disc of skills, and is closed: several times.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import psutil

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveInt
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.web_tab import RawTab, open_tab
from skill_proto.messages import Telemetry
from skill_proto.ports import local_address
from skill_runtime.client import SkillClient
from skill_runtime.subscribers.web.scene import DISC

Turn = Literal["none", "no tab", "one tab"]

TURNS: tuple[Turn, ...] = get_args(Turn)

WAIT_S = 30.0
"""Longest wait for the effect of a click, or of a closed tab [s]."""

SETTLE_S = 1.5
"""Time after a change until the percentiles of the last second no longer show it [s]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """A page in turns."""

    rounds: PositiveInt = 6
    """Turns of each kind."""
    turn_s: PositiveFloat = 10.0
    """Duration of one turn [s]."""
    closings: PositiveInt = 10
    """Tabs that are closed while they steer."""
    model: Path = Path("models/csf_panda.onnx")
    """Policy file."""
    port: int = 24700
    """Port of the server; those after it are used, too."""
    json: Path | None = None
    """File for the result."""


@dataclass
class Figures:
    """Figures of all turns of one kind."""

    cpu: list[float] = field(default_factory=list[float])
    """Share of one processor that the page used, per turn."""
    latency_p50_us: list[float] = field(default_factory=list[float])
    """Wake-up latency, per second."""
    latency_p99_us: list[float] = field(default_factory=list[float])
    overruns_per_s: list[float] = field(default_factory=list[float])


def main(config: Config) -> None:
    """Measures, and prints a table."""
    with (
        _serving(config) as (address, url, page),
        SkillClient(address, timeout_s=20.0) as client,
    ):
        figures = {turn: Figures() for turn in TURNS}
        for _ in range(config.rounds):
            for turn in TURNS:
                _measure(turn, figures[turn], client, page, url, config.turn_s)
        memory_mb = page.memory_info().rss / 1e6
        held_s = [_close_a_tab(client, url) for _ in range(config.closings)]
    none = figures["none"]
    print_table(
        ("page", "its CPU [%]", "wake-up latency p50, p99 [us]", "ratio", "overruns [1/s]"),
        [_row(turn, figures[turn], none) for turn in TURNS],
    )
    print(f"memory of the page: {memory_mb:.0f} MB")
    if held_s:
        print(
            f"a tab that steers is closed: the arm holds after {statistics.median(held_s):.3f} s "
            f"(median), {max(held_s):.3f} s (longest of {len(held_s)})"
        )
    result = {turn: vars(one) for turn, one in figures.items()}
    write_json(config.json, {**result, "memory_mb": memory_mb, "held_s": held_s})


def _row(turn: Turn, figures: Figures, none: Figures) -> tuple[str, ...]:
    p50, p99 = map(statistics.mean, (figures.latency_p50_us, figures.latency_p99_us))
    ratios = p50 / statistics.mean(none.latency_p50_us), p99 / statistics.mean(none.latency_p99_us)
    return (
        turn,
        f"{100 * statistics.mean(figures.cpu):.1f}",
        f"{p50:.0f}, {p99:.0f}",
        f"{ratios[0]:.2f}, {ratios[1]:.2f}",
        f"{statistics.mean(figures.overruns_per_s):.2f}",
    )


def _measure(
    turn: Turn,
    figures: Figures,
    client: SkillClient,
    page: psutil.Process,
    url: str,
    turn_s: float,
) -> None:
    page.send_signal(signal.SIGSTOP if turn == "none" else signal.SIGCONT)
    tab = open_tab(url) if turn == "one tab" else None
    try:
        time.sleep(SETTLE_S)
        began, cpu, first = time.monotonic(), _cpu_s(page), client.state()
        last = first
        while time.monotonic() < began + turn_s:
            last = client.state()
            figures.latency_p50_us.append(last.timing.wakeup_latency_p50_us)
            figures.latency_p99_us.append(last.timing.wakeup_latency_p99_us)
            time.sleep(1.0)
        figures.cpu.append((_cpu_s(page) - cpu) / (time.monotonic() - began))
        overruns = last.timing.overruns - first.timing.overruns
        figures.overruns_per_s.append(overruns / (last.time - first.time))
    finally:
        page.send_signal(signal.SIGCONT)
        if tab is not None:
            tab.close()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _close_a_tab(client: SkillClient, url: str) -> float:
    """Returns the time from the end of a tab that steers until the arm holds [s]."""
    tab = open_tab(url)

    def steers(state: Telemetry) -> bool:
        _click_disc(tab)  # again, since a tab whose first ping is not answered yet is refused
        time.sleep(0.1)
        return state.mode == "skill" and state.command == "skill"

    closed = _wait(client, steers).time
    tab.close()
    return _wait(client, lambda state: state.mode == "hold").time - closed


def _click_disc(tab: RawTab) -> None:
    """Clicks on the disc of skills, from above."""
    x, y = float(DISC[0]) + 0.1, float(DISC[1])
    tab.send(
        "ScenePointerMessage",
        event_type="click",
        ray_origin=(x, y, 1.0),
        ray_direction=(0.0, 0.0, -1.0),
        screen_pos=((0.5, 0.5),),
        modifier=None,
    )


def _wait(client: SkillClient, wanted: Callable[[Telemetry], bool]) -> Telemetry:
    """Returns the first wanted state.

    Raises:
        SystemExit: None came in time.
    """
    deadline = time.monotonic() + WAIT_S
    for state in client.telemetry():
        if wanted(state):
            return state
        if time.monotonic() > deadline:
            break
    raise SystemExit(f"the arm did not follow the page within {WAIT_S:g} s")


@contextmanager
def _serving(config: Config) -> Generator[tuple[str, str, psutil.Process]]:
    """Runs a server and a page; yields the server's address, the page's, and its process."""
    address = local_address(config.port)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    serve = [sys.executable, "-m", "skill_runtime.cli.serve", "--model", str(config.model)]
    server = subprocess.Popen(
        [*serve, "--port", str(config.port), "--log-level", "error"],
        stdout=subprocess.DEVNULL,
        env=environment,
    )
    try:
        _await_server(address, server)
        web = [sys.executable, "-m", "skill_runtime.cli.subscribers.web", "--address", address]
        page = subprocess.Popen(
            [*web, "--port", str(config.port + 3)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        try:
            assert page.stdout is not None  # a pipe
            words = page.stdout.readline().split()
            if len(words) != 2:
                raise SystemExit("the page did not start; the reason is above")
            yield address, words[1], psutil.Process(page.pid)
        finally:
            with suppress(ProcessLookupError):
                page.send_signal(signal.SIGCONT)
            page.terminate()
            page.wait()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def _await_server(address: str, server: subprocess.Popen[bytes]) -> None:
    with SkillClient(address, timeout_s=1.0) as client:
        while server.poll() is None:
            with suppress(Exception):
                client.hello()
                return
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.serving.web", description=__doc__)
