"""Commands that break limits: every right error at once, the right status, and a stop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.support.box_client import command, errors, ramp, request, run, torque_request

from skill_robots.control_box.config import robot_config
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.wire.protocol import (
    ControllerMode,
    ErrorBit,
    GeneratorMode,
    MoveStatus,
)
from skill_robots.control_box.wire.robot_command import RobotCommand
from skill_robots.franka.robot_mode import RobotMode

B = ErrorBit
JOINT_STEP = {
    B.JOINT_MOTION_GENERATOR_VELOCITY_LIMITS_VIOLATION,
    B.JOINT_MOTION_GENERATOR_VELOCITY_DISCONTINUITY,
    B.JOINT_MOTION_GENERATOR_ACCELERATION_DISCONTINUITY,
}
CARTESIAN_STEP = {
    B.CARTESIAN_MOTION_GENERATOR_VELOCITY_LIMITS_VIOLATION,
    B.CARTESIAN_MOTION_GENERATOR_VELOCITY_DISCONTINUITY,
    B.CARTESIAN_MOTION_GENERATOR_ACCELERATION_DISCONTINUITY,
    B.CARTESIAN_MOTION_GENERATOR_JOINT_VELOCITY_LIMITS_VIOLATION,
    B.CARTESIAN_MOTION_GENERATOR_JOINT_VELOCITY_DISCONTINUITY,
    B.CARTESIAN_MOTION_GENERATOR_JOINT_ACCELERATION_DISCONTINUITY,
}


@pytest.fixture(params=["fer", "fr3"])
def robot(request: pytest.FixtureRequest) -> Robot:
    return Robot(robot_config(request.param))


def violate(
    robot: Robot,
    generator: GeneratorMode,
    answer: Callable[[int], RobotCommand],
    cycles: int = 2000,
) -> set[ErrorBit]:
    """Runs a motion into a reflex; returns its errors after checking that the arm stops."""
    assert robot.start_move(request(generator)) is MoveStatus.MOTION_STARTED
    assert run(robot, cycles, answer) is MoveStatus.REFLEX_ABORTED
    assert robot.state.robot_mode == RobotMode.REFLEX
    assert robot.state.reflex_reason == robot.state.errors
    found = errors(robot)
    setpoint = robot.state.q_d.copy()
    assert run(robot, 600) is None  # the result comes once
    assert np.abs(robot.state.dq).max() < 1e-3
    assert np.abs(robot.state.q - setpoint).max() < 0.5  # it has not run to the rejected goal
    assert errors(robot) == found
    return found


def test_a_step_of_0_3_rad_during_a_motion(robot: Robot) -> None:
    # The errors that users report for a jump: libfranka issue 169.
    start = robot.state.q_d.copy()
    found = violate(
        robot,
        GeneratorMode.JOINT_POSITION,
        lambda cycle: command(robot, q=start + (0.3 if cycle == 10 else 0.0)),
    )
    assert found == JOINT_STEP
    assert robot.state.q == pytest.approx(start, abs=1e-6)  # the step was never adopted


def test_a_step_of_0_3_rad_in_the_first_command(robot: Robot) -> None:
    start = robot.state.q_d.copy()
    found = violate(robot, GeneratorMode.JOINT_POSITION, lambda _: command(robot, q=start + 0.3))
    assert found == JOINT_STEP | {B.JOINT_POSITION_MOTION_GENERATOR_START_POSE_INVALID}


def test_a_velocity_ramp_past_the_limit(robot: Robot) -> None:
    limit = float(robot.config.spec.velocity_limit[0])

    def answer(cycle: int) -> RobotCommand:
        return command(
            robot, dq=[ramp(cycle, acceleration=9.0, jerk=4000.0, speed=9.0)] + [0.0] * 6
        )

    assert violate(robot, GeneratorMode.JOINT_VELOCITY, answer) == {
        B.JOINT_MOTION_GENERATOR_VELOCITY_LIMITS_VIOLATION
    }
    # Steps of 9 rad/s^2 x 1 ms: the last accepted velocity was less than one step below the limit.
    fresh = Robot(robot.config)
    fresh.start_move(request(GeneratorMode.JOINT_VELOCITY))
    fastest = 0.0
    for cycle in range(2000):
        fresh.cycle(answer(cycle))
        if errors(fresh):
            break
        fastest = float(fresh.state.dq_d[0])
    assert limit - 0.009 <= fastest <= limit


def test_an_acceleration_step_within_the_velocity_limit(robot: Robot) -> None:
    # 0.012 rad/s in 1 ms is 12 rad/s^2: above the limit of joint 2 of both robots.
    found = violate(
        robot, GeneratorMode.JOINT_VELOCITY, lambda _: command(robot, dq=[0, 0.012, 0, 0, 0, 0, 0])
    )
    assert found == {
        B.JOINT_MOTION_GENERATOR_VELOCITY_DISCONTINUITY,
        B.JOINT_MOTION_GENERATOR_ACCELERATION_DISCONTINUITY,
    }


def test_a_motion_that_finishes_at_speed(robot: Robot) -> None:
    def answer(cycle: int) -> RobotCommand:
        rate = ramp(cycle, acceleration=2.0, jerk=1000.0, speed=0.2)
        return command(robot, dq=[rate] + [0.0] * 6, finished=cycle == 200)

    # From 0.2 rad/s to rest in 1 ms: 200 rad/s^2.
    assert violate(robot, GeneratorMode.JOINT_VELOCITY, answer) == {
        B.JOINT_MOTION_GENERATOR_VELOCITY_DISCONTINUITY,
        B.JOINT_MOTION_GENERATOR_ACCELERATION_DISCONTINUITY,
    }


def test_a_cartesian_motion_that_finishes_at_speed(robot: Robot) -> None:
    def answer(cycle: int) -> RobotCommand:
        rate = ramp(cycle, acceleration=0.5, jerk=200.0, speed=0.1)
        return command(robot, twist=[rate, 0, 0, 0, 0, 0], finished=cycle == 300)

    # From 0.1 m/s to rest in 1 ms: 100 m/s^2, and as much for the joints.
    assert violate(robot, GeneratorMode.CARTESIAN_VELOCITY, answer) == {
        B.CARTESIAN_MOTION_GENERATOR_VELOCITY_DISCONTINUITY,
        B.CARTESIAN_MOTION_GENERATOR_ACCELERATION_DISCONTINUITY,
        B.CARTESIAN_MOTION_GENERATOR_JOINT_VELOCITY_DISCONTINUITY,
        B.CARTESIAN_MOTION_GENERATOR_JOINT_ACCELERATION_DISCONTINUITY,
    }


def test_the_end_of_a_joints_range() -> None:
    # Joint 6 at 0.05 rad/s towards its end. The Panda reports the position. The FR3's velocity
    # bound is met first, 0.0263 rad before: sqrt(2 * 5.5 * 0.02629) - 0.4878 = 0.05.
    for name, expected, distance in (
        ("fer", B.JOINT_MOTION_GENERATOR_POSITION_LIMITS_VIOLATION, 0.0),
        ("fr3", B.JOINT_MOTION_GENERATOR_VELOCITY_LIMITS_VIOLATION, 0.02629),
    ):
        config = robot_config(name, scene="none")
        high = float(config.spec.position_high[5])
        start = (*config.start[:5], high - 0.05, config.start[6])
        robot = Robot(robot_config(name, scene="none", start=start))
        robot.start_move(request(GeneratorMode.JOINT_VELOCITY))

        def answer(cycle: int, robot: Robot = robot) -> RobotCommand:
            rate = ramp(cycle, acceleration=0.5, jerk=1000.0, speed=0.05)
            return command(robot, dq=[0, 0, 0, 0, 0, rate, 0])

        assert run(robot, 3000, answer) is MoveStatus.REFLEX_ABORTED
        assert errors(robot) == {expected}
        assert high - robot.state.q_d[5] == pytest.approx(distance, abs=1e-4)


def test_a_cartesian_step_during_a_motion(robot: Robot) -> None:
    # The errors that users report: libfranka issue 225 names four of these six.
    pose = robot.state.o_t_ee_d.copy()
    away = pose.copy()
    away[12] += 0.01
    found = violate(
        robot,
        GeneratorMode.CARTESIAN_POSITION,
        lambda cycle: command(robot, pose=away if cycle == 10 else pose),
    )
    assert found == CARTESIAN_STEP


def test_a_cartesian_start_far_away(robot: Robot) -> None:
    pose = robot.state.o_t_ee_d.copy()
    pose[12] += 0.1
    found = violate(robot, GeneratorMode.CARTESIAN_POSITION, lambda _: command(robot, pose=pose))
    assert found == CARTESIAN_STEP | {B.CARTESIAN_POSITION_MOTION_GENERATOR_START_POSE_INVALID}


def test_a_cartesian_velocity_past_the_limit(robot: Robot) -> None:
    # Rotation about z at 2.5 rad/s is the limit of both robots; joint 7 turns at that speed, too.
    def answer(cycle: int) -> RobotCommand:
        rate = ramp(cycle, acceleration=8.0, jerk=4000.0, speed=3.0)
        return command(robot, twist=[0, 0, 0, 0, 0, rate])

    found = violate(robot, GeneratorMode.CARTESIAN_VELOCITY, answer)
    assert found == {B.CARTESIAN_MOTION_GENERATOR_VELOCITY_LIMITS_VIOLATION}


def test_a_matrix_that_is_no_transform(robot: Robot) -> None:
    pose = robot.state.o_t_ee_d.copy()
    pose[0] *= 1.001
    found = violate(robot, GeneratorMode.CARTESIAN_POSITION, lambda _: command(robot, pose=pose))
    assert found == {B.CARTESIAN_POSITION_MOTION_GENERATOR_INVALID_FRAME}


def test_elbow(robot: Robot) -> None:
    pose, (position, sign) = robot.state.o_t_ee_d.copy(), robot.state.elbow_d.tolist()
    assert sign == -1.0  # joint 4 of a Franka is always bent backwards

    def swing(cycle: int) -> RobotCommand:
        # Joint 3 moves by 0.2 rad and back; the end effector stays.
        elbow = position + 0.1 * (1.0 - np.cos(np.pi * cycle * 1e-3))
        return command(robot, pose=pose, elbow=[elbow, sign])

    assert robot.start_move(request(GeneratorMode.CARTESIAN_POSITION)) is MoveStatus.MOTION_STARTED
    assert run(robot, 1000, swing) is None
    assert robot.state.elbow_d == pytest.approx([position + 0.2, sign], abs=1e-3)
    assert robot.state.elbow_c[0] == pytest.approx(robot.state.elbow_d[0])
    assert robot.state.o_t_ee_d == pytest.approx(pose, abs=1e-9)
    assert robot.state.o_t_ee == pytest.approx(pose, abs=2e-3)
    assert np.abs(robot.state.q_d - robot.config.start).max() > 0.15


def test_elbow_that_jumps_or_flips(robot: Robot) -> None:
    pose, (position, sign) = robot.state.o_t_ee_d.copy(), robot.state.elbow_d.tolist()
    found = violate(
        robot,
        GeneratorMode.CARTESIAN_POSITION,
        lambda _: command(robot, pose=pose, elbow=[position, -sign]),
    )
    assert found == {B.CARTESIAN_MOTION_GENERATOR_ELBOW_SIGN_INCONSISTENT}
    fresh = Robot(robot.config)
    found = violate(
        fresh,
        GeneratorMode.CARTESIAN_POSITION,
        lambda _: command(fresh, pose=pose, elbow=[position + 0.1, sign]),
    )
    assert {
        B.CARTESIAN_MOTION_GENERATOR_START_ELBOW_INVALID,
        B.CARTESIAN_MOTION_GENERATOR_ELBOW_LIMIT_VIOLATION,
    } <= found
    # 0.02 rad/s in 1 ms: within the velocity of the elbow, beyond its 10 rad/s^2.
    fresh = Robot(robot.config)
    found = violate(
        fresh,
        GeneratorMode.CARTESIAN_POSITION,
        lambda cycle: command(fresh, pose=pose, elbow=[position + 2e-5 * cycle, sign]),
    )
    assert B.CARTESIAN_MOTION_GENERATOR_ELBOW_LIMIT_VIOLATION in found
    assert B.CARTESIAN_MOTION_GENERATOR_START_ELBOW_INVALID not in found


def test_torque_steps_of_1_nm_a_millisecond_are_the_limit(robot: Robot) -> None:
    assert robot.start_move(torque_request(robot)) is MoveStatus.MOTION_STARTED
    # 1 Nm and the rounding of a state in single precision are accepted, up and down.
    for torque in (1.0005, 0.0, -1.0, 0.0):
        robot.cycle(command(robot, tau=[0, 0, 0, torque, 0, 0, 0]))
        assert not errors(robot)
        assert robot.state.tau_j_d[3] == torque
    robot.cycle(command(robot, tau=[0, 0, 0, 1.002, 0, 0, 0]))
    assert errors(robot) == {B.CONTROLLER_TORQUE_DISCONTINUITY}
    assert robot.take_move_result() is MoveStatus.REFLEX_ABORTED


def test_the_first_torque_follows_zero(robot: Robot) -> None:
    robot.start_move(torque_request(robot))
    robot.cycle(command(robot, tau=[0, 3.0, 0, 0, 0, 0, 0]))
    assert errors(robot) == {B.CONTROLLER_TORQUE_DISCONTINUITY}


def test_torques_after_lost_packets(robot: Robot) -> None:
    # A client that raises its torque by 0.5 Nm a cycle loses two packets. Saturated against its own
    # last torque it is 1.5 Nm ahead of the robot; saturated against tau_J_d it is not (franka_ros
    # issue 324).
    robot.start_move(torque_request(robot))
    robot.cycle(command(robot, tau=[0.5] + [0.0] * 6))
    assert run(robot, 2) is None
    assert robot.state.tau_j_d[0] == 0.5  # the repeated torque
    robot.cycle(command(robot, tau=[robot.state.tau_j_d[0] + 0.5] + [0.0] * 6))
    assert not errors(robot)
    assert run(robot, 2) is None
    robot.cycle(command(robot, tau=[2.5] + [0.0] * 6))
    assert errors(robot) == {B.CONTROLLER_TORQUE_DISCONTINUITY}


def test_torque_beyond_the_range_of_a_joint(robot: Robot) -> None:
    robot.start_move(torque_request(robot))

    def answer(cycle: int) -> RobotCommand:
        return command(robot, tau=[0, 0, 0, 0, 0, 0, 0.5 * (cycle + 1)])

    assert run(robot, 40, answer) is MoveStatus.REFLEX_ABORTED
    # 12 Nm were accepted in cycle 24, 12.5 Nm were not, unless the joint was too fast before.
    assert errors(robot) == {B.TAU_J_RANGE_VIOLATION}
    assert robot.state.message_id == 25


def test_motion_generator_beside_an_external_controller(robot: Robot) -> None:
    # Both halves of the command are judged, and their errors are reported together.
    robot.start_move(request(GeneratorMode.JOINT_POSITION, ControllerMode.EXTERNAL))
    start = robot.state.q_d.copy()
    robot.cycle(command(robot, q=start, tau=[0.5] + [0.0] * 6))
    assert not errors(robot)
    assert robot.state.q_d == pytest.approx(start)
    robot.cycle(command(robot, q=start + 0.3, tau=[5.0] + [0.0] * 6))
    assert errors(robot) == JOINT_STEP | {B.CONTROLLER_TORQUE_DISCONTINUITY}
