"""Loss of a network process: aborted, killed or frozen while a skill runs."""

from __future__ import annotations

import contextlib
import math
import os
import signal
from dataclasses import dataclass

import zmq

from benchmarks.serving.hostile.attacks.floods import act
from benchmarks.serving.hostile.bystanders import RECOVERY_S, Bystanders
from benchmarks.serving.hostile.observed import now
from benchmarks.serving.hostile.results import longest_gap
from benchmarks.serving.hostile.rig import CONTROLLER, NETWORK_ROLES, Server

SERVICE_S = 1.0
"""Service is back within this time [s]."""

WATCHED_S = 1.5
"""Time of observation after the loss [s]."""

PROBE_S = 0.04
"""Resolution of the times: the period of hellos and stops [s]."""

STOPPED_WITHIN_S = 0.5
"""Without a stop listener the arm is stopped in this time [s]."""

SIGNALS = (signal.SIGABRT, signal.SIGKILL, signal.SIGSTOP)

LOSSES: dict[str, tuple[str, signal.Signals]] = {
    f"{role.replace(' ', '-')}-{number.name.lower()}": (role, number)
    for role in NETWORK_ROLES
    for number in SIGNALS
}
"""Role and signal by the name of the loss."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The longest times after the loss of a process, and the lines of the contract it broke."""

    name: str
    repeats: int
    hello_s: float
    """Longest time without an answered hello [s]."""
    telemetry_s: float
    """Longest time without telemetry [s]."""
    stop_s: float
    """Longest time until a stop was read [s]."""
    modes: tuple[str, ...]
    """Modes of the arm after the loss."""
    broken: tuple[str, ...]


def lose(
    server: Server, clients: Bystanders, chosen: tuple[str, signal.Signals], repeats: int
) -> Loss:
    """Sends the signal to the process while a skill runs, and watches the service."""
    role, number = chosen
    name = next(name for name, loss in LOSSES.items() if loss == chosen)
    hellos: list[float] = []
    telemetry: list[float] = []
    stops: list[float] = []
    modes: set[str] = set()
    broken: list[str] = []
    for _ in range(repeats):
        if not clients.run_until_it_moves():
            broken.append("the arm does not move again")
            break
        _act(server, clients)
        pid = server.processes().get(role)
        if pid is None:
            broken.append(f"no process is a {role}")
            break
        controller, lost = server.processes().get(CONTROLLER), now()
        hello_s, telemetry_s, stop_s, seen = _watch(clients, pid, number)
        hellos.append(hello_s)
        telemetry.append(telemetry_s)
        stops.append(stop_s)
        modes |= seen
        if role == "stop listener":
            stopped = next((s.time for s in clients.states if _stopped(s.mode, s.time, lost)), None)
            if stopped is None or stopped - lost > STOPPED_WITHIN_S:
                broken.append("the arm was not stopped")
        if controller != server.processes().get(CONTROLLER):
            broken.append("the controller died")
        if not server.alive:
            broken.append("the server died")
            break
    for words, times in (("hello", hellos), ("telemetry", telemetry), ("stop", stops)):
        if max(times, default=0.0) > SERVICE_S:
            broken.append(f"no {words} for {max(times):.1f} s")
    return Loss(
        name=name,
        repeats=len(hellos),
        hello_s=max(hellos, default=math.nan),
        telemetry_s=max(telemetry, default=math.nan),
        stop_s=max(stops, default=math.nan),
        modes=tuple(sorted(modes)),
        broken=tuple(dict.fromkeys(broken)),
    )


def _stopped(mode: str, time: float, since: float) -> bool:
    return mode == "stopped" and time > since


def _watch(
    clients: Bystanders, pid: int, number: signal.Signals
) -> tuple[float, float, float, set[str]]:
    """Sends the signal; returns the gaps of hellos and telemetry, the stop's time, and modes."""
    clients.forget()
    clients.moving = False
    lost = now()
    os.kill(pid, number)
    clients.run(lost + PROBE_S)
    # Each stop is sent anew: the connection of the one before may have ended with the process.
    asked = now()
    while now() < asked + RECOVERY_S:
        stop = clients.stop()
        if clients.run(now() + PROBE_S, lambda stop=stop: stop.accepted):
            break
        clients.connect_again()
    stop_s = now() - asked
    clients.run(lost + WATCHED_S)
    watched = now()
    clients.run(watched + RECOVERY_S, lambda: clients.state.time > watched)
    modes = {state.mode for state in clients.states if state.time > lost}
    answers = [probe.at + probe.answered for probe in clients.probes]
    arrivals = [state.arrived for state in clients.states]
    gaps = [longest_gap(times, lost, now()) for times in (answers, arrivals)]
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGCONT)  # a frozen process that was not replaced
    return gaps[0], gaps[1], stop_s, modes


def _act(server: Server, clients: Bystanders) -> None:
    """Sends one ``act``, which starts the policy service, and waits for the reply."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(server.addresses.commands)
        socket.send_multipart(act())
        clients.run(now() + RECOVERY_S, lambda: bool(socket.poll(0)))
