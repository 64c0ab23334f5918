"""The state machine of one arm: a table from mode and event to the next mode.

``stopped`` and ``fault`` are latched: ``clear`` leads from them to ``hold``. Faults of some classes
also end with their cause (``skill_proto.faults``). In every other mode the holder of the lease may
command any motion, and every end of a command or of a lease leads to ``hold``.
"""

from __future__ import annotations

from typing import Literal

from skill_proto.messages import Mode

Event = Literal[
    "acquire",  # a client takes the lease; the previous motion (the demo) ends
    "hold",
    "skill",
    "goal",
    "servo",
    "reset",  # a fresh start of a simulated scene
    "expire",  # the active command has reached the end of its validity
    "lease_end",  # released, run out, or revoked
    "stop",
    "fault",
    "recover",  # the cause of a recoverable fault is gone
    "clear",
]
"""Events that may change the mode."""

MODES: tuple[Mode, ...] = ("hold", "skill", "goal", "servo", "stopped", "fault")
LATCHED: frozenset[Mode] = frozenset({"stopped", "fault"})
"""Modes without motion, which ``clear`` ends. A recoverable fault also ends with its cause."""
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
"""Next mode for each mode and event; None if the event is refused."""


def next_mode(mode: Mode, event: Event) -> Mode | None:
    """Returns the mode that ``event`` leads to from ``mode``, or None if the event is refused."""
    return TABLE[mode][event]
