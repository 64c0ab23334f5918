"""The messages of all child processes, through one pipe to the parent, which prints them.

A terminal that is paused, or a full disk, makes a process that prints wait. The children write to a
pipe that never makes them wait: when it is full, their messages are dropped.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress

from skill_runtime.console.logs import PACKAGES, LogLevel, PrintableFormatter

MAX_RECORD_BYTES = 4000
"""A longer record is cut; up to PIPE_BUF bytes (4,096 on Linux) are written as a whole, pipe(7)."""

MAX_LINE_LENGTH = 8192
"""A longer line is shown in parts [characters]."""


class PipeHandler(logging.Handler):
    """Writes log records to standard error in one system call, without waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(PrintableFormatter(""))

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record as one line; a traceback follows it."""
        text = self.format(record).encode("utf-8", "replace")
        with suppress(OSError):
            os.write(2, text[:MAX_RECORD_BYTES] + b"\n")


def log_to_pipe(level: LogLevel) -> None:
    """Sends the log records of this process to the parent; standard error must be its pipe."""
    os.set_blocking(2, False)
    logging.basicConfig(level=logging.WARNING, handlers=[PipeHandler()], force=True)
    for package in PACKAGES:  # libraries have too many records below a warning
        logging.getLogger(package).setLevel(level.upper())
    logging.raiseExceptions = False


class LogPipe:
    """The parent's side: prints each line of the children.

    Args:
        show: Prints one line.

    Attributes:
        writer: Descriptor for the standard error of the children.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._reader, self.writer = os.pipe()
        self._show = show
        # A thread: printing may block, and must not keep the children from being supervised.
        self._thread = threading.Thread(target=self._run, name="log-pipe", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with open(self._reader, encoding="utf-8", errors="replace") as lines:
            while line := lines.readline(MAX_LINE_LENGTH):
                self._show(line.rstrip("\n"))

    def close(self, timeout_s: float = 1.0) -> None:
        """Prints the rest, once all children have ended."""
        os.close(self.writer)
        self._thread.join(timeout_s)
