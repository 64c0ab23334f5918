"""The hand: durations, widths and forces of its motions, and every way in which they fail."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.box_client import command, errors, ramp, request, run, settle

from skill_robots.control_box.config import RobotConfig, robot_config
from skill_robots.control_box.hand import RELEASE_M
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.wire.protocol import GeneratorMode, GripperStatus
from skill_robots.control_box.wire.robot_command import RobotCommand
from skill_robots.franka.model import FrankaRobot
from skill_robots.motion.inverse_kinematics import inverse_kinematics


@pytest.fixture(params=["fer", "fr3"])
def name(request: pytest.FixtureRequest) -> FrankaRobot:
    return request.param


def finish(robot: Robot, limit: int = 8000) -> tuple[GripperStatus, int]:
    """Runs until the command of the hand has ended; returns its status and the time [ms]."""
    for cycle in range(1, limit):
        robot.cycle()
        result = robot.hand.take_result()
        if result is not None:
            return result, cycle
    raise AssertionError("the command of the hand has no end")


def around_the_cube(name: FrankaRobot, **changes: object) -> Robot:
    """An open hand, its fingertips beside a cube on the table."""
    config: RobotConfig = robot_config(name)
    start = inverse_kinematics(config.spec, np.array([[0.6, 0.0, 0.02]]))[0]
    return Robot(
        robot_config(
            name,
            start=tuple(start.tolist()),
            cube_position=(0.0, 0.0),
            hand_width=0.08,
            **{"mass": 0.2, "friction": 0.5, **changes},
        )
    )


def test_homing_finds_the_largest_width(name: FrankaRobot) -> None:
    robot = Robot(robot_config(name, hand_is_homed=False))
    hand = robot.hand
    assert hand.state.max_width == 0.0
    for refused in (
        lambda: hand.move(0.04, 0.1),
        lambda: hand.move(0.0, 0.1),
        lambda: hand.grasp(0.0, 0.08, 0.08, 0.1, 20.0),
    ):
        refused()
        assert finish(robot) == (GripperStatus.FAIL, 1)
    hand.homing()
    status, time = finish(robot)
    assert status is GripperStatus.SUCCESS
    assert hand.state.max_width == pytest.approx(0.08, abs=5e-4)
    # From closed: 80 mm at 50 mm/s, and the pauses at both ends.
    assert 1600 < time < 2000
    hand.move(0.04, 0.1)
    assert finish(robot)[0] is GripperStatus.SUCCESS


def test_a_hand_is_homed_unless_configured(name: FrankaRobot) -> None:
    assert Robot(robot_config(name)).hand.state.max_width == 0.08


@pytest.mark.parametrize("speed", [0.02, 0.1])
def test_move_keeps_its_speed(name: FrankaRobot, speed: float) -> None:
    robot = Robot(robot_config(name))
    robot.hand.move(0.06, speed)
    fastest, time, width = 0.0, 0, 0.0
    while (status := robot.hand.take_result()) is None:
        robot.cycle()
        time += 1
        fastest = max(fastest, abs(robot.hand.state.width - width) / 1e-3)
        width = robot.hand.state.width
    assert status is GripperStatus.SUCCESS
    assert width == pytest.approx(0.06, abs=3e-4)
    assert fastest < 1.05 * speed
    assert 0.06 / speed * 1000 < time < 0.06 / speed * 1000 + 100
    settle(robot, 300)
    assert robot.hand.state.width == pytest.approx(0.06, abs=1e-4)


def test_speeds_beyond_the_hand_are_cut_off(name: FrankaRobot) -> None:
    robot = Robot(robot_config(name))
    robot.hand.move(0.08, 5.0)
    assert finish(robot)[1] > 750  # 80 mm at 100 mm/s


@pytest.mark.parametrize(("width", "speed"), [(-0.01, 0.1), (0.09, 0.1), (0.04, 0.0), (0.04, -0.1)])
def test_impossible_moves_fail_at_once(name: FrankaRobot, width: float, speed: float) -> None:
    robot = Robot(robot_config(name))
    robot.hand.move(width, speed)
    assert finish(robot) == (GripperStatus.FAIL, 1)
    assert robot.hand.state.width == pytest.approx(0.0, abs=1e-6)


def test_stop_aborts_a_move(name: FrankaRobot) -> None:
    robot = Robot(robot_config(name))
    robot.hand.move(0.08, 0.1)
    settle(robot, 400)
    robot.hand.stop()
    assert robot.hand.take_result() is GripperStatus.ABORTED
    width = robot.hand.state.width
    assert 0.03 < width < 0.045
    settle(robot, 300)
    assert robot.hand.state.width == pytest.approx(width, abs=0.003)
    robot.hand.stop()  # without a motion there is no result
    assert robot.hand.take_result() is None


def test_grasp_holds_and_lifts_the_cube(name: FrankaRobot) -> None:
    robot = around_the_cube(name)
    settle(robot, 100)
    # The width that a grasp reports differs from the cube's by the softness of its contact.
    robot.hand.grasp(0.04, 0.005, 0.005, 0.1, 40.0)
    status, time = finish(robot)
    assert status is GripperStatus.SUCCESS
    assert 400 < time < 700  # 40 mm at 100 mm/s, and the time of pressing
    state = robot.hand.state
    assert state.is_grasped
    assert state.width == pytest.approx(0.04, abs=0.003)
    robot.start_move(request(GeneratorMode.CARTESIAN_VELOCITY))

    def up(cycle: int) -> RobotCommand:
        rate = ramp(cycle, acceleration=0.5, jerk=100.0, speed=0.05)
        return command(robot, twist=[0, 0, rate, 0, 0, 0])

    assert run(robot, 2000, up) is None
    assert not errors(robot)
    pose = robot.plant.cube_pose()
    assert pose is not None
    assert pose.position[2] > 0.1
    # The robot carries 0.2 kg: 1.96 N upwards.
    assert robot.state.o_f_ext_hat_k[2] == pytest.approx(0.2 * 9.81, rel=0.02)
    assert robot.hand.state.is_grasped
    # A second grasp of the same object is unsuccessful and changes nothing (libfranka #108).
    robot.hand.grasp(0.04, 0.005, 0.005, 0.1, 20.0)
    robot.cycle(up(2000))
    assert robot.hand.take_result() is GripperStatus.UNSUCCESSFUL
    assert robot.hand.state.is_grasped


def test_stop_ends_the_force_of_a_grasp(name: FrankaRobot) -> None:
    robot = around_the_cube(name)
    robot.hand.grasp(0.04, 0.005, 0.005, 0.1, 40.0)
    assert finish(robot)[0] is GripperStatus.SUCCESS
    robot.hand.stop()
    assert not robot.hand.state.is_grasped
    assert robot.hand.take_result() is None  # the grasp had ended


@pytest.mark.parametrize(
    ("width", "inner", "outer"),
    [(0.02, 0.005, 0.005), (0.06, 0.005, 0.08), (0.0, 0.08, 0.03)],
)
def test_a_grasp_outside_of_its_tolerance_lets_go(
    name: FrankaRobot, width: float, inner: float, outer: float
) -> None:
    robot = around_the_cube(name)
    robot.hand.grasp(width, inner, outer, 0.1, 40.0)
    status, _ = finish(robot)
    assert status is GripperStatus.UNSUCCESSFUL
    assert not robot.hand.state.is_grasped
    at_contact = robot.hand.state.width
    settle(robot, 500)
    assert robot.hand.state.width == pytest.approx(at_contact + RELEASE_M, abs=5e-4)


def test_tolerances_of_80_mm_grasp_any_object(name: FrankaRobot) -> None:
    robot = around_the_cube(name)
    robot.hand.grasp(0.0, 0.08, 0.08, 0.1, 40.0)
    assert finish(robot)[0] is GripperStatus.SUCCESS
    assert robot.hand.state.is_grasped


def test_a_grasp_of_nothing_reports_the_closed_hand(name: FrankaRobot) -> None:
    robot = Robot(robot_config(name, hand_width=0.05))
    robot.hand.grasp(0.03, 0.01, 0.01, 0.1, 20.0)
    assert finish(robot)[0] is GripperStatus.UNSUCCESSFUL
    assert robot.hand.state.width < 0.001


def test_an_epsilon_of_1_m_fails(name: FrankaRobot) -> None:
    robot = Robot(robot_config(name))
    robot.hand.grasp(0.0, 1.0, 1.0, 0.1, 20.0)
    assert finish(robot) == (GripperStatus.FAIL, 1)


def test_force_of_a_grasp_is_limited(name: FrankaRobot) -> None:
    # The force servo holds 2 F on the two fingers together.
    for force, held in ((10.0, 10.0), (40.0, 40.0), (500.0, 70.0)):
        robot = around_the_cube(name)
        robot.hand.grasp(0.04, 0.02, 0.02, 0.1, force)
        finish(robot)
        settle(robot, 200)
        assert robot.hand.force() == pytest.approx(-2.0 * held, rel=0.02)


def test_a_lost_object_is_no_longer_grasped(name: FrankaRobot) -> None:
    robot = around_the_cube(name)
    robot.hand.grasp(0.04, 0.01, 0.01, 0.1, 5.0)
    assert finish(robot)[0] is GripperStatus.SUCCESS
    # The arm leaves sideways, out of the fingers; 5 N and the friction do not hold the cube.
    robot.plant.set_context(50.0, 1.0)
    robot.start_move(request(GeneratorMode.CARTESIAN_VELOCITY))

    def away(cycle: int) -> RobotCommand:
        rate = ramp(cycle, acceleration=0.5, jerk=100.0, speed=0.1)
        return command(robot, twist=[0, 0, rate, 0, 0, 0])

    run(robot, 1500, away)
    assert not robot.hand.state.is_grasped
    assert robot.hand.state.width < 0.002
