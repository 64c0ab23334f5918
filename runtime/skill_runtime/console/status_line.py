"""A status line that is rewritten in place on a terminal, and logged now and then elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time

_ERASE = "\r\x1b[K"


def discard_output() -> None:
    """Discards all further standard output; for use after a BrokenPipeError.

    The reader, such as ``| head``, has closed the pipe. Without this call Python reports its
    unwritten buffer as an error when the program ends.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class LiveLine:
    """The last line of standard output.

    Args:
        log_period_s: Time between two lines if the output is not a terminal [s].
    """

    def __init__(self, log_period_s: float = 1.0) -> None:
        self._log_period_s = log_period_s
        self._live = sys.stdout.isatty()
        self._last = -log_period_s
        self._lock = threading.Lock()

    def show(self, text: str) -> None:
        """Replaces the line with ``text``."""
        with self._lock:
            if self._live:
                width = shutil.get_terminal_size().columns - 1
                sys.stdout.write(f"{_ERASE}{text[:width]}")
            elif time.monotonic() >= self._last + self._log_period_s:
                self._last = time.monotonic()
                sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def above(self, text: str) -> None:
        """Writes a permanent line to standard error, above the status line."""
        with self._lock:
            if self._live:
                sys.stdout.write(_ERASE)
                sys.stdout.flush()
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def end(self) -> None:
        """Keeps the last line and moves the cursor below it."""
        if self._live:
            sys.stdout.write("\n")
            sys.stdout.flush()
