"""What is counted over a long run: ticks that are late, and resident memory; for endurance.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from skill_proto.messages import Telemetry

LATE_SHARE = 0.5
"""Of a servo period: a tick that begins later than this is late. At 1 kHz it is the half
millisecond that skill-doctor allows (docs/realtime.md)."""

LATE = "late"
"""Counter in the telemetry of endurance_server.py: ticks that began late since the start."""

SETTLED_S = 60.0
"""Memory may grow until then: pages of libraries are touched for the first time [s]."""


@dataclass(frozen=True, kw_only=True)
class Ticks:
    """How many, and how many of them not in time."""

    begun: int
    late: int
    """Of those begun, later than :data:`LATE_SHARE` allows."""
    missed: int
    """Never begun, because the one before began a whole period late."""

    @classmethod
    def of(cls, state: Telemetry) -> Self:
        """Since the start of endurance_server.py."""
        return cls(begun=state.tick, late=state.counters.get(LATE, 0), missed=state.timing.overruns)

    def since(self, before: Ticks) -> Ticks:
        """Those that have come on top of ``before``."""
        return Ticks(
            begun=self.begun - before.begun,
            late=self.late - before.late,
            missed=self.missed - before.missed,
        )

    @property
    def late_share(self) -> float:
        """Of the ticks that were due, those that began late or never."""
        due = self.begun + self.missed
        return (self.late + self.missed) / due if due else 0.0


def ratio(served: Ticks, bare: Ticks) -> float:
    """Late share of one over that of the other; 1 where neither was ever late."""
    if bare.late_share == 0.0:
        return math.inf if served.late_share else 1.0
    return served.late_share / bare.late_share


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One second of serving."""

    served_s: float
    """Seconds served so far, pauses left out."""
    memory_mb: float
    """Resident."""
    execution_time_p50_us: float
    execution_time_p99_us: float
    wakeup_latency_p99_us: float


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Resident memory [MB]."""

    settled_mb: float
    """After :data:`SETTLED_S`."""
    most_mb: float
    """From then on."""
    end_mb: float

    @property
    def growth_mb(self) -> float:
        """The most by which it ever exceeded that of the first minute's end."""
        return self.most_mb - self.settled_mb


def memory(samples: Sequence[Sample]) -> Memory | None:
    """What became of it after the first minute; None where there was no more than that."""
    settled = [sample.memory_mb for sample in samples if sample.served_s >= SETTLED_S]
    if len(settled) < 2:
        return None
    return Memory(settled_mb=settled[0], most_mb=max(settled), end_mb=settled[-1])


def each_minute(samples: Sequence[Sample]) -> list[float]:
    """Resident memory at the end of every minute served [MB]."""
    minutes: dict[int, float] = {}
    for sample in samples:
        minutes.setdefault(math.floor(sample.served_s / 60.0), sample.memory_mb)
    return [mb for minute, mb in sorted(minutes.items()) if minute]


def memory_text(found: Memory | None) -> str:
    """In words."""
    if found is None:
        return f"resident memory: not judged, for it is given {SETTLED_S:g} s to settle"
    return (
        f"resident memory: {found.settled_mb:.1f} MB after {SETTLED_S:g} s, "
        f"{found.end_mb:.1f} MB at the end, at most {found.growth_mb:.1f} MB more than then"
    )
