"""One line of a terminal, written over again and again; elsewhere a line now and then."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time

_ERASE = "\r\x1b[K"


def discard_output() -> None:
    """After a BrokenPipeError: whoever read the output, as in `| head`, is gone; so is the rest.

    Otherwise Python complains of what is left in its buffer when the program ends.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class LiveLine:
    """The line at the bottom of standard output.

    Args:
        log_period_s: time between two lines where the output is no terminal [s].
    """

    def __init__(self, log_period_s: float = 1.0) -> None:
        self._log_period_s = log_period_s
        self._live = sys.stdout.isatty()
        self._last = -log_period_s
        self._lock = threading.Lock()

    def show(self, text: str) -> None:
        """Shows ``text`` in place of what was there."""
        with self._lock:
            if self._live:
                width = shutil.get_terminal_size().columns - 1
                sys.stdout.write(f"{_ERASE}{text[:width]}")
            elif time.monotonic() >= self._last + self._log_period_s:
                self._last = time.monotonic()
                sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def above(self, text: str) -> None:
        """Puts a lasting line on standard error; the live one goes on below it."""
        with self._lock:
            if self._live:
                sys.stdout.write(_ERASE)
                sys.stdout.flush()
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def end(self) -> None:
        """Leaves the last line standing."""
        if self._live:
            sys.stdout.write("\n")
            sys.stdout.flush()
