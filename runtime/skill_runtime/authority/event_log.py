"""Counters of events, and the newest event in words."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from skill_proto.messages import ErrorCode, FaultClass

COUNTERS = (
    *("leases", "takeovers", "lease_lost", "expired", "stops", "clears", "recoveries"),
    *("holds", "resets", "scenes", "episodes", "invalid_records", "lost_replies", "faults"),
    "excursions",
    *(f"faults.{kind}" for kind in get_args(FaultClass)),
    *(f"rejected.{code}" for code in get_args(ErrorCode)),
)
"""Names of all counters of an event log."""


class EventLog:
    """Records the events of one arm.

    Attributes:
        counters: number of events since the start, by name. A counter never falls.
        last_event: the newest event in words.
        recorded: number of events that :attr:`last_event` has shown.
    """

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.last_event = "started"
        self.recorded = 0

    def record_event(self, event: str, counter: str = "") -> None:
        """Keeps ``event`` as the newest one.

        Args:
            event: the event in words.
            counter: name of a counter to increment; empty for no counter.
        """
        self.last_event = event
        self.recorded += 1
        if counter:
            self.count(counter)

    def count(self, counter: str, number: int = 1) -> None:
        """Adds to a counter of :data:`COUNTERS` and leaves :attr:`last_event` unchanged."""
        self.counters[counter] += number
