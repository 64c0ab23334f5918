"""Late ticks and resident memory of a long run."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Self, get_args

from skill_proto.messages import Telemetry
from skill_runtime.realtime.histogram import LATENCY_BOUNDS_US

LATE_SHARE = 0.5
"""A tick is late if it begins more than this share of a servo period after its deadline. At 1 kHz
this is the half millisecond that skill-doctor allows (docs/realtime.md)."""

SETTLED_S = 60.0
"""Memory growth before this time is ignored, since libraries touch pages for the first time [s]."""

MemoryOf = Literal["controller_mb", "all_mb"]
MEMORY_OF: tuple[MemoryOf, ...] = get_args(MemoryOf)
"""The memories of a :class:`Sample`."""


def late_after_us(servo_rate_hz: float) -> float:
    """Returns the wake-up latency after which a tick is late [us].

    It is the first bound of the histogram in telemetry from :data:`LATE_SHARE` on. At 200 Hz and at
    1 kHz it is exactly that.

    Args:
        servo_rate_hz: Servo rate, at least 5 Hz.
    """
    return LATENCY_BOUNDS_US[bisect_left(LATENCY_BOUNDS_US, 1e6 * LATE_SHARE / servo_rate_hz)]


@dataclass(frozen=True, kw_only=True)
class Ticks:
    """Numbers of ticks, of late ticks and of overruns."""

    begun: int
    late: int
    """Ticks that began later than :func:`late_after_us`."""
    overruns: int
    """Skipped ticks: the tick before began a whole period late."""

    @classmethod
    def of(cls, state: Telemetry, servo_rate_hz: float) -> Self:
        """Returns the counts since the start of a server."""
        timing, limit_us = state.timing, late_after_us(servo_rate_hz)
        in_time = timing.wakeup_latency_count[timing.wakeup_latency_le_us.index(limit_us)]
        total = timing.wakeup_latency_count[-1]
        return cls(begun=total, late=total - in_time, overruns=timing.overruns)

    def since(self, before: Ticks) -> Ticks:
        """Returns the increase from ``before``."""
        return Ticks(
            begun=self.begun - before.begun,
            late=self.late - before.late,
            overruns=self.overruns - before.overruns,
        )

    @property
    def late_share(self) -> float:
        """Late ticks and overruns, as a share of all deadlines."""
        due = self.begun + self.overruns
        return (self.late + self.overruns) / due if due else 0.0


def ratio(served: Ticks, bare: Ticks) -> float:
    """Returns the ratio of the late shares; 1 if both are 0, infinity if only the bare one is."""
    if bare.late_share == 0.0:
        return math.inf if served.late_share else 1.0
    return served.late_share / bare.late_share


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One second of operation."""

    served_s: float
    """Time of operation so far, without pauses [s]."""
    controller_mb: float
    """Resident memory of the controller [MB]."""
    all_mb: float
    """Resident memory of all processes; pages that they share count for each [MB]."""
    execution_time_p50_us: float
    execution_time_p99_us: float
    wakeup_latency_p99_us: float


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Resident memory [MB]."""

    settled_mb: float
    """At :data:`SETTLED_S`."""
    max_mb: float
    """Maximum from then on."""
    end_mb: float

    @property
    def growth_mb(self) -> float:
        """Largest growth after :data:`SETTLED_S`."""
        return self.max_mb - self.settled_mb


def memory(samples: Sequence[Sample], of: MemoryOf) -> Memory | None:
    """Returns the memory after the first minute; None if the run was not longer."""
    settled = [getattr(sample, of) for sample in samples if sample.served_s >= SETTLED_S]
    if len(settled) < 2:
        return None
    return Memory(settled_mb=settled[0], max_mb=max(settled), end_mb=settled[-1])


def each_minute(samples: Sequence[Sample], of: MemoryOf) -> list[float]:
    """Returns the resident memory at the end of each minute of operation [MB]."""
    minutes: dict[int, float] = {}
    for sample in samples:
        minutes.setdefault(math.floor(sample.served_s / 60.0), getattr(sample, of))
    return [mb for minute, mb in sorted(minutes.items()) if minute]


def memory_text(found: Memory | None) -> str:
    """Formats the memory of a run."""
    if found is None:
        return f"not evaluated, since the run was shorter than {SETTLED_S:g} s"
    return (
        f"{found.settled_mb:.1f} MB after {SETTLED_S:g} s, "
        f"{found.end_mb:.1f} MB at the end, largest growth in between {found.growth_mb:.1f} MB"
    )


def memory_results(samples: Sequence[Sample]) -> dict[str, object]:
    """Returns the memory of controller and all processes, for the file of the result."""
    result: dict[str, object] = {}
    for of in MEMORY_OF:
        found = memory(samples, of)
        result[of] = {"each_minute": each_minute(samples, of), **(asdict(found) if found else {})}
    return result
