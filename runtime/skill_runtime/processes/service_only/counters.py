"""The memory that supervisor and service share: single numbers, each with one writer."""

from __future__ import annotations

from enum import IntEnum

from skill_runtime.policy_service.config import Counts


class Word(IntEnum):
    """Index of each number."""

    BEAT = 0
    """Server time of the newest heartbeat [ns]."""
    ENDING = 1
    """Not 0 once the server ends; set by the supervisor."""
    STARTS = 2
    """Number of starts of the service; set by the supervisor."""
    ANSWERED = 3
    LATE = 4
    REFUSED = 5
    INFERENCES = 6
    SESSIONS = 7
    ROWS = 8


COUNTER_BYTES = 8 * len(Word)


class Counters:
    """The numbers.

    Args:
        memory: :data:`COUNTER_BYTES` of memory, zero at the start of the server.

    Attributes:
        words: the numbers, at the indices of :class:`Word`.
    """

    def __init__(self, memory: memoryview) -> None:
        self.words = memory[:COUNTER_BYTES].cast("Q")

    def counts(self) -> Counts:
        """Returns the counts of the service since its start."""
        words = self.words
        return Counts(
            answered=words[Word.ANSWERED],
            late=words[Word.LATE],
            refused=words[Word.REFUSED],
            inferences=words[Word.INFERENCES],
        )

    def set_counts(self, counts: Counts, sessions: int, rows: int) -> None:
        """Publishes the counts of the service, and the sessions and rows in use."""
        words = self.words
        words[Word.ANSWERED] = counts.answered
        words[Word.LATE] = counts.late
        words[Word.REFUSED] = counts.refused
        words[Word.INFERENCES] = counts.inferences
        words[Word.SESSIONS] = sessions
        words[Word.ROWS] = rows
