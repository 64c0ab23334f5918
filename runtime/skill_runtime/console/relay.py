"""The output of child processes, printed by their parent: one process alone uses the terminal."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

LONGEST_LINE = 8192
"""Longest line that is passed on whole [bytes]."""


class Relay:
    """A pipe that passes the lines of child processes on.

    The thread that reads it never waits for a terminal, so that a child never waits for its output.
    It ends when all children have ended and `close` was called.

    Args:
        write: Receives one line at a time; must neither block nor raise (`LiveLine.above`).

    Attributes:
        descriptor: The end for ``subprocess.Popen(stdout=..., stderr=...)``.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._reader, self.descriptor = os.pipe()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float = 1.0) -> None:
        """Closes this process's end and waits for the lines that the children have left [s]."""
        os.close(self.descriptor)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        rest = b""
        while data := os.read(self._reader, 65536):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines.append(rest)
                rest = b""
            for line in lines:
                self._pass_on(line)
        if rest:
            self._pass_on(rest)
        os.close(self._reader)

    def _pass_on(self, line: bytes) -> None:
        text = line[:LONGEST_LINE].decode("utf-8", "backslashreplace").rstrip()
        if text:
            self._write(text)
