"""Counters of the control box: gaps between states, delays, and answered cycles."""

from __future__ import annotations

import time
from math import ceil, inf

from skill_robots.control_box.deadlines import PERIOD_S


class Durations:
    """Percentiles of durations in constant memory: counts per 10 microseconds up to 20 ms."""

    WIDTH_S = 1e-5
    """Width of a bucket [s]."""
    BUCKETS = 2000
    """Durations from 20 ms on share the last bucket."""

    def __init__(self) -> None:
        self._counts = [0] * (self.BUCKETS + 1)
        self.count = 0
        self.longest = 0.0
        """Longest duration so far [s]."""

    def add(self, duration: float) -> None:
        """Counts a duration [s]; a negative one counts as zero."""
        bucket = int(duration / self.WIDTH_S) if duration > 0.0 else 0
        self._counts[min(bucket, self.BUCKETS)] += 1
        self.count += 1
        if duration > self.longest:
            self.longest = duration

    def percentile(self, percent: float) -> float:
        """Returns the upper end of the bucket that holds the percentile [s]; 0 without durations.

        In the last bucket this is the longest duration.
        """
        rank, passed = ceil(self.count * percent / 100.0), 0
        for bucket, count in enumerate(self._counts):
            passed += count
            if count and passed >= rank:
                end = inf if bucket == self.BUCKETS else (bucket + 1) * self.WIDTH_S
                return min(end, self.longest)
        return 0.0


class SendTimes:
    """Gaps between states and their delays, over a whole run."""

    def __init__(self) -> None:
        self.gaps = Durations()
        """Times between two states."""
        self.delays = Durations()
        """Times by which a state was sent after its nominal time."""
        self.states = 0
        self._first = 0.0
        self._last = 0.0
        self._processor_s = 0.0

    def sent(self, now: float, due: float) -> None:
        """Counts a state that was sent at ``now`` and was due at ``due`` [s]."""
        if self.states:
            self.gaps.add(now - self._last)
        else:
            self._first = now
            self._processor_s = time.process_time()
        self.delays.add(now - due)
        self.states += 1
        self._last = now

    @property
    def wall_s(self) -> float:
        """Real time from the first to the last state [s]."""
        return self._last - self._first

    @property
    def realtime_factor(self) -> float:
        """Robot time per real time; 1 before the second state."""
        return (self.states - 1) * PERIOD_S / self.wall_s if self.states > 1 else 1.0

    @property
    def cpu_share(self) -> float:
        """Share of one processor that this process has used since the first state."""
        used = time.process_time() - self._processor_s
        return used / self.wall_s if self.states > 1 else 0.0


class Answers:
    """States that a client had to answer, and its answers.

    The first command of a motion starts the count.

    Attributes:
        awaited: States that had to be answered.
        answered: States whose answer came in time.
        longest_miss: Most states in a row without an answer.
    """

    def __init__(self) -> None:
        self.awaited = 0
        self.answered = 0
        self.longest_miss = 0
        self._has_started = False
        self._missed = 0

    def count(self, *, expected: bool, came: bool) -> None:
        """Counts one cycle.

        Args:
            expected: Whether a motion runs whose states must be answered.
            came: Whether the answer to the last state has come.
        """
        if not expected:
            self._has_started = False
            self._missed = 0
            return
        self._has_started = self._has_started or came
        if not self._has_started:
            return
        self.awaited += 1
        self.answered += came
        self._missed = 0 if came else self._missed + 1
        self.longest_miss = max(self.longest_miss, self._missed)

    @property
    def answered_share(self) -> float | None:
        """Share of the awaited answers that came; None if none was awaited."""
        return self.answered / self.awaited if self.awaited else None
