"""A status line that is rewritten in place on a terminal, and logged now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import threading
import time
import unicodedata
from typing import TextIO

from skill_proto.printable import printable, printable_lines
from skill_runtime.console.streams import discard_output as discard_output
from skill_runtime.console.writer import FLUSH_S, Writer

_ERASE = "\r\x1b[K"


class LiveLine:
    """The last line of standard output, and the permanent lines above it.

    No method blocks or raises, whatever became of terminal, pipe or disk. All texts are made
    printable. `flush` waits for the output, but not for ever.

    Args:
        log_period_s: Time between two lines if the output is not a terminal [s].
    """

    def __init__(self, log_period_s: float = 1.0) -> None:
        self._log_period_s = log_period_s
        self._live = _is_terminal(sys.stdout)
        self._last = -log_period_s
        self._lock = threading.Lock()
        self._output = Writer(sys.stdout)
        self._errors = Writer(sys.stderr)
        # Each text erases the line that it finds, so that the two streams need no common order.
        self._erase = _ERASE if self._live else ""
        self._erase_errors = _ERASE if self._live and _is_terminal(sys.stderr) else ""

    def show(self, text: str) -> None:
        """Replaces the line with ``text``."""
        text = printable(text)
        if self._live:
            columns = shutil.get_terminal_size().columns - 1
            self._output.show(f"{_ERASE}{cut(text, columns)}")
            return
        with self._lock:
            now = time.monotonic()
            due = now >= self._last + self._log_period_s
            if due:
                self._last = now
        if due:
            self._output.line(text)

    def say(self, text: str) -> None:
        """Writes permanent lines to standard output, in place of the status line."""
        self._output.line(f"{self._erase}{printable_lines(text)}")

    def above(self, text: str) -> None:
        """Writes permanent lines to standard error, above the status line."""
        self._errors.line(f"{self._erase_errors}{printable_lines(text)}")

    def end(self) -> None:
        """Keeps the last line, moves the cursor below it, and waits for the output."""
        if self._live:
            self._output.line("")
        self.flush()

    def flush(self, timeout_s: float = FLUSH_S) -> None:
        """Waits until all output is written, at most ``timeout_s`` [s]."""
        ends = time.monotonic() + timeout_s
        self._output.flush(timeout_s)
        self._errors.flush(ends - time.monotonic())


def cut(text: str, columns: int) -> str:
    """Returns the beginning of the text that fits into so many columns of a terminal."""
    if len(text) <= columns and text.isascii():
        return text
    used = 0
    for index, character in enumerate(text):
        used += _width(character)
        if used > columns:
            return text[:index]
    return text


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # a closed stream
        return False
