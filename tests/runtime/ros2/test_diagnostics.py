"""What the node knows, in levels and words."""

from __future__ import annotations

from collections.abc import Callable

from skill_proto.messages import Telemetry
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.ros2.diagnostics import REFUSAL_SHOWS_S, Level, Names, Report, level_of
from skill_runtime.ros2.diagnostics import reports as reports_of
from skill_runtime.ros2.status import Known, Status


def known(**changes: object) -> Known:
    return Known(**changes)  # pyright: ignore[reportArgumentType]


NAMES = Names("left/skill_ros2", "tcp://left:5555")


def reports(known: Known, now: float) -> tuple[Report, Report]:
    return reports_of(known, now, NAMES)


def quiet(kind: str, text: str) -> None:
    del kind, text


def test_a_server_that_is_away_is_an_error() -> None:
    arm, targets = reports(known(unreachable="no answer"), 0.0)
    assert (arm.level, arm.message) == (Level.ERROR, "no answer")
    assert targets.level is Level.OK


def test_a_refused_message_is_a_warning_for_a_while() -> None:
    status = Status(quiet, lambda: 100.0)
    status.refuse("goal", "not finite")
    status.refuse("goal", "not finite")
    soon, late = (
        reports(status.known, 100.0 + after)[1]
        for after in (REFUSAL_SHOWS_S - 0.1, REFUSAL_SHOWS_S + 0.1)
    )
    assert (soon.level, soon.message) == (Level.WARN, "goal is refused: not finite")
    assert late.level is Level.OK
    assert late.values["refused.goal"] == "2"
    assert late.values["last_refusal"] == "goal: not finite"


def test_the_names_tell_arms_apart() -> None:
    arm, targets = reports(known(), 0.0)
    assert (arm.name, targets.name) == ("left/skill_ros2: arm", "left/skill_ros2: targets")
    assert arm.hardware_id == targets.hardware_id == "tcp://left:5555"


def test_a_reason_why_targets_do_not_move_the_arm_is_a_warning() -> None:
    _, targets = reports(known(blocked="'other' has the lease"), 0.0)
    assert (targets.level, targets.message) == (Level.WARN, "'other' has the lease")


def test_levels_follow_the_mode(
    controller: ArmController, telemetry_of: Callable[..., Telemetry]
) -> None:
    state = telemetry_of(controller)
    assert level_of(state) == (Level.OK, "hold")
    level, text = level_of(state.model_copy(update={"mode": "stopped", "last_event": "stop: x"}))
    assert (level, text) == (Level.WARN, "stopped: stop: x; call the service clear")
    level, text = level_of(state.model_copy(update={"mode": "fault", "fault": "arm"}))
    assert (level, text.startswith("fault arm: ")) == (Level.ERROR, True)
    assert text.endswith("call the service clear")
    _, text = level_of(state.model_copy(update={"mode": "fault", "fault": "tracker"}))
    assert text.startswith("fault tracker: ")
    assert text.endswith("it ends with its cause")
    outside = state.model_copy(update={"mode": "goal", "outside": True})
    assert level_of(outside) == (Level.WARN, "goal: the policy is outside of its training")
    level, _ = level_of(state.model_copy(update={"not_finite": ("joint_position",)}))
    assert level is Level.WARN
