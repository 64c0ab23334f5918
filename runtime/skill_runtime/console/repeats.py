"""Repeated log records: written once, then counted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

PERIOD_S = 5.0
"""Time between two reports of a count [s]; a record that repeats later than this is written."""

BURST = 10
"""Largest number of different texts of one kind that are written in a period."""

KINDS = 64
"""Largest number of kinds whose repetitions are counted at a time."""


@dataclass(frozen=True)
class Entry:
    """A formatted log record."""

    kind: Hashable
    """Equal for records that differ only in details."""
    text: str


@dataclass
class _State:
    started_at: float
    text: str
    """The text that was written last."""
    written: int = 1
    repeated: int = 0
    """Records with that text that were not written."""
    others: int = 0
    """Records with other texts that were not written."""
    latest: str = ""
    """The latest of them."""

    @property
    def counts(self) -> bool:
        """Whether a count waits to be written."""
        return self.repeated + self.others > 0

    def report(self) -> Iterator[str]:
        """Yields the counts as lines, and resets them."""
        if self.repeated:
            times = "once" if self.repeated == 1 else f"{self.repeated:,} times"
            yield f"{_first_line(self.text)} (repeated {times})"
        if self.others:
            yield f"{_first_line(self.latest)} (and {self.others - 1:,} similar ones before)"
        self.repeated = self.others = 0


class Repeats:
    """Decides which records are written; its memory is bounded.

    Within ``PERIOD_S``, the first record of a kind is written, and so are a few with other texts.
    Further ones are counted, and the count is written at the end of the period. Times are seconds
    of one clock, which the caller gives.
    """

    def __init__(self) -> None:
        self._states: OrderedDict[Hashable, _State] = OrderedDict()

    def add(self, entry: Entry, now: float) -> Iterator[str]:
        """Yields the lines to write because of this record."""
        state = self._states.get(entry.kind)
        if state is not None and now >= state.started_at + PERIOD_S:
            yield from self._end_period(entry.kind, state, now)
            state = self._states.get(entry.kind)
        if state is None:
            if len(self._states) >= KINDS:
                _, oldest = self._states.popitem(last=False)
                yield from oldest.report()
            self._states[entry.kind] = _State(now, entry.text)
            yield entry.text
        elif entry.text == state.text:
            state.repeated += 1
        elif state.written < BURST:
            yield from state.report()
            state.text = entry.text
            state.written += 1
            yield entry.text
        else:
            state.others += 1
            state.latest = entry.text

    def due(self, now: float) -> Iterator[str]:
        """Yields the counts whose period is over."""
        for kind, state in list(self._states.items()):
            if now >= state.started_at + PERIOD_S:
                yield from self._end_period(kind, state, now)

    def due_in_s(self, now: float) -> float | None:
        """Returns the time until `due` has a count to write [s]; None without any."""
        times = [state.started_at for state in self._states.values() if state.counts]
        return max(0.0, min(times) + PERIOD_S - now) if times else None

    def close(self) -> Iterator[str]:
        """Yields all counts."""
        for state in self._states.values():
            yield from state.report()
        self._states.clear()

    def _end_period(self, kind: Hashable, state: _State, now: float) -> Iterator[str]:
        """Yields the counts; a kind that still repeats begins a new period."""
        continues, varies = state.counts, state.others > 0
        yield from state.report()
        if not continues:
            del self._states[kind]
        else:
            state.started_at = now
            state.written = 0 if varies else 1


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]
