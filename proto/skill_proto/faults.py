"""The classes of faults, and which of them end without ``clear``.

A fault holds the arm. A recoverable fault leaves the lease in force: once the cause is gone, the
next fresh command of the holder moves the arm again. Every other fault revokes the lease and needs
``clear``. A contact is never recoverable.
"""

from __future__ import annotations

from dataclasses import dataclass

from skill_proto.messages import FaultClass, Telemetry


@dataclass(frozen=True, kw_only=True)
class FaultRule:
    """Cause and end of one class of faults."""

    cause: str
    """In words."""
    recovers: bool
    """Whether the end of the cause ends the fault."""
    ends: str
    """Condition that ends the fault, in words."""


MANUAL_RESET = "`clear`, from an arm at rest, and a new lease"
"""How a fault ends that is not recoverable."""

FAULTS: dict[FaultClass, FaultRule] = {
    "tracker": FaultRule(
        cause="the pose of an object that the policy needs is older than `--tracker-timeout`",
        recovers=True,
        ends="a fresh pose",
    ),
    "communication": FaultRule(
        cause="the arm does not answer, repeats the same state, accepts no set-point, or received "
        "no set-point because the server was suspended",
        recovers=True,
        ends="one second of answers, from an arm at rest",
    ),
    "outside": FaultRule(
        cause="the policy is outside of its training, and the server was started with "
        "`--outside hold`",
        recovers=False,
        ends=MANUAL_RESET,
    ),
    "policy": FaultRule(
        cause="the policy fails, or its output is not finite",
        recovers=False,
        ends=MANUAL_RESET,
    ),
    "internal": FaultRule(cause="an error of the server itself", recovers=False, ends=MANUAL_RESET),
    "arm": FaultRule(
        cause="the arm reports an error, refuses a set-point, or its state is not finite",
        recovers=False,
        ends=MANUAL_RESET,
    ),
    "contact": FaultRule(
        cause="the arm stopped because of a contact",
        recovers=False,
        ends=MANUAL_RESET,
    ),
}
"""Ordered from least to most severe."""

SEVERITY = {name: rank for rank, name in enumerate(FAULTS)}
"""Rank of each class: 0 for the least severe."""


def needs_clear(state: Telemetry) -> bool:
    """Returns whether only ``clear`` ends the arm's stop or fault."""
    if state.mode == "fault":
        return state.fault is None or not FAULTS[state.fault].recovers
    return state.mode == "stopped"


def more_severe(first: FaultClass, second: FaultClass | None) -> FaultClass:
    """Returns the more severe of two faults; ``second`` is None if there is only one."""
    if second is None:
        return first
    return max(first, second, key=SEVERITY.__getitem__)
