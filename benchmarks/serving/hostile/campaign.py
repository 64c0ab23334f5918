"""Repeats of one attack and of its control, in turns, while a skill runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import psutil

from benchmarks.serving.hostile.attacker import Attacker
from benchmarks.serving.hostile.attacks.attack import WINDOW_S, Attack
from benchmarks.serving.hostile.bystanders import HOLDER, RECOVERY_S, Bystanders
from benchmarks.serving.hostile.observed import State, now
from benchmarks.serving.hostile.results import (
    STOP_READ_S,
    Repeat,
    Result,
    late_ticks,
    longest_gap,
    newest,
    stop_s,
)
from benchmarks.serving.hostile.rig import CONTROLLER, NETWORK_ROLES, SUPERVISOR, Server
from benchmarks.serving.processes import Role, resident_mb

STOPS = 3
"""Stops of the innocent client during an attack."""
STOP_PERIOD_S = 0.01
LATE_STOP_S = 5.0
"""Longest wait for the stop after an attack [s]."""

CONTROL_EVERY = 3
"""One control for so many attacks."""

RECONNECT_S = 0.05


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
    _roles: dict[Role, psutil.Process] = field(default_factory=dict[Role, psutil.Process])
    _peaks: dict[Role, float] = field(default_factory=dict[Role, float])
    _total_peak: float = 0.0
    _lost: set[Role] = field(default_factory=set[Role])
    """Roles whose process is lost, and not replaced yet."""
    _lost_at: float = -math.inf
    """Newest loss of a network process [s]."""

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
        self._lost.clear()
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
        self._follow_restarts()
        total = 0.0
        for role, process in self._roles.items():
            mb = resident_mb(process)
            self._peaks[role] = max(self._peaks.get(role, 0.0), mb)
            total += mb
        self._total_peak = max(self._total_peak, total)

    def _follow_restarts(self) -> None:
        """Notes the time of a loss, and finds the process that replaces the lost one."""
        roles = self._roles
        lost: set[Role] = {role for role in roles if not roles[role].is_running()}
        if not lost.isdisjoint(NETWORK_ROLES):
            self._lost_at = now()
        self._lost |= lost
        if self._lost:
            self._roles = self.server.processes()
            self._lost.difference_update(self._roles)

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

    def _finish(
        self, attack: Attack, began: float, first: State, controller: psutil.Process | None
    ) -> Repeat:
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
        # An attack that waits for a restart ends a process once more after its end.
        moving_s = now() - max(ended, self._lost_at)
        clients.moving = False
        late = clients.stop()
        clients.run(now() + LATE_STOP_S, lambda: late.read_s < math.inf)
        times = [stop_s(stop, arm_stops=attack.arm != "moves") for stop in (*stops, late)]
        self.attacker.release()
        clients.run(now() + RECOVERY_S, self.attacker.finished)
        # A stop that waits behind the attack would delay those of the next control.
        clients.run(now() + RECOVERY_S, lambda: late.read_s < math.inf)
        return Repeat(
            late=late_ticks(first, last, round(attack.lasts_s / clients.period_s)),
            mode=before.mode,
            kept=before.holder == HOLDER,
            stops_s=[seconds for seconds in times if seconds is not None],
            silent_s=silent_s,
            moving_s=moving_s,
            restarted=controller != self.server.processes().get(CONTROLLER),
        )
