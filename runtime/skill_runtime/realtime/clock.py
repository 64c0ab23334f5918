"""Real and simulated time behind one interface, in seconds that never decrease."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since a fixed, unspecified instant."""

    def now(self) -> float:
        """Returns the current time [s]."""
        ...

    def sleep_until(self, time_s: float) -> None:
        """Returns at ``time_s`` or slightly later; at once if that has passed."""
        ...


class MonotonicClock:
    """The machine's monotonic clock.

    It continues across a restart of the server, so that the new server rejects a command from
    before the restart as expired. On Linux it also continues while the machine is suspended, so
    that a command from before the suspension has expired afterwards.
    """

    def __init__(self) -> None:
        self._clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def now(self) -> float:
        """Returns the current time [s]."""
        return time.clock_gettime(self._clock)

    def sleep_until(self, time_s: float) -> None:
        """Sleeps until ``time_s``."""
        left = time_s - self.now()
        if left > 0:
            time.sleep(left)


class ManualClock:
    """A clock that the caller advances, for tests and for simulation faster than real time."""

    def __init__(self, time_s: float = 0.0) -> None:
        self.time_s = time_s

    def now(self) -> float:
        """Returns the current time [s]."""
        return self.time_s

    def sleep_until(self, time_s: float) -> None:
        """Jumps to ``time_s``."""
        self.time_s = max(self.time_s, time_s)
