"""A skill-serve with its processes, its client processes (peers), and a recording of telemetry."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import psutil

from benchmarks.serving.failures.client_process import (
    CLOCK,
    NeverHappenedError,
    Peer,
    Process,
    wait_for,
)
from benchmarks.serving.failures.recording import Recording, measured_speed
from benchmarks.serving.processes import Role, find_processes
from skill_proto.messages import Telemetry

PEERS = "benchmarks.serving.failures.peers"
SKILL_SERVE = ("-m", "skill_runtime.cli.serve")

END_S = 10.0
"""Time for the processes of a server to end; then they are killed [s]."""

SUSPEND_ORDER: tuple[Role, ...] = (
    *("supervisor", "controller"),
    *("policy service", "gateway", "stop listener"),
)
"""A process stops before those whose heartbeat it checks, and continues after them."""

MOVING_RAD_S = 0.1
"""The arm moves if a joint is faster than this [rad/s]."""

ADDRESS = "127.0.0.1"


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


class Rig:
    """A server on free ports; the end of the block ends all processes of the rig.

    Args:
        model: Policy file.
        options: Additional options of skill-serve.
        prefix: Words before the commands of server and recording, such as ``ip netns exec NAME``.
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
        keep: int | None = None,
    ) -> None:
        self.port = free_port()
        self.address, self.telemetry_address, self.stop_address = (
            f"tcp://{ADDRESS}:{self.port + offset}" for offset in range(3)
        )
        self._model = model
        self._options = options
        self._prefix = prefix
        self._keep = keep
        self._started: list[Process] = []
        self._server: subprocess.Popen[bytes] | None = None
        self._processes: dict[Role, psutil.Process] = {}

    def start_server(self) -> None:
        """Starts skill-serve; a restart uses the same ports."""
        command = [sys.executable, *SKILL_SERVE, "--model", str(self._model)]
        command += ["--no-demo", "--port", str(self.port), *self._options]
        # Standard error is inherited, so that the reason of a failed start is visible.
        self._server = subprocess.Popen([*self._prefix, *command], stdout=subprocess.DEVNULL)

    @property
    def server_pid(self) -> int:
        """Process ID of skill-serve, which supervises the other processes of the server."""
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

    def client(self, *options: str, prefix: Sequence[str] = ()) -> Peer:
        """Starts a client and waits until it moves the arm."""
        peer = self.peer("client", self.address, *options, prefix=prefix)
        self.wait_moving()
        return peer

    def wait_moving(self, since: float = 0.0) -> Telemetry:
        """Waits until the arm moves in mode ``skill``, after the server time ``since`` [s]."""
        since = max(since, CLOCK.now() - 0.1)
        return self.recording.wait_for(
            lambda state: state.mode == "skill" and measured_speed(state) > MOVING_RAD_S, since
        )

    def find_processes(self) -> dict[Role, psutil.Process]:
        """Returns the processes of the server; the last ones, once skill-serve has ended."""
        self._processes = find_processes(self.server_pid) or self._processes
        return self._processes

    def signal_server(self, number: signal.Signals, role: Role = "supervisor") -> float:
        """Sends a signal to a process of the server and returns the time just before [s].

        Raises:
            NeverHappenedError: No such process runs.
        """
        process = self.find_processes().get(role)
        if process is None:
            raise NeverHappenedError(f"the server has no process {role!r}")
        now = CLOCK.now()
        process.send_signal(number)
        return now

    def suspend_server(self) -> float:
        """Stops all processes of the server (SIGSTOP); returns the time just before [s].

        Their order is such that no process misses the heartbeat of another.
        """
        return self._signal_all(signal.SIGSTOP, SUSPEND_ORDER)

    def resume_server(self) -> float:
        """Continues all processes of the server (SIGCONT); returns the time just before [s]."""
        return self._signal_all(signal.SIGCONT, SUSPEND_ORDER[::-1])

    def _signal_all(self, number: signal.Signals, order: Sequence[Role]) -> float:
        processes = self.find_processes()
        now = CLOCK.now()
        for role in order:
            with contextlib.suppress(KeyError, psutil.NoSuchProcess):
                processes[role].send_signal(number)
        return now

    def wait_for_end(self) -> int:
        """Waits until skill-serve has ended by itself; returns its exit code.

        Raises:
            NeverHappenedError: It still runs.
        """
        assert self._server is not None  # started on entry
        return wait_for(self._server.poll, "the end of the server")

    def end_server(self) -> None:
        """Ends all processes of the server, also if they are stopped."""
        if self._server is None:
            return
        processes = self.find_processes()
        for process in processes.values():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended already
                process.send_signal(signal.SIGCONT)
        self._server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._server.wait(END_S)
        self._server.kill()
        self._server.wait()
        children = [process for process in processes.values() if process.pid != self._server.pid]
        _, alive = psutil.wait_procs(children, END_S)
        for process in alive:
            process.kill()

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
