"""Duration of the calls of a client."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_SAMPLES = 4096
"""Newest durations that are kept."""


@dataclass
class RoundTrips:
    """Durations of the answered calls, from the call to its result."""

    count: int = 0
    late: int = 0
    """Answers after their deadline."""
    latest_s: float = 0.0
    """Duration of the newest call [s]."""
    _samples: list[float] = field(default_factory=list[float])

    def add(self, round_trip_s: float, *, is_late: bool) -> None:
        """Counts one answered call."""
        if len(self._samples) < MAX_SAMPLES:
            self._samples.append(round_trip_s)
        else:
            self._samples[self.count % MAX_SAMPLES] = round_trip_s
        self.count += 1
        self.late += is_late
        self.latest_s = round_trip_s

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
