"""Results of an attack: each repeat, and all of them together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.serving.hostile.attacks.attack import Attack
from benchmarks.serving.hostile.observed import Sent, State
from benchmarks.serving.hostile.rig import CONTROLLER, NETWORK_ROLES, Memory
from benchmarks.serving.processes import Role

STOP_READ_S = 0.5
"""Longest wait for the reply to a stop during an attack [s]."""

LONGER = 2.0
"""An attack has delayed the telemetry if so many times the usual ticks lie in its time."""


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """One attack, or one control."""

    late: float
    """Ticks that began late or were skipped, in the time of a control; fewer are counted of a
    longer time, in which an attack delayed the telemetry."""
    mode: str
    """Mode of the arm just before the stop of the innocent client."""
    kept: bool
    """Whether the holder had its lease then."""
    stops_s: list[float]
    """Times until the stops had their effect [s]."""
    silent_s: float
    """Longest time without an answered hello, or without telemetry [s]."""
    moving_s: float
    """Time from the end of the attack, or from the loss of a process after it, until the arm moved
    again [s]."""
    restarted: bool
    """Whether the controller is another one than before."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """All repeats of one attack."""

    attack: Attack
    attacked: list[Repeat]
    controls: list[Repeat]
    before: dict[Role, Memory]
    after: dict[Role, Memory]
    peaks: dict[Role, float]
    """Largest resident memory during the attacks, by role [MB]."""
    total_peak: float
    """Largest sum over all processes, from samples [MB]."""
    log: str
    """Output of the server meanwhile."""
    alive: bool
    """Whether the server still runs."""
    restarts: int
    """Network processes that are others than before."""

    @property
    def controller_growth_mb(self) -> float:
        """Growth of the controller's largest resident memory [MB]."""
        if CONTROLLER not in self.before:
            return math.inf
        return self.peaks.get(CONTROLLER, math.inf) - self.before[CONTROLLER].rss

    @property
    def network_peak_mb(self) -> float:
        """Largest resident memory of a network process, or 0 if there is none [MB]."""
        return max((mb for role, mb in self.peaks.items() if role in NETWORK_ROLES), default=0.0)


def newest(states: Sequence[State], until: float) -> State | None:
    """Returns the newest of the states up to a server time [s]."""
    return next((state for state in reversed(states) if state.time <= until), None)


def late_ticks(first: State, last: State, usual: int) -> float:
    """Returns the late and the skipped ticks between two states.

    Args:
        first: State before an attack.
        last: State after it.
        usual: Number of ticks of an attack that delays no telemetry.
    """
    skipped = last.skipped - first.skipped
    late, due = skipped + last.late - first.late, last.tick - first.tick + skipped
    return late if due < LONGER * usual else round(late * usual / due, 1)


def longest_gap(times: Sequence[float], since: float, until: float) -> float:
    """Returns the longest time between two of the times, or to the begin or end [s]."""
    inside = [since, *sorted(time for time in times if since < time < until), until]
    return max(after - before for before, after in itertools.pairwise(inside))


def stop_s(stop: Sent, *, arm_stops: bool) -> float | None:
    """Returns the time until a stop had its effect [s]; infinity if it had none.

    Without a reply it is None if the arm was stopped all the time: the stop had no effect to wait
    for, and the arm was in the safe state.

    Args:
        stop: The stop of an innocent client.
        arm_stops: Whether the attack may stop the arm. The stop socket may be busy then, and the
            reply to a stop of an arm at rest proves no delay.
    """
    is_read = stop.accepted and stop.answered < STOP_READ_S
    if stop.was_stopped and (arm_stops or not is_read):
        return None
    return stop.read_s
