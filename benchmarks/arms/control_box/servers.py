"""The two simulators, each as a process that is measured from outside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

FRANKY_SIM = "franky-sim==1.0.4"
FIFO_PRIORITY = 80
"""That of skill-control-box, given to franky-sim, too."""
READY_S = 60.0
"""Longest time until a simulator listens [s]."""

_WITH_FIFO = (
    "import os, sys\n"
    "try: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(int(sys.argv[1])))\n"
    "except OSError: pass\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
"""Runs a command with real-time scheduling, if the system grants it."""


class SimulatorError(RuntimeError):
    """A simulator does not start, or ends before its time."""


class Simulator:
    """A running simulator.

    Attributes:
        scheduling: "SCHED_FIFO" or "ordinary".
    """

    def __init__(self, command: list[str], address: str, log: Path) -> None:
        with log.open("w") as stream:
            self._popen = subprocess.Popen(command, stdout=stream, stderr=stream)
        self._log = log
        self._process = psutil.Process(self._popen.pid)
        self._wait_until_it_listens(address)
        fifo = os.sched_getscheduler(self._popen.pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
        self.scheduling = "SCHED_FIFO" if fifo else "ordinary"

    def processor_s(self) -> float:
        """Returns the processor time of the simulator and its children so far [s]."""
        total = 0.0
        for process in (self._process, *self._process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def end(self) -> None:
        """Ends the simulator as Ctrl-C does."""
        self._popen.send_signal(signal.SIGINT)
        try:
            self._popen.wait(10.0)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def _wait_until_it_listens(self, address: str) -> None:
        ends = time.monotonic() + READY_S
        while (address, 1337) not in {
            (c.laddr.ip, c.laddr.port)
            for c in self._process.net_connections("tcp")
            if c.status == psutil.CONN_LISTEN
        }:
            if self._popen.poll() is not None or time.monotonic() > ends:
                self._popen.kill()
                raise SimulatorError(f"no simulator at {address}: {self._log.read_text()[-2000:]}")
            time.sleep(0.1)


@contextmanager
def control_box(address: str, report: Path) -> Generator[Simulator]:
    """Runs skill-control-box until the end of the block; it writes its report there."""
    log = report.with_suffix(".log")
    command = [sys.executable, "-m", "skill_runtime.cli.control_box", "--robot", "fr3"]
    simulator = Simulator([*command, "--address", address, "--json", str(report)], address, log)
    try:
        yield simulator
    finally:
        simulator.end()


@contextmanager
def franky_sim(address: str, python: Path) -> Generator[Simulator]:
    """Runs franky-sim without a window until the end of the block."""
    with tempfile.TemporaryDirectory() as folder:
        server = ["-m", "franky_sim.run_server", "--simulator", "mujoco", "--hostname", address]
        command = [sys.executable, "-c", _WITH_FIFO, str(FIFO_PRIORITY), str(python), *server]
        simulator = Simulator(command, address, Path(folder) / "log")
        try:
            yield simulator
        finally:
            simulator.end()


def franky_sim_python() -> Path:
    """Returns the interpreter of a virtual environment with franky-sim, which is made once.

    Raises:
        SimulatorError: the environment cannot be made.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    folder = base / "skill-serve" / "benchmarks" / FRANKY_SIM.replace("==", "-")
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([*pip, FRANKY_SIM], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SimulatorError(f"{FRANKY_SIM} cannot be installed: {error}") from None
    (folder / "complete").touch()
    return python


def read_report(path: Path) -> dict[str, object]:
    """Returns the report of skill-control-box."""
    return json.loads(path.read_text(encoding="utf-8"))
