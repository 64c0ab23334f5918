"""Messages as lines of text."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Telemetry
from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.console.text import (
    control_command,
    example_command,
    json_line,
    state_line,
    watch_line,
)
from skill_runtime.control.arm_controller import ArmController

ELSEWHERE = "tcp://127.0.0.1:7000"


@pytest.fixture
def state(telemetry_of: Callable[..., Telemetry], controller: ArmController) -> Telemetry:
    return telemetry_of(controller)


def test_only_an_address_other_than_the_default_is_a_flag() -> None:
    assert control_command("hello", DEFAULT_ADDRESS) == "skill-control hello"
    assert control_command("hello", ELSEWHERE) == f"skill-control hello --address {ELSEWHERE}"


def test_the_example_is_a_skill_or_a_goal(make_manifest: Callable[..., PolicyManifest]) -> None:
    none = {"kind": "none", "size": 0}
    assert example_command(make_manifest(), DEFAULT_ADDRESS) == "skill-control skill 1 0"
    goals_only = make_manifest(skill=none)
    assert example_command(goals_only, DEFAULT_ADDRESS) == "skill-control goal 0.15 0.15"
    plain = make_manifest(skill=none, goal=None)
    assert example_command(plain, DEFAULT_ADDRESS) == "skill-control skill"


def test_a_state_shows_mode_lease_and_positions(state: Telemetry) -> None:
    line = state_line(state)
    assert line.startswith("hold     lease free  cube [")
    assert "  end effector [" in line


def test_a_fault_and_numbers_that_are_not_finite_are_shown(state: Telemetry) -> None:
    changes = {
        "mode": "fault",
        "fault": "arm",
        "end_effector_position": (None, 0.0, 0.0),
        "not_finite": ("end_effector_position",),
    }
    line = state_line(state.model_copy(update=changes))
    assert line.startswith("fault arm  ")
    assert "end effector [? +0.000 +0.000] m" in line
    assert line.endswith("NOT FINITE: end_effector_position")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"context_estimate": {"cube_mass": 0.8}}, "estimate: mass 0.800 kg"),
        (
            {
                "context_estimate": {"cube_mass": None, "cube_table_friction": 0.41},
                "context_distance": 1.5,
            },
            "estimate: mass ?, friction 0.410, distance 1.50 (unusual)",
        ),
        ({"context": (1.0, -0.5), "context_distance": 0.5}, "context [+1.00 -0.50], distance 0.50"),
        (
            {"context": (1.0, -0.5), "context_distance": 1.5, "outside": True},
            "context [+1.00 -0.50], distance 1.50 (unusual), OUTSIDE OF TRAINING",
        ),
    ],
)
def test_estimates_or_context_are_shown(
    state: Telemetry,
    make_manifest: Callable[..., PolicyManifest],
    changes: dict[str, object],
    text: str,
) -> None:
    manifest = make_manifest(
        context={"size": 2, "estimates": [{"name": "cube_mass", "unit": "kg"}]}
    )
    assert state_line(state.model_copy(update=changes), manifest).endswith(f"  {text}")


def test_a_watched_state_shows_an_event_that_is_new(state: Telemetry) -> None:
    event = {"counters": {"stops": 1}, "last_event": "stop: enough"}
    stopped = state.model_copy(update=event)
    assert watch_line(stopped, state).endswith("  * stop: enough")
    assert "*" not in watch_line(stopped, stopped)
    assert "*" not in watch_line(stopped, None)


HOSTILE = "a\n\r\x1b[2J\x07\x7f\x9b\u202e\u2066\u200e\u061c\u2028\ufeff\ud83d"
"""Line breaks, control characters, marks of writing direction, half of a surrogate pair."""


@pytest.mark.parametrize(
    "changes",
    [
        {"last_event": HOSTILE},
        {"lease_holder": HOSTILE},
        {"mode": "fault", "fault": HOSTILE},
        {"command": HOSTILE},
        {"not_finite": (HOSTILE,)},
        {"context_estimate": {HOSTILE: 1.0}},
    ],
)
def test_no_text_of_a_state_can_steer_the_terminal(
    state: Telemetry, changes: dict[str, object]
) -> None:
    hostile = state.model_copy(update={"counters": {"stops": 1}} | changes)
    line = watch_line(hostile, state)
    assert "a\\n\\r\\x1b[2J" in line
    assert not set(line) & set(HOSTILE[1:4] + HOSTILE[7:])


def test_ordinary_text_stays(state: Telemetry) -> None:
    named = state.model_copy(update={"lease_holder": "J\u00f6rg \u5b57 \U0001f600"})
    assert "lease 'J\u00f6rg \u5b57 \U0001f600'" in state_line(named)


def test_json_stays_json_and_cannot_steer_the_terminal() -> None:
    name = "J\u00f6rg \U0001f600 \x7f\x9b\u202e\u2028\U000e0041"
    line = json_line(json.dumps({"name": name}, ensure_ascii=False))
    assert json.loads(line) == {"name": name}
    assert "J\u00f6rg \U0001f600 \\u007f\\u009b\\u202e\\u2028\\udb40\\udc41" in line
