"""Failures of client processes: the holder of the lease and subscribers are killed or stopped."""

from __future__ import annotations

import signal
from pathlib import Path

from benchmarks.serving.failures.outcome import (
    AWAY_S,
    COMMAND_VALID,
    LEASE_LASTS,
    LONG,
    OUTLASTING,
    OUTLASTING_S,
    STOP_AFTER_S,
    WATCHED_S,
    Outcome,
    added,
    aftermath,
    commands,
    modes,
    pace,
)
from benchmarks.serving.failures.rig import Rig

# The holder of the lease --------------------------------------------------------------------------


def client_killed(model: Path) -> Outcome:
    """The client is killed (SIGKILL)."""
    with Rig(model) as rig:
        failed = rig.client(*OUTLASTING).signal(signal.SIGKILL)
        after = aftermath(rig, "hold", failed)
        free = rig.recording.wait_for(lambda state: state.lease_holder is None, failed)
    facts = {**after.ended_by(), "lease free [s]": after.passed(free.time)}
    return after.outcome("client: kill -9", COMMAND_VALID, facts)


def client_stopped(model: Path) -> Outcome:
    """The client is stopped (SIGSTOP) until its command and its lease have expired."""
    with Rig(model) as rig:
        client = rig.client(*OUTLASTING)
        failed = client.signal(signal.SIGSTOP)
        rig.observe(OUTLASTING_S + AWAY_S)
        resumed = client.signal(signal.SIGCONT)
        lost = client.wait_for("LeaseLostError", resumed)
        after = aftermath(rig, "hold", failed)
    facts = {
        **after.ended_by(),
        "lease lost": after.last.counters["lease_lost"],
        "LeaseLostError after SIGCONT [s]": round(lost["at"] - resumed, 3),
    }
    return after.outcome("client: SIGSTOP", COMMAND_VALID, facts)


def lease_unrenewed(model: Path) -> Outcome:
    """A client with a long command is killed (SIGKILL); no other one acquires the lease."""
    with Rig(model, "--stop-after", str(STOP_AFTER_S)) as rig:
        failed = rig.client("--valid-for-s", "20").signal(signal.SIGKILL)
        stopped = rig.recording.wait_for_mode("stopped", failed)
        after = aftermath(rig, "hold", failed)
    facts = {
        **after.ended_by(),
        "stopped [s]": after.passed(stopped.time),
    }
    return after.outcome("client: kill -9, command valid for 20 s", LEASE_LASTS, facts)


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
        rig.client(*LONG)
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
