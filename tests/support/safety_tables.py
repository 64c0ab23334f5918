"""Generates the tables of docs/safety.md from the code that they describe.

    python -m tests.support.safety_tables

updates the page; a test fails if the page is out of date.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from skill_proto.faults import FAULTS
from skill_proto.messages import Acquire
from skill_robots.motion.governor import INTERVENTIONS, WORKSPACE_MARGIN_M, Intervention
from skill_robots.motion.limits import Surroundings
from skill_runtime.authority.modes import MODES, TABLE, Event
from skill_runtime.cli.serve_options import MotionOptions, TrackingOptions
from skill_runtime.control.state_monitor import COMMUNICATION_TIMEOUT_S

PAGE = Path(__file__).parents[2] / "docs" / "safety.md"

EVENTS: dict[Event, str] = {
    "acquire": "a client acquires the lease",
    "hold": "`hold`",
    "skill": "`skill`",
    "goal": "`goal`",
    "servo": "`servo_joint`, `servo_pose`",
    "reset": "`reset`",
    "expire": "the command expires",
    "lease_end": "the lease is released, expires, or is taken over",
    "stop": "`stop`, or no lease for `--stop-after`",
    "fault": "a fault",
    "recover": "the cause of a recoverable fault is gone",
    "clear": "`clear`",
}
"""The events of the mode table, in words."""


def _length(metres: float) -> str:
    return f"{1e2 * metres:g} cm" if metres >= 0.01 else f"{1e3 * metres:g} mm"


LIMITS: dict[Intervention, str] = {
    "stale": "no set-point was computed",
    "not_finite": "a number is NaN or infinite",
    "inconsistent": "the velocity is not the difference of the positions",
    "joint_position": "a joint leaves its range, here or on the braking trajectory",
    "joint_velocity": "a joint exceeds its velocity limit, or the FR3's position-based limit",
    "joint_acceleration": "a joint exceeds its acceleration limit",
    "joint_jerk": "a joint exceeds its jerk limit",
    "end_effector_speed": "the end effector exceeds its speed limit",
    "workspace": "the end effector leaves the workspace of the policy's plant, widened by "
    f"{_length(WORKSPACE_MARGIN_M)}",
    "table": f"arm or gripper are more than {_length(-Surroundings.table_clearance_m)} inside the "
    "table (a compliant arm presses on it)",
    "self_collision": f"two links are closer than {_length(Surroundings.self_clearance_m)} "
    "to each other",
    "gripper_width": "the gripper width is beyond its range; it is clipped to the range",
}
"""The reasons of the governor, in words."""


def mode_table() -> str:
    """Returns a table with one row per event and one column per mode."""
    rows = [
        [EVENTS[event], *(TABLE[mode][event] or "refused" for mode in MODES)]
        for event in get_args(Event)
    ]
    return _table(["event", *MODES], rows)


def fault_table() -> str:
    """Returns a table with one row per class of faults, the least severe first."""
    rows = [
        [f"`{name}`", rule.cause, "stays in force" if rule.recovers else "ends", rule.ends]
        for name, rule in FAULTS.items()
    ]
    return _table(["class", "cause", "the lease", "the fault ends with"], rows)


def governor_table() -> str:
    """Returns a table with one row per reason for refusing a set-point."""
    return _table(
        ["reason", "the set-point is refused because"],
        [[f"`{name}`", LIMITS[name]] for name in INTERVENTIONS],
    )


def time_table() -> str:
    """Returns a table with one row per timeout."""
    ttl_s: float = Acquire.model_fields["ttl_s"].default
    rows = [
        [
            "no further command arrives",
            "`valid_for_s` after its `reference_time`",
            "hold",
        ],
        ["the lease is not renewed", f"its `ttl_s`, by default {ttl_s:g} s", "hold"],
        [
            "no client acquires the lease again",
            f"`--stop-after`, by default {MotionOptions.stop_after:g} s",
            "stopped",
        ],
        [
            "a tracked pose is not updated",
            f"`--tracker-timeout`, by default {TrackingOptions.tracker_timeout:g} s",
            "fault `tracker`",
        ],
        [
            "the arm does not answer",
            f"{1e3 * COMMUNICATION_TIMEOUT_S:g} ms",
            "fault `communication`",
        ],
        [
            "the server is suspended, and the arm is not simulated in lockstep",
            f"{1e3 * COMMUNICATION_TIMEOUT_S:g} ms",
            "fault `communication`",
        ],
        ["`stop`", "the start of the next servo period", "stopped"],
    ]
    return _table(["event", "after", "then"], rows)


TABLES = {
    "modes": mode_table,
    "times": time_table,
    "faults": fault_table,
    "governor": governor_table,
}


def filled(text: str) -> str:
    """Returns ``text`` with the content between each pair of marks replaced by its table.

    Raises:
        ValueError: a mark is missing.
    """
    for name, make in TABLES.items():
        begin, end = f"<!-- {name}: made by tests.support.safety_tables -->", f"<!-- /{name} -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{PAGE.name} lacks {begin} or {end}")
        text = f"{head}{begin}\n{make()}\n{end}{tail}"
    return text


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
