"""The attacked server: a real process, its child processes, their memory and their log."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

import psutil
import zmq

from benchmarks.serving.failures.client_process import NeverHappenedError
from benchmarks.serving.failures.rig import ADDRESS, free_port
from benchmarks.serving.processes import Role, find_processes

START_S = 60.0
END_S = 10.0

CONTROLLER: Role = "controller"
SUPERVISOR: Role = "supervisor"

NETWORK_ROLES: tuple[Role, ...] = ("gateway", "stop listener", "policy service")

PROC = Path("/proc")


class Addresses(NamedTuple):
    """Addresses of the three sockets, ``tcp://HOST:PORT``."""

    commands: str
    telemetry: str
    stop: str


class Memory(NamedTuple):
    """Memory of one process [MB]."""

    rss: float
    pss: float
    peak: float
    """Largest resident memory since :meth:`Server.reset_peaks`."""


def sizes_mb(path: Path) -> dict[str, float]:
    """Reads the sizes of a file such as ``/proc/PID/status`` [MB]; empty if it is gone."""
    found: dict[str, float] = {}
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="ascii", errors="replace").splitlines():
            name, _, value = line.partition(":")
            words = value.split()
            if words[1:] == ["kB"]:
                found[name] = 1024 * int(words[0]) / 1e6
    return found


class Server:
    """A skill-serve process on free ports, until the end of the block.

    Args:
        command: Command of skill-serve, without options.
        options: Options of skill-serve.
        log: File of its output.
    """

    def __init__(self, command: Sequence[str], options: Sequence[str], log: Path) -> None:
        port = free_port()
        self.addresses = Addresses(*(f"tcp://{ADDRESS}:{port + offset}" for offset in range(3)))
        self.log = log
        self._output: IO[bytes] = log.open("wb")
        self._popen = subprocess.Popen(
            [*command, "--no-demo", "--port", str(port), *options],
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _wait_until_it_answers(self) -> None:
        ends = time.monotonic() + START_S
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.linger = 0
            socket.connect(self.addresses.commands)
            socket.send(b'{"type":"hello"}')
            while not socket.poll(100):
                if self._popen.poll() is not None or time.monotonic() > ends:
                    text = self.log.read_text(errors="replace")
                    raise NeverHappenedError(f"skill-serve did not start:\n{text}")

    @property
    def alive(self) -> bool:
        """Whether the process that was started still runs."""
        return self._popen.poll() is None

    def processes(self) -> dict[Role, psutil.Process]:
        """Returns the processes by role; none after the end of the server."""
        return find_processes(self._popen.pid)

    def reset_peaks(self) -> None:
        """Begins a new measurement of the largest resident memory."""
        for process in self.processes().values():
            with contextlib.suppress(OSError):
                (PROC / str(process.pid) / "clear_refs").write_text("5")

    def memory(self) -> dict[Role, Memory]:
        """Returns the memory of each process, by role."""
        found: dict[Role, Memory] = {}
        for role, process in self.processes().items():
            status = sizes_mb(PROC / str(process.pid) / "status")
            shares = sizes_mb(PROC / str(process.pid) / "smaps_rollup")
            if "VmRSS" in status:
                found[role] = Memory(
                    rss=status["VmRSS"],
                    pss=shares.get("Pss", 0.0),
                    peak=status.get("VmHWM", status["VmRSS"]),
                )
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        processes = self.processes().values()
        self._popen.terminate()
        try:
            self._popen.wait(END_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        for process in processes:  # one that survives its supervisor would hold the ports
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._output.close()
