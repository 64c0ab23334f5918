"""A skill-serve process, its client processes (peers), and a recording of its telemetry.

All processes of the machine share the server's clock (skill_runtime.realtime.clock), also in
another network namespace. So the local time of a signal is a server time.
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
from skill_runtime.control.state_monitor import REST_VELOCITY
from skill_runtime.realtime.clock import MonotonicClock

CLOCK = MonotonicClock()
"""The clock of the server."""

PEERS = "benchmarks.serving.failures.peers"
SKILL_SERVE = ("-m", "skill_runtime.cli.serve")

TIMEOUT_S = 60.0
"""Longest wait for an expected event, also on a busy machine [s]."""

MOVING_RAD_S = 0.1
"""The arm moves if a joint is faster than this [rad/s]."""

ADDRESS = "127.0.0.1"

Line = dict[str, Any]
T = TypeVar("T")


class NeverHappenedError(RuntimeError):
    """An expected event did not occur in time."""


def free_port() -> int:
    """Returns the first of three consecutive free ports."""
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
    """A child process whose output is read line by line.

    Args:
        command: Command of the process.
        on_line: Called with each line.
    """

    def __init__(self, command: Sequence[str], on_line: Callable[[bytes], None]) -> None:
        self._on_line = on_line
        self._popen = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None  # because of stdout=PIPE
        for line in self._popen.stdout:
            if line.endswith(b"\n"):  # a killed process may leave a partial line
                self._on_line(line)

    @property
    def pid(self) -> int:
        """Process ID."""
        return self._popen.pid

    def signal(self, number: signal.Signals) -> float:
        """Sends a signal and returns the time just before [s]."""
        now = CLOCK.now()
        self._popen.send_signal(number)
        return now

    def end(self) -> None:
        """Kills the process, also if it is stopped."""
        self._popen.kill()
        self._popen.wait()
        self._thread.join()
        if self._popen.stdout is not None:
            self._popen.stdout.close()


class Peer(Process):
    """A client process (benchmarks.serving.failures.peers).

    Attributes:
        lines: Events that the peer has printed.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.lines: list[Line] = []
        super().__init__(command, lambda line: self.lines.append(json.loads(line)))

    def find(self, event: str, since: float = 0.0) -> Line | None:
        """Returns the first line with ``event`` after the server time ``since`` [s]."""
        lines = list(self.lines)
        found = (line for line in lines if line["event"] == event and line["at"] > since)
        return next(found, None)

    def wait_for(self, event: str, since: float = 0.0) -> Line:
        """Waits for the first line with ``event`` after the server time ``since`` [s].

        Raises:
            NeverHappenedError: The peer did not print the event in time.
        """

        def find() -> Line | None:
            ended = self._popen.poll() is not None and not self._thread.is_alive()
            line = self.find(event, since)
            if line is None and ended:
                raise NeverHappenedError(f"{self._popen.args} ended without {event!r}")
            return line

        return wait_for(find, f"{event!r} from {self._popen.args}")

    def check(self) -> None:
        """Checks that the peer runs.

        Raises:
            NeverHappenedError: The peer has ended.
        """
        if self._popen.poll() is not None:
            raise NeverHappenedError(f"{self._popen.args} ended after {self.lines[-1:]}")


class Recording(Process):
    """A subscriber that keeps all states, or the newest ones.

    Args:
        command: Command that prints the states.
        keep: Number of states to keep; None for all.

    Attributes:
        states: Recorded states, the oldest first.
    """

    def __init__(self, command: Sequence[str], keep: int | None = None) -> None:
        self.states: deque[Telemetry] = deque(maxlen=keep)
        super().__init__(
            command, lambda line: self.states.append(Telemetry.model_validate_json(line))
        )

    def between(self, since: float, until: float = math.inf) -> list[Telemetry]:
        """Returns the states after the server time ``since``, up to ``until`` [s]."""
        return [state for state in list(self.states) if since < state.time <= until]

    def last_before(self, instant: float) -> Telemetry:
        """Returns the newest state at a server time [s]."""
        return self.between(-math.inf, instant)[-1]

    def wait_for(self, matches: Callable[[Telemetry], bool], since: float = 0.0) -> Telemetry:
        """Waits for the first matching state after the server time ``since`` [s].

        Raises:
            NeverHappenedError: No such state arrived in time.
        """
        return wait_for(
            lambda: next(filter(matches, self.between(since)), None),
            lambda: f"a state; the last one was {list(self.states)[-1:]}",
        )

    def wait_for_mode(self, mode: str, since: float) -> Telemetry:
        """Waits for the first state in ``mode`` after the server time ``since`` [s].

        Raises:
            NeverHappenedError: No such state arrived in time.
        """
        return self.wait_for(lambda state: state.mode == mode, since)

    def rest_after(self, since: float, until: float) -> Rest:
        """Returns the times from ``since`` to permanent rest, judged up to ``until`` [s]."""
        states = self.between(since - 1.0, until)
        times = np.array([state.time for state in states])
        setpoint = np.array([_numbers(state.joint_setpoint) for state in states])
        setpoint_speed = np.abs(np.diff(setpoint, axis=0)).max(1) / np.diff(times)
        measured = np.array([measured_speed(state) for state in states[1:]])
        return Rest(_rest(times[1:], setpoint_speed, since), _rest(times[1:], measured, since))


class Rest(NamedTuple):
    """Times until the joints stay slower than 0.01 rad/s; infinity if they do not [s]."""

    setpoint_s: float
    """For the set-point."""
    joints_s: float
    """For the measured joints; a compliant arm oscillates after its set-point is at rest."""


def _rest(times: Array, speeds: Array, since: float) -> float:
    moving = np.flatnonzero((speeds >= REST_VELOCITY) & (times > since))
    if not len(moving):
        return 0.0
    if moving[-1] + 1 == len(times):
        return math.inf
    return float(times[moving[-1] + 1] - since)


def measured_speed(state: Telemetry) -> float:
    """Returns the speed of the fastest joint [rad/s]."""
    return float(np.abs(_numbers(state.joint_velocity)).max())


def displacement(before: Telemetry, after: Telemetry) -> float:
    """Returns the largest displacement of a joint between two states [rad]."""
    moved = np.subtract(_numbers(after.joint_position), _numbers(before.joint_position))
    return float(np.abs(moved).max())


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.inf if value is None else value for value in values]


def wait_for(find: Callable[[], T | None], expected: str | Callable[[], str]) -> T:
    """Calls ``find`` until it returns a value, and returns this value.

    Raises:
        NeverHappenedError: ``find`` returned None for :data:`TIMEOUT_S`; the text names
            ``expected``.
    """
    ends = CLOCK.now() + TIMEOUT_S
    while (found := find()) is None:
        if CLOCK.now() > ends:
            text = expected if isinstance(expected, str) else expected()
            raise NeverHappenedError(f"waited {TIMEOUT_S:g} s without success for {text}")
        time.sleep(0.005)
    return found


class Rig:
    """A server on free ports; the end of the block ends all processes of the rig.

    Args:
        model: Policy file.
        options: Additional options of skill-serve.
        prefix: Words before the commands of server and recording, such as ``ip netns exec NAME``.
        program: Arguments of Python that start the server.
        keep: Number of states in the recording; None for all.

    Attributes:
        port: Port of the commands; telemetry and stop use the next two ports.
        address: Address of the commands.
        telemetry_address: Address of the telemetry.
        stop_address: Address of the stop socket.
        recording: Recording of the telemetry.
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
        """Starts skill-serve; a restart uses the same ports."""
        command = [sys.executable, *self._program, "--model", str(self._model)]
        command += ["--no-demo", "--port", str(self.port), *self._options]
        # Standard error is inherited, so that the reason of a failed start is visible.
        self._server = subprocess.Popen([*self._prefix, *command], stdout=subprocess.DEVNULL)

    @property
    def server_pid(self) -> int:
        """Process ID of the server."""
        assert self._server is not None  # started on entry
        return self._server.pid

    def peer(self, *words: str, prefix: Sequence[str] = (), roles: str = PEERS) -> Peer:
        """Starts a peer and waits until it is ready.

        Args:
            words: Role and options.
            prefix: Words before the command.
            roles: Module with the role.

        Raises:
            NeverHappenedError: The peer does not become ready.
        """
        peer = Peer([*prefix, sys.executable, "-m", roles, *words])
        self._started.append(peer)
        peer.wait_for("ok")
        return peer

    def controller(self, *options: str, prefix: Sequence[str] = ()) -> Peer:
        """Starts a controller and waits until it moves the arm."""
        peer = self.peer("controller", self.address, *options, prefix=prefix)
        self.wait_moving()
        return peer

    def wait_moving(self, since: float = 0.0) -> Telemetry:
        """Waits until the arm moves in mode ``skill``, after the server time ``since`` [s]."""
        since = max(since, CLOCK.now() - 0.1)
        return self.recording.wait_for(
            lambda state: state.mode == "skill" and measured_speed(state) > MOVING_RAD_S, since
        )

    def signal_server(self, number: signal.Signals) -> float:
        """Sends a signal to the server and returns the time just before [s]."""
        assert self._server is not None  # started on entry
        now = CLOCK.now()
        self._server.send_signal(number)
        return now

    def end_server(self) -> None:
        """Kills the server, if it still runs, and waits for its end."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def observe(self, seconds: float) -> float:
        """Waits for ``seconds``; returns the server time until which all states are recorded."""
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
