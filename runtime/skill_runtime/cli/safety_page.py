"""docs/safety.md: its tables are made from the code that they are about.

``python -m skill_runtime.cli.safety_page`` writes them anew; a test tells when they are not up to date.
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
from skill_runtime.cli.serve_options import Arguments
from skill_runtime.control.arm_link import COMMUNICATION_TIMEOUT_S

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


def _length(metres: float) -> str:
    return f"{1e2 * metres:g} cm" if metres >= 0.01 else f"{1e3 * metres:g} mm"


LIMITS: dict[Intervention, str] = {
    "stale": "there is no set-point",
    "not_finite": "a number of it is NaN or infinite",
    "inconsistent": "its velocity is not that of its positions",
    "joint_position": "a joint beyond its range, here or on the way to rest",
    "joint_velocity": "a joint faster than its limit, or than the FR3's bound near its end",
    "joint_acceleration": "a joint's acceleration beyond its limit",
    "joint_jerk": "a joint's jerk beyond its limit",
    "end_effector_speed": "the end effector faster than its limit",
    "workspace": "the end effector out of the box of the policy's plant, "
    f"with {_length(WORKSPACE_MARGIN_M)} to spare",
    "table": f"arm or hand more than {_length(-Surroundings.table_clearance_m)} inside the table "
    "(compliant arms press on it)",
    "self_collision": f"two links nearer than {_length(Surroundings.self_clearance_m)} "
    "to each other",
    "gripper_width": "the hand told to open farther than it can; it opens as far as it can",
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


def time_table() -> str:
    """A row per time after which something ends by itself."""
    ttl_s: float = Acquire.model_fields["ttl_s"].default
    rows = [
        [
            "a command is not followed by another",
            "`valid_for_s` after its `reference_time`",
            "hold",
        ],
        ["the lease is not renewed", f"its `ttl_s`, {ttl_s:g} s unless asked otherwise", "hold"],
        [
            "nobody has the lease any more",
            f"`--stop-after`, {Arguments.stop_after:g} s unless set otherwise",
            "stopped",
        ],
        [
            "a tracked pose is old",
            f"`--tracker-timeout`, {Arguments.tracker_timeout:g} s unless set otherwise",
            "fault `tracker`",
        ],
        [
            "the arm does not answer",
            f"{1e3 * COMMUNICATION_TIMEOUT_S:g} ms",
            "fault `communication`",
        ],
        [
            "the server stands still, and the time of the arm goes on",
            f"{1e3 * COMMUNICATION_TIMEOUT_S:g} ms",
            "fault `communication`",
        ],
        ["`stop`", "the next servo period reads it first", "stopped"],
    ]
    return _table(["what", "after", "then"], rows)


TABLES = {
    "modes": mode_table,
    "times": time_table,
    "faults": fault_table,
    "governor": governor_table,
}


def filled(text: str) -> str:
    """``text`` with every table between its two marks made anew.

    Raises:
        ValueError: a mark is missing.
    """
    for name, make in TABLES.items():
        begin, end = f"<!-- {name}: made by skill_runtime.cli.safety_page -->", f"<!-- /{name} -->"
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
