"""Writes to a stream in a thread of its own: the caller never waits and never fails.

A terminal may be paused, a pipe's reader may sleep, a disk may be full. The program goes on, and
counts the lines that were lost.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from skill_runtime.console.streams import has_descriptor, write_some

WAITING = 1000
"""Largest number of texts that wait to be written; further ones are lost and counted."""

LONGEST = 16_384
"""Longest text that is written whole [characters]."""

FLUSH_S = 1.0
"""Longest time in which `Writer.flush` waits for the reader [s]."""


@dataclass(frozen=True)
class _Item:
    text: str
    transient: bool
    """Whether a newer text may replace this one."""


class Writer:
    """A stream that never blocks its callers and never raises.

    Texts are written in order. Losses are reported by a line as soon as writing succeeds again. The
    end of the program waits for the output, but at most for ``FLUSH_S``.

    Args:
        stream: Standard output or standard error; None discards everything.
        waiting: Largest number of texts that wait.
    """

    def __init__(self, stream: TextIO | None, *, waiting: int = WAITING) -> None:
        self._stream = stream
        # A copy: the thread must not write to another file that gets the number later.
        self._descriptor = os.dup(stream.fileno()) if stream and has_descriptor(stream) else None
        self._waiting = waiting
        self._items: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._started = False
        self._running = False
        self._lost = 0
        self._reason = ""
        self._torn = False
        self._written = 0
        self._stuck_at = -1
        atexit.register(self.flush)

    def line(self, text: str) -> None:
        """Writes a line."""
        self._put(_Item(f"{text[:LONGEST]}\n", transient=False))

    def show(self, text: str) -> None:
        """Writes a text without an end of line; it replaces such a text that still waits."""
        self._put(_Item(text[:LONGEST], transient=True))

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Waits until everything is written; returns whether it is.

        After a call in vain, further calls return at once until something has been written.
        """
        ends = time.monotonic() + timeout_s
        with self._changed:
            while self._items or self._busy:
                stuck = self._written == self._stuck_at
                if stuck or not self._changed.wait(max(0.0, ends - time.monotonic())):
                    self._stuck_at = self._written
                    return False
        return True

    def _put(self, item: _Item) -> None:
        if self._stream is None:
            return
        with self._changed:
            if item.transient and self._items and self._items[-1].transient:
                self._items[-1] = item
            elif len(self._items) < self._waiting:
                self._items.append(item)
            elif not item.transient:
                self._lost += 1
                self._reason = "the output was not read in time"
            if not (self._started or self._running):  # not before: a fork would lose the thread
                thread = threading.Thread(target=self._run, name="output", daemon=True)
                with suppress(RuntimeError):  # no thread: the next text tries again
                    thread.start()
                    self._started = True
            self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            # Ctrl-C may interrupt the start of a thread that runs all the same; one must write.
            if self._running:
                return
            self._running = True
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._items:
                    self._changed.wait()
                item = self._items.popleft()
                self._busy = True
                lost, reason = self._lost, self._reason
            report = f"({lost:,} lines were lost: {reason})\n" if lost else ""
            start = "\n" if self._torn else ""
            problem = self._write(f"{start}{report}{item.text}")
            with self._changed:
                self._written += 1
                if not problem:
                    self._lost -= lost
                elif not item.transient:
                    self._lost += 1
                    self._reason = problem

    def _write(self, text: str) -> str:
        """Writes a text whole; returns the problem, or an empty string."""
        done = 0
        try:
            if self._descriptor is None:
                assert self._stream is not None
                self._stream.write(text)
                self._stream.flush()
            else:
                data = memoryview(text.encode(self._encoding, "backslashreplace"))
                while done < len(data):
                    done += write_some(self._descriptor, data[done:])
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self._torn = self._torn or done > 0
            return (isinstance(error, OSError) and error.strerror) or str(error)
        self._torn = False
        return ""

    @property
    def _encoding(self) -> str:
        return (self._stream.encoding if self._stream else None) or "utf-8"
