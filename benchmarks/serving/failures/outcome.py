"""Measures the effect of a failure: mode, times and counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from benchmarks.serving.failures.recording import Rest, measured_speed
from benchmarks.serving.failures.rig import Rig
from skill_proto.messages import Telemetry

VALID_FOR_S = 0.3
TTL_S = 1.0
TIMEOUT_S = 0.5
"""Defaults of the client (benchmarks.serving.failures.peers) [s]."""

STOP_AFTER_S = 1.0
TRACKER_TIMEOUT_S = 0.2
SERVO_PERIOD_S = 0.005
POLICY_PERIOD_S = 0.04

OUTLASTING_S = 5.0
OUTLASTING = ("--ttl-s", f"{OUTLASTING_S:g}")
"""Options of a client whose lease ends long after its command. If the arm holds in between, the
end of the command is the cause."""

AWAY_S = 2.0
"""Duration of a stop of a process; command and lease are shorter [s]."""

WATCHED_S = 3.0
"""Time of observation after the failure, which would show a new motion [s]."""

LONG = ("--valid-for-s", "2", "--ttl-s", "5")
"""Options of a client whose commands and lease do not expire during the measurement."""

Fact = float | int | str


class Bound(NamedTuple):
    """A documented bound."""

    seconds: float
    stated: str
    """The parameters that the bound consists of."""


COMMAND_VALID = Bound(VALID_FOR_S, "valid_for_s 0.3; ttl_s 5")
LEASE_LASTS = Bound(TTL_S, "ttl_s 1")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a failure; times in seconds after the failure, on the server's clock."""

    name: str
    state: str
    """The expected mode, class of fault, or error of the client."""
    state_s: float | None
    """Time until this state."""
    bound_s: float | None
    """Documented bound of this time; None if there is no bound."""
    stated: str
    """The parameters that the bound consists of."""
    rest: Rest | None = None
    """Times until rest; None if the arm continues, or if its server has ended."""
    facts: dict[str, Fact] = field(default_factory=dict[str, Fact])
    """Other observations, by name."""


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """Motion of the arm after a failure."""

    failed: float
    """Server time of the failure [s]."""
    before: Telemetry
    """The last state before the failure."""
    first: Telemetry
    """The first state in the expected mode."""
    rest: Rest
    """Times until rest."""
    last: Telemetry
    """The last observed state."""

    def outcome(self, name: str, bound: Bound, facts: Mapping[str, Fact]) -> Outcome:
        """Returns the outcome of the failure with this name."""
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
        """Returns the facts about commands and leases that expired before the mode."""
        states = (self.before, self.first)
        return {
            "commands expired by then": added(states, "expired"),
            "leases lost by then": added(states, "lease_lost"),
        }

    def passed(self, instant: float) -> float:
        """Returns the time from the failure to a server time, rounded for the facts [s]."""
        return round(instant - self.failed, 3)


def aftermath(rig: Rig, mode: str, failed: float, *, watched_s: float = WATCHED_S) -> Aftermath:
    """Waits for the mode, and observes the arm for some time after it.

    Args:
        rig: Rig in which the failure occurred.
        mode: Expected mode.
        failed: Server time of the failure [s].
        watched_s: Time of observation after the mode began [s].

    Raises:
        NeverHappenedError: The mode did not occur.
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
    """Returns the sum of all counters whose names begin with ``prefix``."""
    return sum(n for name, n in state.counters.items() if name.startswith(prefix))


def added(states: Sequence[Telemetry], prefix: str) -> int:
    """Returns the increase of these counters from the first to the last state."""
    return counted(states[-1], prefix) - counted(states[0], prefix)


def pace(states: Sequence[Telemetry], when: str) -> dict[str, Fact]:
    """Returns the facts about the timing of the loop."""
    gaps = np.diff([state.time for state in states])
    latency_us = max(state.timing.wakeup_latency_p99_us for state in states)
    return {
        f"wake-up latency p99 {when} [us]": round(latency_us),
        f"overruns {when}": states[-1].timing.overruns - states[0].timing.overruns,
        f"longest gap between two states {when} [s]": round(float(gaps.max()), 3),
    }


def modes(states: Sequence[Telemetry]) -> str:
    """Lists all modes of these states."""
    return ", ".join(sorted({state.mode for state in states}))


def commands(states: Sequence[Telemetry]) -> int:
    """Returns the number of commands accepted from the first to the last state."""
    return states[-1].command_seq - states[0].command_seq
