"""One skill-serve process, its peers, and a recording of its telemetry.

For failures.py and endurance.py.

The server's clock is one of the machine's (clock.py), also in another network namespace: the time
at which a signal is sent here is a server time.
"""

from __future__ import annotations

import contextlib
import json
import math
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from skill_proto.arrays import Array
from skill_proto.messages import Telemetry
from skill_runtime.control.arm_link import REST_VELOCITY
from skill_runtime.realtime.clock import MonotonicClock

CLOCK = MonotonicClock()
"""The server's."""

PEERS = "benchmarks.serving.failures.peers"
SKILL_SERVE = ("-m", "skill_runtime.cli.serve")

PATIENCE_S = 60.0
"""Longest wait for anything that should happen, on a machine that is busy with other things [s]."""

MOVING_RAD_S = 0.1
"""A joint this fast makes the arm one that moves [rad/s]."""

ADDRESS = "127.0.0.1"

Line = dict[str, Any]
T = TypeVar("T")


class NeverHappenedError(RuntimeError):
    """What was waited for did not come."""


def free_port() -> int:
    """The first of three ports in a row that nobody uses."""
    while True:
        with contextlib.ExitStack() as probes:
            first = probes.enter_context(socket.socket())
            first.bind((ADDRESS, 0))
            port = first.getsockname()[1]
            try:
                for offset in (1, 2):
                    probes.enter_context(socket.socket()).bind((ADDRESS, port + offset))
            except (OSError, OverflowError):
                continue
            return port


class Process:
    """A process of ours whose lines are read as they come.

    Args:
        command: what to run.
        note: is told each line.
    """

    def __init__(self, command: Sequence[str], note: Callable[[bytes], None]) -> None:
        self._note = note
        self._popen = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None  # it was asked for
        for line in self._popen.stdout:
            if line.endswith(b"\n"):  # else it was killed in the middle
                self._note(line)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    def signal(self, number: signal.Signals) -> float:
        """Sends it and returns the time just before [s]."""
        now = CLOCK.now()
        self._popen.send_signal(number)
        return now

    def end(self) -> None:
        """Kills it, stopped or not."""
        self._popen.kill()
        self._popen.wait()
        self._thread.join()
        if self._popen.stdout is not None:
            self._popen.stdout.close()


class Peer(Process):
    """One of failure_peers.py.

    Attributes:
        lines: what it has printed.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.lines: list[Line] = []
        super().__init__(command, lambda line: self.lines.append(json.loads(line)))

    def said(self, what: str, since: float = 0.0) -> Line | None:
        """The first line of that kind after the server time ``since`` [s]."""
        found = (line for line in list(self.lines) if line["what"] == what and line["at"] > since)
        return next(found, None)

    def wait_for(self, what: str, since: float = 0.0) -> Line:
        """The same, waited for.

        Raises:
            NeverHappenedError: it did not come.
        """

        def find() -> Line | None:
            ended = self._popen.poll() is not None and not self._thread.is_alive()
            line = self.said(what, since)
            if line is None and ended:
                raise NeverHappenedError(f"{self._popen.args} ended without {what!r}")
            return line

        return wait_for(find, f"{what!r} from {self._popen.args}")

    def check(self) -> None:
        """Returns if it still runs.

        Raises:
            NeverHappenedError: it has ended.
        """
        if self._popen.poll() is not None:
            raise NeverHappenedError(f"{self._popen.args} ended; it said {self.lines[-1:]}")


class Recording(Process):
    """A subscriber that keeps every state, or the newest ones.

    Args:
        command: prints the states.
        keep: how many to keep; None for all.

    Attributes:
        states: in the order they came.
    """

    def __init__(self, command: Sequence[str], keep: int | None = None) -> None:
        self.states: deque[Telemetry] = deque(maxlen=keep)
        super().__init__(
            command, lambda line: self.states.append(Telemetry.model_validate_json(line))
        )

    def between(self, since: float, until: float = math.inf) -> list[Telemetry]:
        """States of server time after ``since``, up to ``until`` [s]."""
        return [state for state in list(self.states) if since < state.time <= until]

    def last_before(self, instant: float) -> Telemetry:
        """The newest state at that server time [s]."""
        return self.between(-math.inf, instant)[-1]

    def wait_for(self, wanted: Callable[[Telemetry], bool], since: float = 0.0) -> Telemetry:
        """The first state after ``since`` that is wanted.

        Raises:
            NeverHappenedError: none came.
        """
        return wait_for(
            lambda: next(filter(wanted, self.between(since)), None),
            lambda: f"that state; the last was {list(self.states)[-1:]}",
        )

    def wait_for_mode(self, mode: str, since: float) -> Telemetry:
        """The first state after ``since`` with that mode.

        Raises:
            NeverHappenedError: none came.
        """
        return self.wait_for(lambda state: state.mode == mode, since)

    def rest_after(self, since: float, until: float) -> Rest:
        """Times from ``since`` to rest that lasts, as far as ``until`` [s]."""
        states = self.between(since - 1.0, until)
        times = np.array([state.time for state in states])
        told = np.array([_numbers(state.joint_setpoint) for state in states])
        told_speed = np.abs(np.diff(told, axis=0)).max(1) / np.diff(times)
        measured = np.array([measured_speed(state) for state in states[1:]])
        return Rest(_rest(times[1:], told_speed, since), _rest(times[1:], measured, since))


class Rest(NamedTuple):
    """Times until the joints stay slower than 0.01 rad/s, infinite where they did not [s]."""

    setpoint_s: float
    """As they are told."""
    joints_s: float
    """As measured: an arm as soft as the simulated one swings a little."""


def _rest(times: Array, speeds: Array, since: float) -> float:
    moving = np.flatnonzero((speeds >= REST_VELOCITY) & (times > since))
    if not len(moving):
        return 0.0
    if moving[-1] + 1 == len(times):
        return math.inf
    return float(times[moving[-1] + 1] - since)


def measured_speed(state: Telemetry) -> float:
    """That of the fastest joint [rad/s]."""
    return float(np.abs(_numbers(state.joint_velocity)).max())


def way(before: Telemetry, after: Telemetry) -> float:
    """How far the joint that has come farthest has come [rad]."""
    moved = np.subtract(_numbers(after.joint_position), _numbers(before.joint_position))
    return float(np.abs(moved).max())


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.inf if value is None else value for value in values]


def wait_for(find: Callable[[], T | None], what: str | Callable[[], str]) -> T:
    """What ``find`` finds, as soon as it does.

    Raises:
        NeverHappenedError: it never did.
    """
    ends = CLOCK.now() + PATIENCE_S
    while (found := find()) is None:
        if CLOCK.now() > ends:
            raise NeverHappenedError(
                f"waited in vain for {what if isinstance(what, str) else what()}"
            )
        time.sleep(0.005)
    return found


class Rig:
    """A server on free ports; leaving the block ends whatever was started.

    Args:
        model: the policy file.
        options: more words of skill-serve's command line.
        prefix: words before the commands of server and recording, such as ``ip netns exec NAME``.
        program: of the server, in words for Python.
        keep: states to keep in the recording; None for all.

    Attributes:
        port: where it takes commands; telemetry and stop are the next two.
        address: the same as an address.
        telemetry_address: of its telemetry.
        stop_address: of its stop socket.
        recording: of its telemetry.
    """

    def __init__(
        self,
        model: Path,
        *options: str,
        prefix: Sequence[str] = (),
        program: Sequence[str] = SKILL_SERVE,
        keep: int | None = None,
    ) -> None:
        self.port = free_port()
        self.address, self.telemetry_address, self.stop_address = (
            f"tcp://{ADDRESS}:{self.port + offset}" for offset in range(3)
        )
        self._model = model
        self._options = options
        self._prefix = prefix
        self._program = program
        self._keep = keep
        self._started: list[Process] = []
        self._server: subprocess.Popen[bytes] | None = None

    def start_server(self) -> None:
        """Starts skill-serve, also again on the same ports."""
        command = [sys.executable, *self._program, "--model", str(self._model)]
        command += ["--no-demo", "--port", str(self.port), *self._options]
        # Not their own text, but their failure is of interest: standard error is left as it is.
        self._server = subprocess.Popen([*self._prefix, *command], stdout=subprocess.DEVNULL)

    @property
    def server_pid(self) -> int:
        """Number of the server's process."""
        assert self._server is not None  # started on entry
        return self._server.pid

    def peer(self, *words: str, prefix: Sequence[str] = (), roles: str = PEERS) -> Peer:
        """Starts one of failure_peers.py, or of ``roles``; returns once it does what it is for.

        Raises:
            NeverHappenedError: it does not.
        """
        peer = Peer([*prefix, sys.executable, "-m", roles, *words])
        self._started.append(peer)
        peer.wait_for("ok")
        return peer

    def controller(self, *options: str, prefix: Sequence[str] = ()) -> Peer:
        """Starts a controller and returns once it steers an arm that moves."""
        peer = self.peer("controller", self.address, *options, prefix=prefix)
        self.wait_moving()
        return peer

    def wait_moving(self, since: float = 0.0) -> Telemetry:
        """Returns once the arm moves by skill, after server time ``since`` [s]."""
        since = max(since, CLOCK.now() - 0.1)
        return self.recording.wait_for(
            lambda state: state.mode == "skill" and measured_speed(state) > MOVING_RAD_S, since
        )

    def signal_server(self, number: signal.Signals) -> float:
        """Sends it and returns the time just before [s]."""
        assert self._server is not None  # started on entry
        now = CLOCK.now()
        self._server.send_signal(number)
        return now

    def end_server(self) -> None:
        """Waits for a killed server, or kills it."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def observe(self, seconds: float) -> float:
        """Waits, and returns the server time up to which everything has been recorded [s]."""
        ends = CLOCK.now() + seconds
        self.recording.wait_for(lambda state: state.time >= ends, ends)
        return ends

    def __enter__(self) -> Self:
        try:
            self.start_server()
            words = [sys.executable, "-m", PEERS, "record", self.telemetry_address]
            self.recording = Recording([*self._prefix, *words], self._keep)
            self._started.append(self.recording)
            self.recording.wait_for(lambda state: True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for peer in self._started:
            peer.end()
        self.end_server()
