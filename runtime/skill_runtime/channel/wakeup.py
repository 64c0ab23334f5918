"""Wakes a process that waits: an eventfd on Linux, a pipe elsewhere."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

_ONE = (1).to_bytes(8, "little")


class Wakeup(NamedTuple):
    """The two ends; a child process inherits both descriptors."""

    reader: int
    """Becomes readable with :meth:`wake`, until :meth:`clear`."""
    writer: int

    @staticmethod
    def create() -> Wakeup:
        """Returns a new wakeup, whose descriptors the caller closes."""
        if hasattr(os, "eventfd"):
            descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            return Wakeup(descriptor, descriptor)
        ends = Wakeup(*os.pipe())
        for descriptor in ends:
            os.set_blocking(descriptor, False)
        return ends

    def wake(self) -> None:
        """Wakes the waiting process, now or as soon as it waits."""
        with suppress(BlockingIOError):  # enough is written to wake it
            os.write(self.writer, _ONE)

    def clear(self) -> None:
        """Makes the next wait wait again."""
        with suppress(BlockingIOError):
            while len(os.read(self.reader, 4096)) == 4096:  # an eventfd gives 8 bytes at once
                pass

    def close(self) -> None:
        """Closes both ends."""
        for descriptor in set(self):
            os.close(descriptor)
