"""docs/safety.md: its tables are made from the code that they are about.

``python -m skill_runtime.safety_page`` writes them anew; a test tells when they are not up to date.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from skill_robots.governor import INTERVENTIONS, Intervention
from skill_runtime.faults import FAULTS
from skill_runtime.modes import MODES, TABLE, Event

PAGE = Path("docs/safety.md")

EVENTS: dict[Event, str] = {
    "acquire": "somebody takes the lease",
    "hold": "`hold`",
    "skill": "`skill`",
    "goal": "`goal`",
    "servo": "`servo_joint`, `servo_pose`",
    "reset": "`reset`",
    "expire": "the command has run out",
    "lease_end": "the lease is released, has run out, or was taken over",
    "stop": "`stop`, or nobody had the lease for `--stop-after`",
    "fault": "a fault",
    "recover": "the cause of a fault that may end by itself is gone",
    "clear": "`clear`",
}
"""In words."""

LIMITS: dict[Intervention, str] = {
    "stale": "there is no set-point",
    "not_finite": "a number of it is NaN or infinite",
    "inconsistent": "its velocity is not that of its positions",
    "joint_position": "a joint beyond its range, here or on the way to rest",
    "joint_velocity": "a joint faster than its limit, or than the FR3's bound near its end",
    "joint_acceleration": "a joint's acceleration beyond its limit",
    "joint_jerk": "a joint's jerk beyond its limit",
    "end_effector_speed": "the end effector faster than its limit",
    "workspace": "the end effector out of the box of the policy's plant, with 2 cm to spare",
    "table": "arm or hand more than 8 mm inside the table (compliant arms press on it)",
    "self_collision": "two links nearer than 1 cm to each other",
    "hand_width": "the hand told to open farther than it can; it opens as far as it can",
}
"""What is refused, in words."""


def mode_table() -> str:
    """A row per event, a column per mode."""
    rows = [
        [EVENTS[event], *(TABLE[mode][event] or "refused" for mode in MODES)]
        for event in get_args(Event)
    ]
    return _table(["event", *MODES], rows)


def fault_table() -> str:
    """A row per class, the mildest first."""
    rows = [
        [f"`{name}`", rule.cause, "stays" if rule.recovers else "ends", rule.ends]
        for name, rule in FAULTS.items()
    ]
    return _table(["class", "cause", "the lease", "it ends with"], rows)


def governor_table() -> str:
    """A row per reason for which a set-point is refused."""
    return _table(
        ["reason", "what is wrong"], [[f"`{name}`", LIMITS[name]] for name in INTERVENTIONS]
    )


TABLES = {"modes": mode_table, "faults": fault_table, "governor": governor_table}


def filled(text: str) -> str:
    """``text`` with every table between its two marks made anew.

    Raises:
        ValueError: a mark is missing.
    """
    for name, make in TABLES.items():
        begin, end = f"<!-- {name}: made by skill_runtime.safety_page -->", f"<!-- /{name} -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{PAGE} lacks {begin} or {end}")
        text = f"{head}{begin}\n{make()}\n{end}{tail}"
    return text


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
