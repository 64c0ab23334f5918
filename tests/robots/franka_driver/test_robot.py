"""Classes of stops, and the start-up checks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from skill_robots.franka.handshake import RobotStatus
from skill_robots.franka.robot_mode import RobotMode
from skill_robots.franka_driver.config import DriverConfig
from skill_robots.franka_driver.records import StopClass
from skill_robots.franka_driver.robot import (
    EndEffector,
    StartCheckError,
    check_end_effector,
    check_status,
    class_of,
    text_of,
    thresholds_text,
)

C = np.sqrt(0.5)
HAND = EndEffector(
    frame=np.array([[C, C, 0, 0], [-C, C, 0, 0], [0, 0, 1, 0.1034], [0, 0, 0, 1]], dtype=float),
    mass_kg=0.73,
    center_m=(-0.01, 0.0, 0.03),
)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (["joint_reflex"], StopClass.CONTACT),
        (["cartesian_reflex"], StopClass.CONTACT),
        (["self_collision_avoidance_violation"], StopClass.CONTACT),
        (["cartesian_reflex", "communication_constraints_violation"], StopClass.CONTACT),
        (["communication_constraints_violation"], StopClass.COMMUNICATION),
        (["communication_constraints_violation", "power_limit_violation"], StopClass.OTHER),
        (["joint_velocity_violation"], StopClass.OTHER),
        ([], StopClass.OTHER),
    ],
)
def test_a_stop_is_classed_by_the_names_of_its_errors(
    errors: list[str], expected: StopClass
) -> None:
    assert class_of(errors, RobotMode.REFLEX) is expected


def test_a_user_stop_is_never_a_matter_of_the_connection() -> None:
    errors = ["communication_constraints_violation"]
    assert class_of(errors, RobotMode.USER_STOPPED) is StopClass.OTHER


def test_texts_have_the_robots_own_names() -> None:
    errors = ("joint_reflex", "joint_velocity_violation")
    assert text_of(errors, RobotMode.REFLEX) == "joint_reflex, joint_velocity_violation"
    assert "user stop" in text_of((), RobotMode.USER_STOPPED)
    assert "joint_reflex" in text_of(("joint_reflex",), RobotMode.USER_STOPPED)
    assert text_of((), RobotMode.REFLEX) == "the robot is in mode reflex"


def test_an_idle_robot_without_errors_is_ready() -> None:
    assert not check_status(RobotStatus(RobotMode.IDLE, ()), DriverConfig())


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (RobotMode.USER_STOPPED, "user stop is pressed"),
        (RobotMode.GUIDING, "guided by hand"),
        (RobotMode.OTHER, "unlock the brakes"),
        (RobotMode.MOVE, "another program"),
    ],
)
def test_a_robot_that_cannot_move_is_refused_with_the_reason(mode: RobotMode, text: str) -> None:
    with pytest.raises(StartCheckError, match=text) as caught:
        check_status(RobotStatus(mode, ()), DriverConfig(recover_at_start=True))
    assert caught.value.stop is StopClass.OTHER


def test_errors_of_an_earlier_run_are_cleared_only_on_request() -> None:
    contact = RobotStatus(RobotMode.REFLEX, ("cartesian_reflex",))
    with pytest.raises(StartCheckError, match="cartesian_reflex") as caught:
        check_status(contact, DriverConfig())
    assert caught.value.stop is StopClass.CONTACT
    assert check_status(contact, DriverConfig(recover_at_start=True))


def test_the_trace_of_a_driver_that_died_is_cleared_without_a_question() -> None:
    trace = RobotStatus(RobotMode.REFLEX, ("communication_constraints_violation",))
    assert check_status(trace, DriverConfig())


def test_a_remark_names_each_threshold_with_its_unit() -> None:
    config = DriverConfig(
        collision_force_n=(50.0,) * 3 + (90.0,) * 3,
        contact_force_n=(20.0, 20.0, 10.0) + (20.0,) * 3,
        collision_torque_nm=(30.0,) * 4 + (15.0,) * 3,
    )
    assert thresholds_text(config) == (
        "the robot stops itself at 50 N, 90 N m at the hand, or 30/30/30/30/15/15/15 N m in its "
        "joints; it reports contacts from 20/20/10 N"
    )


def test_another_end_effector_frame_is_refused() -> None:
    frame = HAND.frame.copy()
    frame[2, 3] = 0.2
    with pytest.raises(StartCheckError, match=r"0\.2000.*choose the Franka Hand"):
        check_end_effector(replace(HAND, frame=frame), DriverConfig())
    with pytest.raises(StartCheckError, match="end-effector frame"):
        check_end_effector(replace(HAND, frame=np.eye(4)), DriverConfig())


def test_the_payload_is_reported_and_compared_with_the_hand() -> None:
    (remark,) = check_end_effector(HAND, DriverConfig())
    assert "0.730 kg" in remark
    assert "(-0.010, 0.000, 0.030)" in remark
    remarks = check_end_effector(replace(HAND, mass_kg=1.2), DriverConfig())
    assert "+0.470 kg" in remarks[1]
    assert len(check_end_effector(replace(HAND, mass_kg=0.6544), DriverConfig())) == 1
