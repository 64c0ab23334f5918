"""Client processes whose output is read line by line.

All processes of the machine share the server's clock (skill_runtime.realtime.clock), also in
another network namespace. So the local time of a signal is a server time.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from skill_runtime.realtime.clock import MonotonicClock

CLOCK = MonotonicClock()
"""The clock of the server."""

TIMEOUT_S = 60.0
"""Longest wait for an expected event, also on a busy machine [s]."""

Line = dict[str, Any]
T = TypeVar("T")


class NeverHappenedError(RuntimeError):
    """An expected event did not occur in time."""


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
