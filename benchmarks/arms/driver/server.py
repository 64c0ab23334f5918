"""A skill-serve that moves a robot, with a tracker of the cube and an observer of its telemetry."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.arms.box_process import BoxProcess
from skill_proto.messages import Telemetry, Track
from skill_robots.objects import CUBE
from skill_runtime.client import ClientError, Connection, SkillClient
from skill_runtime.realtime.clock import MonotonicClock

SKILL_SERVE = ("-m", "skill_runtime.cli.serve")

START_S = 60.0
"""Longest wait for the server and the robot [s]."""

END_S = 15.0
"""Longest wait for the end of the server [s]."""


@dataclass
class Observed:
    """Figures of the telemetry, collected while a policy moves the arm."""

    success_rates: list[float] = field(default_factory=list[float])
    lateness_s: list[float] = field(default_factory=list[float])
    first: Telemetry | None = None
    newest: Telemetry | None = None
    refused: dict[str, int] = field(default_factory=dict[str, int])
    """Interventions of the governor by mode."""

    def add(self, state: Telemetry) -> None:
        """Adds one state."""
        self.first = self.first or state
        before = self.newest or state
        refused = _refused(state) - _refused(before)
        if refused:
            self.refused[state.mode] = self.refused.get(state.mode, 0) + refused
        self.newest = state
        connection = state.connection
        if connection is not None and state.mode == "skill":
            self.lateness_s.append(connection.lateness_s)
            if connection.success_rate is not None:
                self.success_rates.append(connection.success_rate)

    def figures(self) -> dict[str, object]:
        """Returns the figures as JSON."""
        first, newest = self.first, self.newest
        assert first is not None
        assert newest is not None
        ticks = newest.tick - first.tick
        overruns = newest.timing.overruns - first.timing.overruns
        governor = {
            name: count for name, count in newest.counters.items() if name.startswith("governor.")
        }
        connection = newest.connection
        return {
            "seconds": round(newest.time - first.time, 1),
            "states": len(self.success_rates),
            "success_rate_mean": round(float(np.mean(self.success_rates)), 5),
            "success_rate_least": round(float(np.min(self.success_rates)), 3),
            "driver_lateness_p99_ms": round(1e3 * float(np.percentile(self.lateness_s, 99)), 2),
            "ticks": ticks,
            "overruns": overruns,
            "overrun_share": round(overruns / max(ticks + overruns, 1), 6),
            "governor_interventions": sum(governor.values()),
            "interventions_by_mode": self.refused,
            "governor": governor,
            "reflexes": None if connection is None else connection.reflexes,
            "missed_setpoints": None if connection is None else connection.missed_setpoints,
            "faults": {
                name: count for name, count in newest.counters.items() if name.startswith("faults.")
            },
            "stops": newest.counters.get("stops", 0),
            "execution_time_p99_us": newest.timing.execution_time_p99_us,
        }


def _refused(state: Telemetry) -> int:
    """Returns the number of set-points that the governor has refused."""
    return state.counters.get("governor", 0)


class Observer(ABC):
    """Observes the telemetry in a thread, and works in another one, until :meth:`end`.

    Args:
        address: of the server's commands.
        keep: gets every state.
    """

    def __init__(self, address: str, keep: Callable[[Telemetry], object]) -> None:
        self.address, self._keep = address, keep
        self.ended = threading.Event()
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self.work, self._observe)
        ]
        for thread in self._threads:
            thread.start()

    @abstractmethod
    def work(self) -> None:
        """Works until :attr:`ended` is set."""

    def end(self) -> None:
        """Ends both threads."""
        self.ended.set()
        for thread in self._threads:
            thread.join()

    def _observe(self) -> None:
        with SkillClient(self.address, name="observer") as client:
            while not self.ended.is_set():
                with suppress(ClientError):
                    self._keep(client.state())


class Watch(Observer):
    """Tracks the cube, and observes the telemetry.

    Args:
        box: the control box.
        address: of the server's commands.

    Attributes:
        observed: figures of the telemetry.
    """

    def __init__(self, box: BoxProcess, address: str) -> None:
        self.observed = Observed()
        self._box = box
        super().__init__(address, self.observed.add)

    def work(self) -> None:
        """Sends every new pose of the cube."""
        connection, clock = Connection(self.address, 1.0), MonotonicClock()
        while not self.ended.is_set():
            truth = self._box.next_truth()
            if truth is None:
                continue
            x, y, z = truth.cube.position.tolist()
            w, i, j, k = truth.cube.quaternion.tolist()
            u, v, o = truth.cube.velocity.tolist()
            message = Track(
                object=CUBE,
                captured=clock.now(),
                position=(x, y, z),
                quaternion=(w, i, j, k),
                velocity=(u, v, o),
            )
            with suppress(ClientError):
                connection.ask(message)


@contextmanager
def serving(
    box: BoxProcess, model: Path, *, servo_rate_hz: float, options: Sequence[str] = ()
) -> Generator[tuple[subprocess.Popen[bytes], str]]:
    """Runs skill-serve with the robot of a box; yields process and address of the commands.

    Its sockets are Unix sockets, which a cut network leaves alone.
    """
    command = [sys.executable, *SKILL_SERVE, "--model", str(model), "--arm", "franka"]
    command += ["--address", box.address, "--realtime", "--servo-rate", f"{servo_rate_hz:g}"]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("commands", "telemetry", "stop"):
            command += [f"--{name}", f"ipc://{folder}/{name}"]
        process = subprocess.Popen([*command, *options])
        address = f"ipc://{folder}/commands"
        try:
            _wait_until_it_answers(process, address)
            yield process, address
        finally:
            if process.poll() is None:
                process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
            process.kill()
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], address: str) -> None:
    ends = time.monotonic() + START_S
    with SkillClient(address) as client:
        while time.monotonic() < ends and process.poll() is None:
            try:
                client.hello()
            except ClientError:
                time.sleep(0.2)
            else:
                return
    raise RuntimeError("skill-serve does not answer; see its messages")
