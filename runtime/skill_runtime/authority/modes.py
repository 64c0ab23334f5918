"""The modes of one arm: a table from mode and event to the next mode.

``stopped`` and ``fault`` are latched: ``clear`` leads out of them, to ``hold``; out of a fault of
some classes its end does too (faults.py).
In every other mode whoever holds the lease may ask for any motion, and whatever ends a command or
a lease leads to ``hold``.
"""

from __future__ import annotations

from typing import Literal

from skill_proto.messages import Mode

Event = Literal[
    "acquire",  # somebody takes the lease; what moved before (the show) ends
    "hold",
    "skill",
    "goal",
    "servo",
    "reset",  # a fresh start of a simulated scene
    "expire",  # the running command has reached the end of its validity
    "lease_end",  # released, run out, or revoked
    "stop",
    "fault",
    "recover",  # the cause of a fault that may end by itself is gone
    "clear",
]
"""What can happen to an arm."""

MODES: tuple[Mode, ...] = ("hold", "skill", "goal", "servo", "stopped", "fault")
LATCHED: frozenset[Mode] = frozenset({"stopped", "fault"})
"""Modes that only ``clear`` leads out of."""
POLICY_MODES: frozenset[Mode] = frozenset({"skill", "goal"})
"""Modes in which the policy runs."""

_FREE: dict[Event, Mode] = {
    "acquire": "hold",
    "hold": "hold",
    "skill": "skill",
    "goal": "goal",
    "servo": "servo",
    "reset": "hold",
    "expire": "hold",
    "lease_end": "hold",
    "stop": "stopped",
    "fault": "fault",
}

TABLE: dict[Mode, dict[Event, Mode | None]] = {
    "hold": {**_FREE, "recover": "hold", "clear": "hold"},
    "skill": {**_FREE, "recover": "skill", "clear": "skill"},
    "goal": {**_FREE, "recover": "goal", "clear": "goal"},
    "servo": {**_FREE, "recover": "servo", "clear": "servo"},
    "stopped": {
        "acquire": None,
        "hold": None,
        "skill": None,
        "goal": None,
        "servo": None,
        "reset": None,
        "expire": "stopped",
        "lease_end": "stopped",
        "stop": "stopped",
        "fault": "stopped",
        "recover": "stopped",
        "clear": "hold",
    },
    "fault": {
        "acquire": None,
        "hold": None,
        "skill": None,
        "goal": None,
        "servo": None,
        "reset": None,
        "expire": "fault",
        "lease_end": "fault",
        "stop": "stopped",
        "fault": "fault",
        "recover": "hold",
        "clear": "hold",
    },
}
"""Next mode for each mode and event; None where the event is refused."""


def next_mode(mode: Mode, event: Event) -> Mode | None:
    """The mode that ``event`` leads to from ``mode``, or None where it is refused."""
    return TABLE[mode][event]
