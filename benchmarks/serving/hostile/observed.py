"""Observations of the attacked server: states of the telemetry, and replies."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from benchmarks.serving.failures.client_process import CLOCK


def now() -> float:
    """Returns the time on the clock of the server [s]; all processes of a machine share it."""
    return CLOCK.now()


class State(NamedTuple):
    """One state of the telemetry, as far as this benchmark needs it."""

    arrived: float
    time: float
    tick: int
    mode: str
    holder: str | None
    skipped: int
    """Servo periods that the loop skipped since the start."""
    late: int
    """Ticks since the start that began more than half a period late; 0 if it is not published."""
    last_event: str

    @classmethod
    def of(cls, frame: bytes, period_s: float) -> Self:
        """Reads a message of the telemetry."""
        state: dict[str, Any] = json.loads(frame)
        timing: dict[str, Any] = state["timing"]
        bounds: list[float] = timing.get("wakeup_latency_le_us") or []
        counts: list[int] = timing.get("wakeup_latency_count") or []
        in_time = next((n for n, us in enumerate(bounds) if us >= 0.5e6 * period_s), None)
        return cls(
            arrived=now(),
            time=state["time"],
            tick=state["tick"],
            mode=state["mode"],
            holder=state["lease_holder"],
            skipped=timing["overruns"],
            late=counts[-1] - counts[in_time] if in_time is not None and counts else 0,
            last_event=state["last_event"],
        )


@dataclass
class Sent:
    """A message that waits for its reply."""

    at: float
    kind: str
    was_stopped: bool = False
    """Whether the arm was stopped before."""
    answered: float = math.inf
    """Time until the reply [s]."""
    seen: float = math.inf
    """Time until the arm was stopped, by telemetry [s]."""
    accepted: bool = False

    @property
    def read_s(self) -> float:
        """Time until the message had its effect [s]."""
        return min(self.answered if self.accepted else math.inf, self.seen)
