"""The log of a program: printable, without floods, and never in the way of the program."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Literal

from skill_proto.printable import printable
from skill_runtime.console.repeats import Entry, Repeats
from skill_runtime.console.writer import FLUSH_S, Writer

LogLevel = Literal["debug", "info", "warning", "error"]
"""Least severe log records that a program prints."""

PACKAGES = ("skill_proto", "skill_robots", "skill_runtime")
"""Packages whose records a level below ``warning`` adds; libraries have too many of them."""

LONGEST_MESSAGE = 2000
"""Longest message that is logged whole [characters]."""

WAITING = 1000
"""Largest number of records that wait for the thread of the log; further ones are counted."""

_TRACE = "  | "
"""In front of each line of a traceback, so that no text in it can look like a log record."""


@contextmanager
def logging_to(
    write: Callable[[str], None], program: str, level: LogLevel = "info"
) -> Generator[None]:
    """Sends the log of this process to ``write``, until the end of the block.

    Args:
        write: Receives one record at a time, without an end of line. It is called in a thread of
            the log, and must neither block nor raise (`LiveLine.above`, `Writer.line`).
        program: Name of the program, in front of each record.
        level: Least severe records that are written.
    """
    handler = LogHandler(write, program)
    root = logging.getLogger()
    number = getattr(logging, level.upper())
    loggers = [root, *map(logging.getLogger, PACKAGES)]
    before = [logger.level for logger in loggers], root.handlers[:], logging.raiseExceptions
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    for logger in loggers[1:]:
        logger.setLevel(number)
    logging.raiseExceptions = False
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        handler.close()
        levels, root.handlers[:], logging.raiseExceptions = before
        for logger, old in zip(loggers, levels, strict=True):
            logger.setLevel(old)


@contextmanager
def logging_to_stderr(program: str, level: LogLevel = "warning") -> Generator[None]:
    """Sends the log of this process to standard error, until the end of the block.

    Args:
        program: Name of the program, in front of each record.
        level: Least severe records that are written.
    """
    writer = Writer(sys.stderr)
    with logging_to(writer.line, program, level):
        yield
    writer.flush()


class PrintableFormatter(logging.Formatter):
    """Formats a record as one printable line; a traceback follows in indented lines.

    Args:
        program: Name of the program.
    """

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        """Returns the text of a record."""
        try:
            message = record.getMessage()
        except Exception:  # a wrong format string must not lose the record
            message = f"{record.msg} {record.args!r}"
        if len(message) > LONGEST_MESSAGE:
            rest = len(message) - LONGEST_MESSAGE
            message = f"{message[:LONGEST_MESSAGE]} ... ({rest:,} more characters)"
        origin = f"{record.name}: " if record.levelno <= logging.DEBUG else ""
        text = f"{self._program}: {printable(origin + message)}"
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            text += "".join(f"\n{_TRACE}{printable(line)}" for line in trace.split("\n"))
        return text


class LogHandler(logging.Handler):
    """Hands records to a thread, which counts repeated ones and writes the others.

    Args:
        write: See :func:`logging_to`.
        program: Name of the program.
    """

    def __init__(self, write: Callable[[str], None], program: str) -> None:
        super().__init__()
        self.setFormatter(PrintableFormatter(program))
        self._write = write
        self._program = program
        self._repeats = Repeats()
        self._entries: deque[Entry] = deque()
        self._lost = 0
        self._changed = threading.Condition()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hands over one record; if too many wait, it is only counted."""
        kind = (record.name, record.levelno, record.lineno)
        entry = Entry(kind=kind, text=self.format(record))
        with self._changed:
            if len(self._entries) >= WAITING:
                self._lost += 1
                return
            self._entries.append(entry)
            self._changed.notify()

    def close(self) -> None:
        """Writes the records that wait and the counts, and ends the thread."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        self._thread.join(FLUSH_S)
        super().close()

    def _run(self) -> None:
        ends = False
        while not ends:
            with self._changed:
                if not self._entries and not self._ends:
                    self._changed.wait(self._repeats.due_in_s(time.monotonic()))
                entries, lost, ends = list(self._entries), self._lost, self._ends
                self._entries.clear()
                self._lost = 0
            now = time.monotonic()
            for text in [line for entry in entries for line in self._repeats.add(entry, now)]:
                self._write(text)
            if lost:
                self._write(f"{self._program}: ({lost:,} log records were lost: too many at once)")
            for text in self._repeats.close() if ends else self._repeats.due(now):
                self._write(text)
