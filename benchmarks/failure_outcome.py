"""What a failure led to, and how it is measured, for failures.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from failure_rig import Rest, Rig, measured_speed

from skill_proto.messages import Telemetry

VALID_FOR_S = 0.3
TTL_S = 1.0
TIMEOUT_S = 0.5
"""Of the controller (failure_peers.py) unless told otherwise [s]."""

STOP_AFTER_S = 1.0
TRACKER_TIMEOUT_S = 0.2
SERVO_PERIOD_S = 0.005
POLICY_PERIOD_S = 0.04

AWAY_S = 2.0
"""For how long a process is stopped: longer than command and lease last [s]."""

WATCHED_S = 3.0
"""Watched after the failure, so that anything that starts to move again is seen [s]."""

LONG = ("--valid-for-s", "2", "--ttl-s", "5")
"""Options of a controller that is to be cut short by nothing but the failure in question."""


Fact = float | int | str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What happened; times in seconds after the failure, on the server's clock."""

    name: str
    state: str
    """What was waited for: a mode, a class of fault, or an error of the client."""
    state_s: float | None
    """Time until then."""
    bound_s: float | None
    """Stated for it; None where there is none."""
    stated: str
    """What the bound consists of."""
    rest: Rest | None = None
    """Times until rest; None where the arm goes on, or is no more."""
    facts: dict[str, Fact] = field(default_factory=dict[str, Fact])
    """What else was seen."""


def counted(state: Telemetry, prefix: str) -> int:
    """Events since the server's start whose counters' names begin so."""
    return sum(n for name, n in state.counters.items() if name.startswith(prefix))


def held_after(rig: Rig, failed: float, mode: str) -> tuple[float, Rest, Telemetry]:
    """Times until the mode [s] and until rest, and the last state watched."""
    state = rig.recording.wait_for(lambda state: state.mode == mode, failed)
    until = rig.observe(WATCHED_S)
    rest = rig.recording.rest_after(failed, until)
    return state.time - failed, rest, rig.recording.states[-1]


def added(states: Sequence[Telemetry], prefix: str) -> int:
    """Events that came in the course of these states."""
    return counted(states[-1], prefix) - counted(states[0], prefix)


def pace(states: Sequence[Telemetry], when: str) -> dict[str, Fact]:
    """How the loop kept time."""
    gaps = np.diff([state.time for state in states])
    return {
        f"late p99 {when} [us]": round(max(state.timing.late_p99_us for state in states)),
        f"ticks missed {when}": states[-1].timing.missed - states[0].timing.missed,
        f"longest between two states {when} [s]": round(float(gaps.max()), 3),
    }


def speed_at(rig: Rig, failed: float) -> float:
    """Of the fastest joint when it happened [rad/s]."""
    return round(measured_speed(rig.recording.between(failed - 1.0, failed)[-1]), 2)
