"""The log of a program: printable, without floods, and never in the way of the program."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Literal

from skill_proto.printable import printable
from skill_runtime.console.repeats import Entry, Repeats
from skill_runtime.console.writer import Writer

LogLevel = Literal["debug", "info", "warning", "error"]
"""Least severe log records that a program prints."""

PACKAGES = ("skill_proto", "skill_robots", "skill_runtime")
"""Packages whose records a level below ``warning`` adds; libraries have too many of them."""

LONGEST_MESSAGE = 2000
"""Longest message that is logged whole [characters]."""

SUBJECT = 40
"""Longest subject of a message, such as ``stop`` in ``stop: too fast`` [characters]."""

CONTINUED = "  | "
"""In front of each line of a traceback, so that no text in it can look like a log record."""


def configure_logging(
    write: Callable[[str], None], program: str, level: LogLevel = "info"
) -> LogHandler:
    """Sends the log of this process to ``write``, and nowhere else.

    Args:
        write: Receives one record at a time, without an end of line. It must neither block nor
            raise (`LiveLine.above`, `Writer.line`).
        program: Name of the program, in front of each record; empty for a child process, whose
            parent adds it.
        level: Least severe records that are written.

    Returns:
        The only handler of the root logger; its ``close`` writes the last counts.
    """
    handler = LogHandler(write, program)
    number: int = getattr(logging, level.upper())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    for name in PACKAGES:
        logging.getLogger(name).setLevel(number)
    logging.raiseExceptions = False
    logging.captureWarnings(capture=True)
    return handler


@contextmanager
def logging_to(
    write: Callable[[str], None], program: str, level: LogLevel = "info"
) -> Generator[None]:
    """`configure_logging` until the end of the block, which restores the earlier settings."""
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, PACKAGES)]
    handlers, raises = root.handlers[:], logging.raiseExceptions
    levels = [logger.level for logger in loggers]
    handler = configure_logging(write, program, level)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        handler.close()
        root.handlers[:], logging.raiseExceptions = handlers, raises
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
        self._start = f"{program}: " if program else ""

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
        text = f"{self._start}{printable(origin + message)}"
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            text += "".join(f"\n{CONTINUED}{printable(line)}" for line in trace.split("\n"))
        return text


class LogHandler(logging.Handler):
    """Writes records; of repeated ones it writes a count, after some seconds or at the end.

    It has no thread of its own, except while a count waits.

    Args:
        write: See :func:`configure_logging`.
        program: See :func:`configure_logging`.
    """

    def __init__(self, write: Callable[[str], None], program: str) -> None:
        super().__init__()
        self.setFormatter(PrintableFormatter(program))
        self._start = f"{program}: " if program else ""
        self._write = write
        self._repeats = Repeats()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Writes or counts one record; the caller has locked the handler."""
        text = self.format(record)
        kind = (record.name, record.levelno, record.lineno, self._subject(text))
        entry = Entry(kind=kind, text=text)
        for text in self._repeats.add(entry, time.monotonic()):
            self._write(text)
        self._wait_for_counts()

    def _subject(self, text: str) -> str:
        """Returns the text up to its first colon, or its first words.

        A parent logs the records of all its children at one line of its code.
        """
        text = text.removeprefix(self._start)
        subject, colon, _ = text[:SUBJECT].partition(":")
        return subject if colon else " ".join(text[:SUBJECT].split()[:3])

    def close(self) -> None:
        """Writes the counts."""
        self.acquire()
        try:
            if self._timer is not None:
                self._timer.cancel()
            for text in self._repeats.close():
                self._write(text)
        finally:
            self.release()
        super().close()

    def _wait_for_counts(self) -> None:
        due_in_s = self._repeats.due_in_s(time.monotonic())
        if self._timer is None and due_in_s is not None:
            timer = threading.Timer(due_in_s, self._write_counts)
            timer.daemon = True
            with suppress(RuntimeError):  # no thread: the next record tries again
                timer.start()
                self._timer = timer

    def _write_counts(self) -> None:
        self.acquire()
        try:
            self._timer = None
            for text in self._repeats.due(time.monotonic()):
                self._write(text)
            self._wait_for_counts()
        finally:
            self.release()
