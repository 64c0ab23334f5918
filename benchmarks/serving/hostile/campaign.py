"""Repeats of one attack and of its control, in turns, while a skill runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.serving.hostile.attacker import Attacker
from benchmarks.serving.hostile.attacks.attack import WINDOW_S, Attack
from benchmarks.serving.hostile.bystanders import HOLDER, RECOVERY_S, Bystanders
from benchmarks.serving.hostile.observed import Sent, State, now
from benchmarks.serving.hostile.rig import (
    CONTROLLER,
    NETWORK_ROLES,
    SUPERVISOR,
    Memory,
    Server,
    resident_mb,
)

STOPS = 3
"""Stops of the innocent client during an attack."""
STOP_PERIOD_S = 0.01
STOP_READ_S = 0.5
"""Longest wait for the replies to these stops [s]."""
LATE_STOP_S = 5.0
"""Longest wait for the stop after an attack [s]."""

CONTROL_EVERY = 3
"""One control for so many attacks."""

RECONNECT_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """One attack, or one control."""

    late: int
    """Ticks that began late, and ticks that were skipped."""
    mode: str
    """Mode of the arm just before the stop of the innocent client."""
    kept: bool
    """Whether the holder had its lease then."""
    expired: int
    """Commands of the holder that expired."""
    stops_s: list[float]
    """Times until the stops had their effect [s]."""
    silent_s: float
    """Longest time without an answered hello, or without telemetry [s]."""
    moving_s: float
    """Time from the end of the attack until the arm moved again [s]."""
    restarted: bool
    """Whether the controller is another one than before."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """All repeats of one attack."""

    attack: Attack
    attacked: list[Repeat]
    controls: list[Repeat]
    before: dict[str, Memory]
    after: dict[str, Memory]
    peaks: dict[str, float]
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


@dataclass
class Campaign:
    """Attacks on one server.

    Args:
        server: The server.
        bystanders: Its innocent clients.
        attacker: The process that attacks.
    """

    server: Server
    bystanders: Bystanders
    attacker: Attacker
    _roles: dict[str, int] = field(default_factory=dict[str, int])
    _peaks: dict[str, float] = field(default_factory=dict[str, float])
    _total_peak: float = 0.0

    def __post_init__(self) -> None:
        self.bystanders.sample = self._sample
        self.bystanders.gone = lambda: not self.server.alive

    def run(self, attack: Attack, repeats: int) -> Result:
        """Repeats an attack and its control.

        Raises:
            RuntimeError: the attacker's process ended.
        """
        warm_control = self.once(attack, 0, innocuous=True)  # slower: buffers, caches
        before, roles = self.server.memory(), self.server.processes()
        self.server.reset_peaks()
        self._roles, self._peaks, self._total_peak = roles, {}, 0.0
        logged = self.server.log.stat().st_size
        warm_attack = self.once(attack, 0)
        attacked: list[Repeat] = []
        controls: list[Repeat] = []
        for number in range(repeats):
            if not self.server.alive:
                break
            if number % CONTROL_EVERY == 0:
                controls.append(self.once(attack, number, innocuous=True))
            attacked.append(self.once(attack, number))
        after = self.server.memory()
        for role, memory in after.items():
            self._peaks[role] = max(self._peaks.get(role, 0.0), memory.peak)
        with self.server.log.open("rb") as log:
            log.seek(logged)
            text = log.read().decode(errors="backslashreplace")
        now_roles = self.server.processes()
        return Result(
            attack=attack,
            attacked=attacked or [warm_attack],  # if the server died of the first one
            controls=controls or [warm_control],
            before=before,
            after=after,
            peaks=dict(self._peaks),
            total_peak=self._total_peak,
            log=text,
            alive=self.server.alive,
            restarts=sum(
                roles.get(role) != now_roles.get(role)
                for role in (*NETWORK_ROLES, SUPERVISOR)
                if role in roles
            ),
        )

    def _sample(self) -> None:
        sizes = resident_mb(list(self._roles.values()))
        for role, mb in zip(self._roles, sizes, strict=True):
            self._peaks[role] = max(self._peaks.get(role, 0.0), mb)
        self._total_peak = max(self._total_peak, sum(sizes))

    def once(self, attack: Attack, number: int, *, innocuous: bool = False) -> Repeat:
        """Carries out an attack, or its control, once.

        Args:
            attack: The attack.
            number: Number of the repeat, which selects the variant of an attack.
            innocuous: Whether an innocuous message replaces the attack.
        """
        clients = self.bystanders
        clients.run_until_it_moves()
        clients.forget()
        clients.moving = False
        first, controller = clients.state, self.server.processes().get(CONTROLLER)
        began = now()
        self.attacker.begin(attack, number, innocuous=innocuous)
        if attack.identity and not innocuous:
            clients.run(began + RECONNECT_S)
            clients.connect_again(attack.identity)
        clients.run(began + WINDOW_S)
        for _ in range(STOPS):
            clients.stop()
            clients.run(now() + STOP_PERIOD_S)
        clients.run(now() + STOP_READ_S, self._all_answered)
        return self._finish(attack, began, first, controller)

    def _all_answered(self) -> bool:
        return all(stop.answered < math.inf for stop in self.bystanders.stops)

    def _finish(self, attack: Attack, began: float, first: State, controller: int | None) -> Repeat:
        """Waits for the end of the attack, makes the arm move again, and stops it once more."""
        clients = self.bystanders
        stops = list(clients.stops)
        clients.run(began + attack.lasts_s)
        ended = now()
        clients.run(ended + RECOVERY_S, lambda: clients.state.time > ended)
        last = clients.state
        before = newest(clients.states, stops[0].at) or first
        answers = [probe.at + probe.answered for probe in clients.probes]
        arrivals = [state.arrived for state in clients.states]
        silent_s = max(longest_gap(times, first.arrived, ended) for times in (answers, arrivals))
        if attack.identity:
            clients.connect_again()
        clients.run_until_it_moves()
        moving_s = now() - ended
        clients.moving = False
        late = clients.stop()
        clients.run(now() + LATE_STOP_S, lambda: late.read_s < math.inf)
        stops_s = [s for stop in (*stops, late) if (s := stop_s(stop)) is not None]
        self.attacker.release()
        clients.run(now() + RECOVERY_S, self.attacker.finished)
        # A stop that waits behind the attack would delay those of the next control.
        clients.run(now() + RECOVERY_S, lambda: late.read_s < math.inf)
        return Repeat(
            late=last.skipped - first.skipped + last.late - first.late,
            mode=before.mode,
            kept=before.holder == HOLDER,
            expired=before.expired - first.expired,
            stops_s=stops_s,
            silent_s=silent_s,
            moving_s=moving_s,
            restarted=controller != self.server.processes().get(CONTROLLER),
        )


def newest(states: Sequence[State], until: float) -> State | None:
    """Returns the newest of the states up to a server time [s]."""
    return next((state for state in reversed(states) if state.time <= until), None)


def longest_gap(times: Sequence[float], since: float, until: float) -> float:
    """Returns the longest time between two of the times, or to the begin or end [s]."""
    inside = [since, *sorted(time for time in times if since < time < until), until]
    return max(after - before for before, after in itertools.pairwise(inside))


def stop_s(stop: Sent) -> float | None:
    """Returns the time until a stop had its effect [s]; infinity if it had none.

    Without a reply it is None if the arm was stopped all the time: the stop had no effect to wait
    for, and the arm was in the safe state.
    """
    if stop.was_stopped and not (stop.accepted and stop.answered < STOP_READ_S):
        return None
    return stop.read_s
