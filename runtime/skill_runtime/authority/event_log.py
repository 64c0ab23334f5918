"""Counters of events, and the newest event in words."""

from __future__ import annotations

from collections import Counter


class EventLog:
    """Records the events of one arm.

    Attributes:
        counters: number of events since the start, by name. A counter never falls.
        last_event: the newest event in words.
    """

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.last_event = "started"

    def record_event(self, event: str, counter: str = "") -> None:
        """Keeps ``event`` as the newest one.

        Args:
            event: the event in words.
            counter: name of a counter to increment; empty for no counter.
        """
        self.last_event = event
        if counter:
            self.count(counter)

    def count(self, counter: str) -> None:
        """Increments a counter and leaves :attr:`last_event` unchanged."""
        self.counters[counter] += 1
