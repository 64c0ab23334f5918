"""The headline says whether the arm moves, by whom, and if not, why not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from skill_proto.messages import Telemetry
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.subscribers.web.reasons import View, headline


@pytest.fixture
def state(telemetry_of: Callable[..., Telemetry], controller: ArmController) -> Telemetry:
    return telemetry_of(controller)


def shown(state: Telemetry | None, changes: dict[str, object], **fields: object) -> tuple[str, str]:
    changed = None if state is None else state.model_copy(update=changes)
    view = View(state=changed, silence_s=None, unit="m", inputs="click", **fields)  # pyright: ignore[reportArgumentType]
    result = headline(view)
    return result.word, result.text


def test_a_server_that_does_not_answer(state: Telemetry) -> None:
    view = View(state=state, silence_s=3.2, error="no answer from tcp://x within 1 s.")
    result = headline(view)
    assert result.word == "NO TELEMETRY"
    assert result.text == "None for 3 s: no answer from tcp://x within 1 s."
    assert shown(None, {}) == ("NO TELEMETRY", "None.")


@pytest.mark.parametrize(
    ("changes", "fields", "word", "text"),
    [
        ({}, {}, "HOLDS", "Nobody has the lease: click."),
        ({"lease_holder": "a"}, {}, "HOLDS", "'a' has the lease and gives no command"),
        ({"lease_holder": "web"}, {"holds": True}, "HOLDS", "This page has the lease"),
        ({}, {"note": "too far"}, "HOLDS", "The last command was refused: too far."),
        ({"awaited_objects": ("cube",)}, {}, "HOLDS", "No pose of cube has arrived"),
        (
            {"mode": "stopped", "last_event": "stop: x"},
            {},
            "STOPPED",
            "Stop: x. Make sure that motion is safe, press clear",
        ),
        (
            {"mode": "stopped", "last_event": "refused: the lease has ended: stop: x"},
            {},
            "STOPPED",
            "Stop: x. Make",
        ),
        ({"mode": "stopped", "last_event": "y"}, {}, "STOPPED", "The newest event: y. Make"),
        ({"mode": "stopped", "fault": "arm"}, {}, "STOPPED", "There is a fault, too: the arm"),
        ({"mode": "fault", "fault": "contact"}, {}, "FAULT contact", "because of a contact. Make"),
        (
            {"mode": "fault", "fault": "tracker"},
            {},
            "FAULT tracker",
            "It ends by itself, with a fresh",
        ),
        (
            {"mode": "skill", "command": "demo"},
            {},
            "MOVES",
            "The policy. The demo commands it until a client does: click, or press hold.",
        ),
        ({"mode": "skill", "command": "skill"}, {"holds": True}, "MOVES", "Commanded by this page"),
        ({"mode": "servo", "lease_holder": "b"}, {}, "MOVES", "Servo. Commanded by 'b'."),
        ({"mode": "skill", "braking": True}, {}, "BRAKES", "out of its limits"),
        (
            {"mode": "goal", "goal_distance": 0.1234, "goal_status": "approaching"},
            {"holds": True},
            "MOVES",
            "Goal, 0.123 m away. Commanded by this page.",
        ),
        (
            {"mode": "goal", "goal_distance": 0.01, "goal_status": "reached"},
            {},
            "GOAL REACHED",
            "0.010 m away",
        ),
        (
            {"mode": "goal", "goal_distance": 0.1, "goal_status": "no_progress"},
            {},
            "NO PROGRESS",
            "0.100 m away, and no nearer",
        ),
        (
            {"mode": "skill", "outside": True},
            {"holds": True},
            "OUTSIDE",
            "The policy is outside of its training. Skill. Commanded by this page.",
        ),
        (
            {"mode": "fault", "fault": "outside"},
            {},
            "FAULT outside",
            "and the server was started with --outside hold. Make sure that motion is safe, press",
        ),
    ],
)
def test_states(
    state: Telemetry, changes: dict[str, object], fields: dict[str, object], word: str, text: str
) -> None:
    result = shown(state, changes, **fields)
    assert result[0] == word
    assert text in result[1]
