"""The classes of faults: what each means, and which may end by themselves.

A fault holds the arm. One that may end by itself leaves the lease in force, so that its holder goes
on once the cause is gone and it sends a fresh command; every other revokes the lease and needs
``clear``. What has touched something never goes on by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from skill_proto.messages import FaultClass, Telemetry


@dataclass(frozen=True, kw_only=True)
class FaultRule:
    """What a class of faults means."""

    cause: str
    recovers: bool
    """Whether the end of the cause ends the fault."""
    ends: str
    """What must be so for it to end, in words."""


MANUAL_RESET = "`clear`, from an arm at rest, and a new lease"

FAULTS: dict[FaultClass, FaultRule] = {
    "tracker": FaultRule(
        cause="the pose of an object that the policy needs is older than `--tracker-timeout`, "
        "or was never sent",
        recovers=True,
        ends="a fresh pose",
    ),
    "communication": FaultRule(
        cause="the arm does not answer, sends the same state again and again, takes no "
        "set-point, or was sent none because the server stood still",
        recovers=True,
        ends="a second of answers, from an arm at rest",
    ),
    "policy": FaultRule(
        cause="the policy fails, or puts out what is not a number",
        recovers=False,
        ends=MANUAL_RESET,
    ),
    "internal": FaultRule(cause="an error of the server itself", recovers=False, ends=MANUAL_RESET),
    "arm": FaultRule(
        cause="the arm reports an error, refuses a set-point, or measures what is not a number",
        recovers=False,
        ends=MANUAL_RESET,
    ),
    "contact": FaultRule(
        cause="the arm stopped itself because it touched something",
        recovers=False,
        ends=MANUAL_RESET,
    ),
}
"""From the mildest to the gravest."""

SEVERITY = {name: rank for rank, name in enumerate(FAULTS)}


def needs_clear(state: Telemetry) -> bool:
    """Whether the arm is stopped or at fault until somebody sends ``clear``."""
    if state.mode == "fault":
        return state.fault is None or not FAULTS[state.fault].recovers
    return state.mode == "stopped"


def more_severe(first: FaultClass, second: FaultClass | None) -> FaultClass:
    """The more_severe of two: a second fault on top of a first one never makes it milder."""
    if second is None:
        return first
    return max(first, second, key=SEVERITY.__getitem__)
