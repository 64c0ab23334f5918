"""Failures of processes: the controller, the server and subscribers are killed or stopped."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from benchmarks.serving.failures.outcome import (
    AWAY_S,
    COMMAND_VALID,
    LEASE_LASTS,
    LONG,
    OUTLASTING,
    OUTLASTING_S,
    SERVO_PERIOD_S,
    STOP_AFTER_S,
    TIMEOUT_S,
    WATCHED_S,
    Bound,
    Outcome,
    added,
    aftermath,
    commands,
    modes,
    pace,
)
from benchmarks.serving.failures.rig import CLOCK, Rig, displacement, measured_speed

# The controller -----------------------------------------------------------------------------------


def controller_killed(model: Path) -> Outcome:
    """The controller is killed (SIGKILL)."""
    with Rig(model) as rig:
        failed = rig.controller(*OUTLASTING).signal(signal.SIGKILL)
        after = aftermath(rig, "hold", failed)
        free = rig.recording.wait_for(lambda state: state.lease_holder is None, failed)
    facts = {**after.ended_by(), "lease free [s]": after.passed(free.time)}
    return after.outcome("controller: kill -9", COMMAND_VALID, facts)


def controller_stopped(model: Path) -> Outcome:
    """The controller is stopped (SIGSTOP) until its command and its lease have expired."""
    with Rig(model) as rig:
        controller = rig.controller(*OUTLASTING)
        failed = controller.signal(signal.SIGSTOP)
        rig.observe(OUTLASTING_S + AWAY_S)
        resumed = controller.signal(signal.SIGCONT)
        lost = controller.wait_for("LeaseLostError", resumed)
        after = aftermath(rig, "hold", failed)
    facts = {
        **after.ended_by(),
        "lease lost": after.last.counters["lease_lost"],
        "LeaseLostError after SIGCONT [s]": round(lost["at"] - resumed, 3),
    }
    return after.outcome("controller: SIGSTOP", COMMAND_VALID, facts)


def lease_unrenewed(model: Path) -> Outcome:
    """A controller with a long command is killed (SIGKILL); no other client acquires the lease."""
    with Rig(model, "--stop-after", str(STOP_AFTER_S)) as rig:
        failed = rig.controller("--valid-for-s", "20").signal(signal.SIGKILL)
        stopped = rig.recording.wait_for_mode("stopped", failed)
        after = aftermath(rig, "hold", failed)
    facts = {
        **after.ended_by(),
        "stopped [s]": after.passed(stopped.time),
    }
    return after.outcome("controller: kill -9, command valid for 20 s", LEASE_LASTS, facts)


# The server ---------------------------------------------------------------------------------------


def server_killed(model: Path) -> Outcome:
    """The server is killed (SIGKILL) and started again; the controller continues to send."""
    with Rig(model) as rig:
        controller = rig.controller()
        failed = rig.signal_server(signal.SIGKILL)
        unreachable = controller.wait_for("ServerUnreachableError", failed)
        rig.end_server()
        restarted = CLOCK.now()
        rig.start_server()
        lost = controller.wait_for("LeaseLostError", restarted)
        states = rig.recording.between(restarted, rig.observe(1.0))
    return Outcome(
        name="server: kill -9",
        state="client: ServerUnreachableError",
        state_s=unreachable["at"] - failed,
        bound_s=0.1 + TIMEOUT_S,
        stated="timeout_s 0.5 of the client, a call each 0.1",
        facts={
            "modes of the next server": modes(states),
            "commands of the next server": states[-1].command_seq,
            "client at the next server": lost["event"],
        },
    )


def server_stopped(model: Path) -> Outcome:
    """The server is stopped (SIGSTOP) until command and lease have expired, then continued."""
    with Rig(model) as rig:
        controller = rig.controller()
        stopped = rig.signal_server(signal.SIGSTOP)
        unreachable = controller.wait_for("ServerUnreachableError", stopped)
        time.sleep(max(0.0, stopped + AWAY_S - CLOCK.now()))
        failed = rig.signal_server(signal.SIGCONT)
        controller.wait_for("LeaseLostError", failed)
        after = aftermath(rig, "hold", failed)
        before = rig.recording.last_before(failed)
        states = rig.recording.between(failed)
    facts = {
        "first mode": states[0].mode,
        "displacement until rest [rad]": round(displacement(before, after.last), 4),
        "highest speed after SIGCONT [rad/s]": round(max(map(measured_speed, states)), 2),
        "client: ServerUnreachableError [s]": round(unreachable["at"] - stopped, 3),
        "commands accepted after SIGCONT": commands([before, after.last]),
    }
    bound = Bound(SERVO_PERIOD_S, "first servo period after SIGCONT")
    return after.outcome("server: SIGSTOP 2 s, then SIGCONT", bound, facts)


# Subscribers --------------------------------------------------------------------------------------


def subscribers_killed(model: Path) -> Outcome:
    """Three subscribers are killed (SIGKILL)."""
    return _with_subscribers(model, signal.SIGKILL, "subscribers: kill -9")


def subscribers_stopped(model: Path) -> Outcome:
    """Three subscribers are stopped (SIGSTOP): they read no more, but stay connected."""
    return _with_subscribers(model, signal.SIGSTOP, "subscribers: SIGSTOP")


def _with_subscribers(model: Path, number: signal.Signals, name: str) -> Outcome:
    with Rig(model) as rig:
        subscribers = [rig.peer("watch", rig.telemetry_address) for _ in range(3)]
        rig.controller(*LONG)
        rig.observe(WATCHED_S)
        failed = max(subscriber.signal(number) for subscriber in subscribers)
        until = rig.observe(WATCHED_S)
        before = rig.recording.between(failed - WATCHED_S, failed)
        after = rig.recording.between(failed, until)
        for subscriber in subscribers:
            subscriber.signal(signal.SIGCONT)
        rig.observe(1.0)  # the subscribers read their buffers and notice the missing states
        missed = sum(line["missed"] for subscriber in subscribers for line in subscriber.lines)
    return Outcome(
        name=name,
        state="skill continues",
        state_s=None,
        bound_s=None,
        stated="no effect",
        facts={
            "modes": modes(after),
            "rejected": added(after, "rejected"),
            "expired": added(after, "expired"),
            "commands before": commands(before),
            "commands after": commands(after),
            **pace(before, "before"),
            **pace(after, "after"),
            "states that the recorder missed": after[-1].seq - after[0].seq + 1 - len(after),
            "states that the subscribers missed": missed,
        },
    )
