"""Virtual time: it advances during waits, and a little with every reading of the clock."""

from __future__ import annotations

from collections.abc import Callable

READING_S = 1e-6
"""Duration of one reading of the clock, so that code which polls the clock sees it advance [s]."""


class VirtualClock:
    """A clock whose waits take no real time and end late.

    Args:
        lateness_s: returns the lateness of the next wake-up [s].

    Attributes:
        on_wake: called after each wake-up from :meth:`sleep_until`.
        time_s: the present time; looking here does not advance it [s].
    """

    def __init__(self, lateness_s: Callable[[], float]) -> None:
        self.time_s = 1000.0
        self.on_wake: Callable[[], None] = lambda: None
        self._lateness_s = lateness_s

    def now(self) -> float:
        """Returns the present time [s]."""
        self.time_s += READING_S
        return self.time_s

    def sleep_until(self, time_s: float) -> None:
        """Wakes at ``time_s`` or later."""
        self.advance_to(time_s + self._lateness_s())
        self.on_wake()

    def advance_to(self, time_s: float) -> None:
        """Wakes at ``time_s`` exactly, or at once if that has passed."""
        self.time_s = max(self.time_s, time_s)
