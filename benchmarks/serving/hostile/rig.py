"""The attacked server: a real process, its child processes, their memory and their log."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

import psutil
import zmq

from benchmarks.serving.failures.rig import ADDRESS, NeverHappenedError, free_port

START_S = 60.0
END_S = 10.0

ROLES = {
    "skill_runtime.processes.gateway": "gateway",
    "skill_runtime.stop_listener": "stop listener",
    "skill_runtime.processes.policy_service": "policy service",
    "skill_runtime.processes.controller": "controller",
}
"""Program of a child process, by a word of its command line."""

CONTROLLER, SUPERVISOR = "controller", "supervisor"

NETWORK_ROLES = ("gateway", "stop listener", "policy service")

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


def descendants(pid: int) -> list[int]:
    """Returns the process and all processes that it or they have started."""
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return [pid]


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

    def processes(self) -> dict[str, int]:
        """Returns the process ids by role; a server of one process is its own controller."""
        found: dict[str, int] = {}
        for pid in descendants(self._popen.pid):
            with contextlib.suppress(OSError):
                text = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace")
                words = text.split("\0")
                role = next((r for word, r in ROLES.items() if any(word in w for w in words)), "")
                if pid == self._popen.pid:
                    role = SUPERVISOR
                if role:
                    found[role] = pid
        if CONTROLLER not in found and SUPERVISOR in found:
            found[CONTROLLER] = found.pop(SUPERVISOR)
        return found

    def reset_peaks(self) -> None:
        """Begins a new measurement of the largest resident memory."""
        for pid in self.processes().values():
            with contextlib.suppress(OSError):
                (PROC / str(pid) / "clear_refs").write_text("5")

    def memory(self) -> dict[str, Memory]:
        """Returns the memory of each process, by role."""
        found: dict[str, Memory] = {}
        for role, pid in self.processes().items():
            status = sizes_mb(PROC / str(pid) / "status")
            shares = sizes_mb(PROC / str(pid) / "smaps_rollup")
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
        children = descendants(self._popen.pid)[1:]
        self._popen.send_signal(signal.SIGTERM)
        try:
            self._popen.wait(END_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        for pid in children:  # a process that survives its supervisor would hold the ports
            with contextlib.suppress(OSError):
                if b"skill" in (PROC / str(pid) / "cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
        self._output.close()


def resident_mb(pids: Sequence[int]) -> list[float]:
    """Returns the resident memory of processes, cheaply; 0 for one that has ended [MB]."""
    page_mb = os.sysconf("SC_PAGE_SIZE") / 1e6
    found: list[float] = []
    for pid in pids:
        try:
            pages = (PROC / str(pid) / "statm").read_text().split()[1]
        except (OSError, IndexError):
            pages = "0"
        found.append(int(pages) * page_mb)
    return found
