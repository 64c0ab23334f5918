"""Failures of the server's processes: they are killed or stopped, one of them or all."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.serving.failures.client_process import CLOCK, Peer, wait_for
from benchmarks.serving.failures.outcome import (
    AWAY_S,
    OUTLASTING,
    SERVO_PERIOD_S,
    TIMEOUT_S,
    Aftermath,
    Bound,
    Fact,
    Outcome,
    added,
    aftermath,
    commands,
    modes,
)
from benchmarks.serving.failures.recording import displacement, measured_speed
from benchmarks.serving.failures.rig import Rig
from skill_proto.messages import Stop
from skill_runtime.client import ClientError, Connection

SERVED_AGAIN_S = 1.0
"""A network process serves again within this time after its failure [s]."""

LISTENER_SILENCE_S = 0.06
"""A stop listener without a heartbeat for this long is silent, and the arm is stopped [s]."""

PROBE_TIMEOUT_S = 0.1
"""Longest wait for the reply to one of the stops that are sent again and again [s]."""

# All processes ------------------------------------------------------------------------------------


def server_killed(model: Path) -> Outcome:
    """skill-serve is killed (SIGKILL) and started again; the client continues to send."""
    with Rig(model) as rig:
        client = rig.client()
        failed = rig.signal_server(signal.SIGKILL)
        unreachable = client.wait_for("ServerUnreachableError", failed)
        facts = _next_server(rig, client)
    return Outcome(
        name="server: kill -9",
        state="client: ServerUnreachableError",
        state_s=unreachable["at"] - failed,
        bound_s=0.1 + TIMEOUT_S,
        stated="timeout_s 0.5 of the client, a call each 0.1",
        facts=facts,
    )


def _next_server(rig: Rig, client: Peer) -> dict[str, Fact]:
    """Starts the next server, and returns the facts about its meeting with the client."""
    rig.end_server()
    restarted = CLOCK.now()
    rig.start_server()
    refused = client.wait_for("ServerReplacedError", restarted)
    rig.recording.wait_for(lambda state: True, restarted)
    states = rig.recording.between(restarted, rig.observe(1.0))
    return {
        "modes of the next server": modes(states),
        "commands of the next server": states[-1].command_seq,
        "client at the next server": refused["event"],
    }


def server_suspended(model: Path) -> Outcome:
    """All processes are stopped (SIGSTOP) until command and lease have expired, and continued."""
    return _suspended(model, Rig.suspend_server, Rig.resume_server, "server")


def _suspended(
    model: Path, stop: Callable[[Rig], float], resume: Callable[[Rig], float], name: str
) -> Outcome:
    """Calls ``stop``, and ``resume`` once command and lease have expired."""
    with Rig(model) as rig:
        client = rig.client()
        stopped = stop(rig)
        unreachable = client.wait_for("ServerUnreachableError", stopped)
        time.sleep(max(0.0, stopped + AWAY_S - CLOCK.now()))
        failed = resume(rig)
        client.wait_for("LeaseLostError", failed)
        after = aftermath(rig, "hold", failed)
        facts = _resumed(rig, after)
    facts["client: ServerUnreachableError [s]"] = round(unreachable["at"] - stopped, 3)
    bound = Bound(SERVO_PERIOD_S, "first servo period after SIGCONT")
    return after.outcome(f"{name}: SIGSTOP {AWAY_S:g} s, then SIGCONT", bound, facts)


def _resumed(rig: Rig, after: Aftermath) -> dict[str, Fact]:
    """Returns the facts about a server that continues."""
    before = rig.recording.last_before(after.failed)
    states = rig.recording.between(after.failed)
    # A tick that was interrupted ends with the decision from before; the next one is overdue.
    overdue = [state for state in states if state.timing.overruns > before.timing.overruns]
    return {
        "first mode": overdue[0].mode,
        "states of the interrupted tick": len(states) - len(overdue),
        "displacement until rest [rad]": round(displacement(before, after.last), 4),
        "highest speed after SIGCONT [rad/s]": round(max(map(measured_speed, states)), 2),
        "commands accepted after SIGCONT": commands([before, after.last]),
    }


# The controller -----------------------------------------------------------------------------------


def controller_killed(model: Path) -> Outcome:
    """The controller is killed (SIGKILL): skill-serve ends, and is started again."""
    with Rig(model) as rig:
        client = rig.client()
        failed = rig.signal_server(signal.SIGKILL, "controller")
        code = rig.wait_for_end()
        ended = CLOCK.now()
        facts = _next_server(rig, client)
    return Outcome(
        name="controller: kill -9",
        state=f"skill-serve ends with exit code {code}",
        state_s=ended - failed,
        bound_s=SERVED_AGAIN_S,
        stated="the others end within 1 s",
        facts=facts,
    )


def controller_stopped(model: Path) -> Outcome:
    """The controller is stopped (SIGSTOP) until command and lease have expired, and continued."""
    return _suspended(
        model,
        lambda rig: rig.signal_server(signal.SIGSTOP, "controller"),
        lambda rig: rig.signal_server(signal.SIGCONT, "controller"),
        "controller",
    )


# The gateway --------------------------------------------------------------------------------------


def gateway_killed(model: Path) -> Outcome:
    """The gateway is killed (SIGKILL)."""
    return _gateway(model, signal.SIGKILL, "gateway: kill -9")


def gateway_stopped(model: Path) -> Outcome:
    """The gateway is stopped (SIGSTOP)."""
    return _gateway(model, signal.SIGSTOP, "gateway: SIGSTOP")


def _gateway(model: Path, number: signal.Signals, name: str) -> Outcome:
    """Watches the arm until the client moves it through the next gateway."""
    with Rig(model) as rig:
        rig.client(*OUTLASTING)
        failed = rig.signal_server(number, "gateway")
        again = rig.recording.wait_for(lambda state: _restarts(state.counters) > 0, failed)
        before = rig.recording.last_before(again.time - 1e-6)
        moving = rig.wait_moving(again.time)
    return Outcome(
        name=name,
        state="telemetry again",
        state_s=again.time - failed,
        bound_s=SERVED_AGAIN_S,
        stated="served again within 1 s",
        facts={
            "mode then": again.mode,
            "speed then [rad/s]": round(measured_speed(again), 2),
            "without telemetry [s]": round(again.time - before.time, 3),
            "commands expired by then": added((before, again), "expired"),
            "leases lost by then": added((before, again), "lease_lost"),
            "motion again [s]": round(moving.time - failed, 3),
            "leases": moving.counters["leases"],
            "gateways restarted": _restarts(moving.counters),
        },
    )


def _restarts(counters: dict[str, int]) -> int:
    return counters.get("restarts.gateway", 0)


# The stop listener --------------------------------------------------------------------------------


def stop_listener_killed(model: Path) -> Outcome:
    """The stop listener is killed (SIGKILL)."""
    return _stop_listener(model, signal.SIGKILL, "stop listener: kill -9")


def stop_listener_stopped(model: Path) -> Outcome:
    """The stop listener is stopped (SIGSTOP)."""
    return _stop_listener(model, signal.SIGSTOP, "stop listener: SIGSTOP")


def _stop_listener(model: Path, number: signal.Signals, name: str) -> Outcome:
    """Watches the arm, and sends stops until the next listener confirms one."""
    with Rig(model) as rig:
        rig.client(*OUTLASTING)
        failed = rig.signal_server(number, "stop listener")
        confirmed = wait_for(lambda: _confirmed_stop(rig), "a reply to a stop")
        after = aftermath(rig, "stopped", failed)
    facts: dict[str, Fact] = {
        "event": after.first.last_event,
        "a stop is confirmed again [s]": after.passed(confirmed),
        "mode at the end": after.last.mode,
        "lease": after.last.lease_holder or "revoked",
    }
    bound = Bound(LISTENER_SILENCE_S, "heartbeat of the stop listener, 0.06")
    return after.outcome(name, bound, facts)


def _confirmed_stop(rig: Rig) -> float | None:
    """Sends a stop; returns the time of its reply, or None without one [s]."""
    try:
        with Connection(rig.stop_address, PROBE_TIMEOUT_S) as connection:
            connection.ask(Stop(reason="probe"))
    except ClientError:
        return None
    return CLOCK.now()
