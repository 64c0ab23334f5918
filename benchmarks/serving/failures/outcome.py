"""What a failure led to, and how it is measured, for failures.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from benchmarks.serving.failures.rig import Rest, Rig, measured_speed
from skill_proto.messages import Telemetry

VALID_FOR_S = 0.3
TTL_S = 1.0
TIMEOUT_S = 0.5
"""Of the controller (failure_peers.py) unless told otherwise [s]."""

STOP_AFTER_S = 1.0
TRACKER_TIMEOUT_S = 0.2
SERVO_PERIOD_S = 0.005
POLICY_PERIOD_S = 0.04

OUTLASTING_S = 5.0
OUTLASTING = ("--ttl-s", f"{OUTLASTING_S:g}")
"""Options of a controller whose lease ends so long after its command that what holds the arm must
have been the end of the command."""

AWAY_S = 2.0
"""For how long a process is stopped: longer than command and lease last [s]."""

WATCHED_S = 3.0
"""Watched after the failure, so that anything that starts to move again is seen [s]."""

LONG = ("--valid-for-s", "2", "--ttl-s", "5")
"""Options of a controller that is to be cut short by nothing but the failure in question."""

Fact = float | int | str


class Bound(NamedTuple):
    """A time that is stated."""

    seconds: float
    stated: str
    """What it consists of."""


COMMAND_VALID = Bound(VALID_FOR_S, "valid_for_s 0.3; ttl_s 5")
LEASE_LASTS = Bound(TTL_S, "ttl_s 1")


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


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """What the arm did after a failure."""

    failed: float
    """Server time of the failure [s]."""
    before: Telemetry
    """The last state before."""
    first: Telemetry
    """The first state of the mode that was waited for."""
    rest: Rest
    """Times until rest."""
    last: Telemetry
    """The last state watched."""

    def outcome(self, name: str, bound: Bound, facts: Mapping[str, Fact]) -> Outcome:
        """The time to the mode, and to rest, under the name of the failure."""
        mode, fault = self.first.mode, self.first.fault
        return Outcome(
            name=name,
            state=f"fault {fault}" if mode == "fault" else mode,
            state_s=self.first.time - self.failed,
            bound_s=bound.seconds,
            stated=bound.stated,
            rest=self.rest,
            facts={"rad/s": round(measured_speed(self.before), 2), **facts},
        )

    def ended_by(self) -> dict[str, Fact]:
        """What had run out between the failure and the mode, for the facts."""
        states = (self.before, self.first)
        return {
            "commands expired by then": added(states, "expired"),
            "leases lost by then": added(states, "lease_lost"),
        }

    def passed(self, instant: float) -> float:
        """Time from the failure to a server time, for the facts [s]."""
        return round(instant - self.failed, 3)


def aftermath(rig: Rig, mode: str, failed: float, *, watched_s: float = WATCHED_S) -> Aftermath:
    """Waits for the mode, and watches the arm for a while after it.

    Args:
        rig: what has failed.
        mode: what should become of it.
        failed: server time of the failure [s].
        watched_s: for how long to watch once the mode has come [s].

    Raises:
        NeverHappenedError: the mode did not come.
    """
    first = rig.recording.wait_for_mode(mode, failed)
    until = rig.observe(watched_s)
    return Aftermath(
        failed=failed,
        before=rig.recording.last_before(failed),
        first=first,
        rest=rig.recording.rest_after(failed, until),
        last=rig.recording.states[-1],
    )


def counted(state: Telemetry, prefix: str) -> int:
    """Events since the server's start whose counters' names begin so."""
    return sum(n for name, n in state.counters.items() if name.startswith(prefix))


def added(states: Sequence[Telemetry], prefix: str) -> int:
    """Events that came in the course of these states."""
    return counted(states[-1], prefix) - counted(states[0], prefix)


def pace(states: Sequence[Telemetry], when: str) -> dict[str, Fact]:
    """How the loop kept time."""
    gaps = np.diff([state.time for state in states])
    return {
        f"late p99 {when} [us]": round(max(state.timing.wakeup_latency_p99_us for state in states)),
        f"ticks missed {when}": states[-1].timing.overruns - states[0].timing.overruns,
        f"longest between two states {when} [s]": round(float(gaps.max()), 3),
    }


def modes(states: Sequence[Telemetry]) -> str:
    """All that occurred."""
    return ", ".join(sorted({state.mode for state in states}))


def commands(states: Sequence[Telemetry]) -> int:
    """Commands that were accepted in the course of these states."""
    return states[-1].command_seq - states[0].command_seq
