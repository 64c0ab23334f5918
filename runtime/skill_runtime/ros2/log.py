"""The log of the node; repetitions are counted instead of written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from skill_runtime.console.repeats import Entry, Repeats

NEWS = ("connected", "lease")
"""Kinds that are no warnings."""


class Logger(Protocol):
    """The logger of a node, which writes to the terminal and to ``/rosout``."""

    def info(self, message: str) -> bool:
        """Writes a message."""
        ...

    def warning(self, message: str) -> bool:
        """Writes a message that asks for attention."""
        ...


class Log:
    """The log, for every thread of the node.

    Args:
        logger: Writes the lines.
        clock: Time [s].
    """

    def __init__(self, logger: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._repeats = Repeats()
        self._lock = threading.Lock()  # not while a line is written, which may take long

    def say(self, kind: str, text: str) -> None:
        """Writes a text, unless it repeats an earlier one of its kind."""
        with self._lock:
            lines = [*self._repeats.add(Entry(kind, text), self._clock())]
        for line in lines:
            if kind in NEWS:
                self._logger.info(line)
            else:
                self._logger.warning(line)

    def count(self) -> None:
        """Writes how often texts were repeated, when it is time."""
        with self._lock:
            lines = [*self._repeats.due(self._clock())]
        for line in lines:
            self._logger.warning(line)
