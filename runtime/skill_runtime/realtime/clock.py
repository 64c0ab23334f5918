"""Real and simulated time behind one interface: seconds that only rise."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since a fixed, unknown instant."""

    def now(self) -> float:
        """The present time [s]."""
        ...

    def sleep_until(self, time_s: float) -> None:
        """Returns at ``time_s`` or a little later; at once if that has passed."""
        ...


class MonotonicClock:
    """The machine's monotonic clock.

    It goes on counting when a server is started again, so that a command from before the restart
    looks old to the new server rather than from the future; and, on Linux, while the machine is
    suspended, so that what was fresh before has expired after.
    """

    def __init__(self) -> None:
        self._clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def now(self) -> float:
        """The present time [s]."""
        return time.clock_gettime(self._clock)

    def sleep_until(self, time_s: float) -> None:
        """Sleeps until ``time_s``."""
        left = time_s - self.now()
        if left > 0:
            time.sleep(left)


class ManualClock:
    """Time that passes only when told to, for tests and for simulation faster than real time."""

    def __init__(self, time_s: float = 0.0) -> None:
        self.time_s = time_s

    def now(self) -> float:
        """The present time [s]."""
        return self.time_s

    def sleep_until(self, time_s: float) -> None:
        """Jumps to ``time_s``."""
        self.time_s = max(self.time_s, time_s)
