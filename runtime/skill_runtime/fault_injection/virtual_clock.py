"""Virtual time: it passes while something is waited for, and a little with every look at it."""

from __future__ import annotations

from collections.abc import Callable

LOOK_S = 1e-6
"""What one look at the clock costs, so that code that waits for time to pass sees it pass [s]."""


class VirtualClock:
    """A clock that sleeps in no time, and wakes late as told.

    Args:
        lateness_s: how late the next wake-up is [s].

    Attributes:
        time_s: the present time, without looking [s].
    """

    def __init__(self, lateness_s: Callable[[], float]) -> None:
        self.time_s = 1000.0
        self._lateness_s = lateness_s

    def now(self) -> float:
        """The present time [s]."""
        self.time_s += LOOK_S
        return self.time_s

    def sleep_until(self, time_s: float) -> None:
        """Wakes at ``time_s`` or later."""
        self.advance_to(time_s + self._lateness_s())

    def advance_to(self, time_s: float) -> None:
        """Wakes at ``time_s`` exactly, or at once if that has passed."""
        self.time_s = max(self.time_s, time_s)
