"""Guard: one call of a client at a time, only in the process that made it, and until its end.

A ZeroMQ socket that two threads or two processes use at the same time aborts the process or waits
for ever. The guard refuses such a call before it reaches a socket.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager

from skill_runtime.client.errors import InvalidUseError


class Guard:
    """A context manager around each call of a client; threads may take turns."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        # Reentrant: a signal handler may call the client during a call of its own thread.
        self._lock = threading.RLock()
        self._thread = 0
        self._closed = False

    @property
    def forked(self) -> bool:
        """Whether this process is a fork of the one that made the client."""
        return os.getpid() != self._pid

    def check_process(self) -> None:
        """Checks that this is the process that made the client.

        Raises:
            InvalidUseError: it is a fork of that process.
        """
        if self.forked:
            raise InvalidUseError(
                f"this client was made in process {self._pid}, before a fork; process "
                f"{os.getpid()} cannot use its sockets. Fix: make a SkillClient in the process "
                "that uses it, or start processes by 'spawn' instead of 'fork'"
            )

    def check_open(self) -> None:
        """Checks that the client was not closed.

        Raises:
            InvalidUseError: it was.
        """
        if self._closed:
            raise InvalidUseError(
                "the client is closed: close() was called, or its block has ended. Fix: make a new "
                "one, or call inside of the block"
            )

    def close(self) -> None:
        """Refuses every later call; one that is running ends by itself."""
        self._closed = True

    @contextmanager
    def closing(self) -> Generator[None]:
        """The block in which the client is closed; it refuses every later call.

        Raises:
            InvalidUseError: a call of another thread is running; later ones are refused all the
                same.
        """
        self.close()
        self._take()
        try:
            yield
        finally:
            self._lock.release()

    def __enter__(self) -> None:
        if self._closed:
            self.check_process()
            self.check_open()
        self._take()

    def _take(self) -> None:
        if os.getpid() != self._pid:
            self.check_process()
        if not self._lock.acquire(False):
            raise InvalidUseError(
                f"another call of this client is still running, in thread {self._caller!r}. Fix: "
                "make one SkillClient per thread, or let the threads take turns; stop() may be "
                "called at any time"
            )
        self._thread = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @property
    def _caller(self) -> str:
        """Name of the thread whose call is running, or was the last one."""
        # The name is looked up for an error only: a call has no time for it.
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        return names.get(self._thread, "")
