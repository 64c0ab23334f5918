"""Processes that die or stop: whoever steers, the server, whoever watches; for failures.py."""

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
from benchmarks.serving.failures.rig import CLOCK, Rig, measured_speed, way

# The controller -----------------------------------------------------------------------------------


def controller_killed(model: Path) -> Outcome:
    """Kill -9 of whoever steers."""
    with Rig(model) as rig:
        failed = rig.controller(*OUTLASTING).signal(signal.SIGKILL)
        after = aftermath(rig, "hold", failed)
        free = rig.recording.wait_for(lambda state: state.lease_holder is None, failed)
    facts = {**after.ended_by(), "lease free [s]": after.passed(free.time)}
    return after.outcome("controller: kill -9", COMMAND_VALID, facts)


def controller_stopped(model: Path) -> Outcome:
    """SIGSTOP of whoever steers; it comes back when command and lease have run out."""
    with Rig(model) as rig:
        controller = rig.controller(*OUTLASTING)
        failed = controller.signal(signal.SIGSTOP)
        rig.observe(OUTLASTING_S + AWAY_S)
        resumed = controller.signal(signal.SIGCONT)
        said = controller.wait_for("LeaseLostError", resumed)
        after = aftermath(rig, "hold", failed)
    facts = {
        **after.ended_by(),
        "lease lost": after.last.counters["lease_lost"],
        "told so after SIGCONT [s]": round(said["at"] - resumed, 3),
    }
    return after.outcome("controller: SIGSTOP", COMMAND_VALID, facts)


def lease_unrenewed(model: Path) -> Outcome:
    """Kill -9 of a controller whose last command would have lasted for long; nobody comes."""
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
    """Kill -9 of the server, which is started again while the controller still asks."""
    with Rig(model) as rig:
        controller = rig.controller()
        failed = rig.signal_server(signal.SIGKILL)
        said = controller.wait_for("ServerUnreachableError", failed)
        rig.end_server()
        restarted = CLOCK.now()
        rig.start_server()
        lost = controller.wait_for("LeaseLostError", restarted)
        states = rig.recording.between(restarted, rig.observe(1.0))
    return Outcome(
        name="server: kill -9",
        state="client: ServerUnreachableError",
        state_s=said["at"] - failed,
        bound_s=0.1 + TIMEOUT_S,
        stated="client's timeout_s 0.5, a call each 0.1",
        facts={
            "modes of the next server": modes(states),
            "its commands": states[-1].command_seq,
            "client there": lost["what"],
        },
    )


def server_stopped(model: Path) -> Outcome:
    """SIGSTOP of the server, and SIGCONT when command and lease have run out."""
    with Rig(model) as rig:
        controller = rig.controller()
        stopped = rig.signal_server(signal.SIGSTOP)
        said = controller.wait_for("ServerUnreachableError", stopped)
        time.sleep(max(0.0, stopped + AWAY_S - CLOCK.now()))
        failed = rig.signal_server(signal.SIGCONT)
        controller.wait_for("LeaseLostError", failed)
        after = aftermath(rig, "hold", failed)
        before = rig.recording.last_before(failed)
        states = rig.recording.between(failed)
    facts = {
        "first mode": states[0].mode,
        "moved in coming to rest [rad]": round(way(before, after.last), 4),
        "fastest after [rad/s]": round(max(map(measured_speed, states)), 2),
        "client: ServerUnreachableError [s]": round(said["at"] - stopped, 3),
        "commands accepted after": commands([before, after.last]),
    }
    bound = Bound(SERVO_PERIOD_S, "first servo period after SIGCONT")
    return after.outcome("server: SIGSTOP 2 s, then SIGCONT", bound, facts)


# Watchers -----------------------------------------------------------------------------------------


def watchers_killed(model: Path) -> Outcome:
    """Kill -9 of three who watch."""
    return _watchers(model, signal.SIGKILL, "watchers: kill -9")


def watchers_stopped(model: Path) -> Outcome:
    """SIGSTOP of three who watch: they stop reading and stay connected."""
    return _watchers(model, signal.SIGSTOP, "watchers: SIGSTOP")


def _watchers(model: Path, number: signal.Signals, name: str) -> Outcome:
    with Rig(model) as rig:
        watchers = [rig.peer("watch", rig.telemetry_address) for _ in range(3)]
        rig.controller(*LONG)
        rig.observe(WATCHED_S)
        failed = max(watcher.signal(number) for watcher in watchers)
        until = rig.observe(WATCHED_S)
        before = rig.recording.between(failed - WATCHED_S, failed)
        after = rig.recording.between(failed, until)
        for watcher in watchers:
            watcher.signal(signal.SIGCONT)
        rig.observe(1.0)  # they read what was kept for them, and find out what was not
        missed = sum(line["missed"] for watcher in watchers for line in watcher.lines)
    return Outcome(
        name=name,
        state="skill goes on",
        state_s=None,
        bound_s=None,
        stated="nothing changes",
        facts={
            "modes": modes(after),
            "rejected": added(after, "rejected"),
            "expired": added(after, "expired"),
            "commands before": commands(before),
            "commands after": commands(after),
            **pace(before, "before"),
            **pace(after, "after"),
            "states another subscriber missed": after[-1].seq - after[0].seq + 1 - len(after),
            "states they missed": missed,
        },
    )
