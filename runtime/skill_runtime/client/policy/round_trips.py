"""Duration of the calls of a client."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

MAX_SAMPLES = 4096
"""Newest durations that are kept."""


@dataclass
class RoundTrips:
    """Durations of the answered calls, from the call to its result."""

    count: int = 0
    late: int = 0
    """Answers after their deadline."""
    _samples: deque[float] = field(default_factory=lambda: deque[float](maxlen=MAX_SAMPLES))

    def add(self, round_trip_s: float) -> None:
        """Counts one answered call."""
        self._samples.append(round_trip_s)
        self.count += 1

    @property
    def latest_s(self) -> float:
        """Duration of the newest call [s]; 0 before the first."""
        return self._samples[-1] if self._samples else 0.0

    def quantile_s(self, share: float) -> float:
        """Returns the duration within which this share of the newest calls was answered [s].

        Raises:
            ValueError: No call was answered yet.
        """
        if not self._samples:
            raise ValueError("no call was answered yet")
        ordered = sorted(self._samples)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def __str__(self) -> str:
        """Returns the figures on one line."""
        if not self._samples:
            return "no answers"
        p50, p99 = (1e6 * self.quantile_s(share) for share in (0.5, 0.99))
        return f"{self.count} answers, p50 {p50:.0f} us, p99 {p99:.0f} us, {self.late} late"
