"""Loss of a network process: aborted, killed or frozen while a skill runs."""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import zmq

from benchmarks.serving.hostile.attacks.floods import act
from benchmarks.serving.hostile.bystanders import RECOVERY_S, Bystanders
from benchmarks.serving.hostile.contract import SERVICE_S
from benchmarks.serving.hostile.observed import now
from benchmarks.serving.hostile.results import longest_gap
from benchmarks.serving.hostile.rig import CONTROLLER, NETWORK_ROLES, Server
from benchmarks.serving.processes import Role

WATCHED_S = 1.5
"""Time of observation after the loss [s]."""

PROBE_S = 0.04
"""Resolution of the times: the period of hellos and stops [s]."""

STOPPED_WITHIN_S = 0.5
"""Without a stop listener the arm is stopped in this time [s]."""

SIGNALS = (signal.SIGABRT, signal.SIGKILL, signal.SIGSTOP)

LOSSES: dict[str, tuple[Role, signal.Signals]] = {
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


def combined(losses: Sequence[Loss]) -> Loss:
    """Returns the longest times of several losses of the same process."""
    return Loss(
        name=losses[0].name,
        repeats=len(losses),
        hello_s=max(loss.hello_s for loss in losses),
        telemetry_s=max(loss.telemetry_s for loss in losses),
        stop_s=max(loss.stop_s for loss in losses),
        modes=tuple(sorted({mode for loss in losses for mode in loss.modes})),
        broken=tuple(dict.fromkeys(words for loss in losses for words in loss.broken)),
    )


def lose(server: Server, clients: Bystanders, name: str) -> Loss:
    """Sends the signal to the process while a skill runs, and watches the service.

    Args:
        server: A server that has lost no process before; the restarts of one process in a row
            have pauses between them.
        clients: Innocent clients of the server.
        name: Name of the loss.
    """
    role, number = LOSSES[name]
    broken: list[str] = []
    if not clients.run_until_it_moves():
        broken.append("the arm does not move")
    _act(server, clients)
    before = server.processes()
    if role not in before:
        words = f"no process is a {role}"
        nan = math.nan
        return Loss(
            name=name,
            repeats=1,
            hello_s=nan,
            telemetry_s=nan,
            stop_s=nan,
            modes=(),
            broken=(*broken, words),
        )
    lost = now()
    hello_s, telemetry_s, stop_s = _watch(clients, before[role], number)
    after = [state for state in clients.states if state.time > lost]
    if role == "stop listener" and not any(
        state.mode == "stopped" and state.time < lost + STOPPED_WITHIN_S for state in after
    ):
        broken.append("the arm was not stopped")
    if before.get(CONTROLLER) != server.processes().get(CONTROLLER):
        broken.append("the controller died")
    if not server.alive:
        broken.append("the server died")
    for words, seconds in (("hello", hello_s), ("telemetry", telemetry_s), ("stop", stop_s)):
        if seconds > SERVICE_S:
            broken.append(f"no {words} for {seconds:.1f} s")
    return Loss(
        name=name,
        repeats=1,
        hello_s=hello_s,
        telemetry_s=telemetry_s,
        stop_s=stop_s,
        modes=tuple(sorted({state.mode for state in after})),
        broken=tuple(broken),
    )


def _watch(
    clients: Bystanders, process: psutil.Process, number: signal.Signals
) -> tuple[float, float, float]:
    """Sends the signal; returns the gaps of hellos and telemetry, and the stop's time [s]."""
    clients.forget()
    clients.moving = False
    lost = now()
    process.send_signal(number)
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
    answers = [probe.at + probe.answered for probe in clients.probes]
    arrivals = [state.arrived for state in clients.states]
    gaps = [longest_gap(times, lost, now()) for times in (answers, arrivals)]
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGCONT)  # a frozen process that was not replaced
    return gaps[0], gaps[1], stop_s


def _act(server: Server, clients: Bystanders) -> None:
    """Sends one ``act``, which starts the policy service, and waits for the reply."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(server.addresses.commands)
        socket.send_multipart(act())
        clients.run(now() + RECOVERY_S, lambda: bool(socket.poll(0)))
