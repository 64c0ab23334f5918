"""Modes, requests and motions of the simulated robot, on both protocols."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.box_client import (
    GENERATORS,
    command,
    errors,
    ramp,
    request,
    run,
    settle,
    torque_request,
)

from skill_robots.control_box.config import robot_config
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.wire.protocol import (
    ControllerMode,
    ErrorBit,
    GeneratorMode,
    MoveStatus,
    RecoveryStatus,
    StopStatus,
)
from skill_robots.control_box.wire.robot_command import RobotCommand
from skill_robots.franka.robot_mode import RobotMode

CONTROLLERS = (ControllerMode.JOINT_IMPEDANCE, ControllerMode.CARTESIAN_IMPEDANCE)


@pytest.fixture(params=["fer", "fr3"])
def robot(request: pytest.FixtureRequest) -> Robot:
    return Robot(robot_config(request.param))


def modes(robot: Robot) -> tuple[int, int, int]:
    state = robot.state
    return state.motion_generator_mode, state.controller_mode, state.robot_mode


IDLE = (GeneratorMode.IDLE, ControllerMode.OTHER, RobotMode.IDLE)


def at_speed(robot: Robot) -> None:
    """Moves joint 1 at 0.4 rad/s."""
    assert robot.start_move(request(GeneratorMode.JOINT_VELOCITY)) is MoveStatus.MOTION_STARTED

    def answer(cycle: int) -> RobotCommand:
        rate = ramp(cycle, acceleration=4.0, jerk=2000.0, speed=0.4)
        return command(robot, dq=[rate] + [0.0] * 6)

    assert run(robot, 200, answer) is None
    assert robot.state.dq[0] == pytest.approx(0.4, abs=0.01)


def to_rest(robot: Robot) -> tuple[int, float]:
    """Runs to rest; returns the time [ms] and the largest acceleration of joint 1 [rad/s^2]."""
    time, largest = 0, 0.0
    while max(np.abs(robot.state.dq)) > 0.02:
        before = robot.state.dq[0]
        robot.cycle()
        largest = max(largest, abs(robot.state.dq[0] - before) / 1e-3)
        time += 1
        assert time < 1000
    return time, largest


def test_an_idle_robot_holds_its_start(robot: Robot) -> None:
    settle(robot, 500)
    assert modes(robot) == IDLE
    assert robot.state.message_id == 500
    assert robot.state.q == pytest.approx(robot.config.start, abs=1e-9)
    assert robot.state.q_d == pytest.approx(robot.config.start)
    assert robot.state.control_command_success_rate == 0.0
    assert robot.take_move_result() is None


@pytest.mark.parametrize("controller", CONTROLLERS)
@pytest.mark.parametrize("generator", GENERATORS)
def test_every_motion_generator_follows_and_finishes(
    robot: Robot, generator: GeneratorMode, controller: ControllerMode
) -> None:
    # 5 cm along x, or joint 4 by 0.1 rad, on (1 - cos) profiles of 1 s.
    joint, pose = robot.state.q_d.copy(), robot.state.o_t_ee_d.copy()
    asked = request(generator, controller)
    assert robot.start_move(asked) is MoveStatus.MOTION_STARTED
    assert modes(robot) == (generator, controller, RobotMode.MOVE)
    is_joint = generator in (GeneratorMode.JOINT_POSITION, GeneratorMode.JOINT_VELOCITY)
    size = 0.1 if is_joint else 0.05

    def answer(cycle: int) -> RobotCommand:
        time = min((cycle + 1) * 1e-3, 1.0)
        way = size * (1.0 - np.cos(np.pi * time)) / 2.0
        rate = size * np.pi * np.sin(np.pi * time) / 2.0
        goal = pose.copy()
        goal[12] += way
        return command(
            robot,
            q=joint + np.array([0, 0, 0, way, 0, 0, 0]),
            dq=[0, 0, 0, rate, 0, 0, 0],
            pose=goal,
            twist=[rate, 0, 0, 0, 0, 0],
            finished=cycle == 1009,
        )

    assert run(robot, 1009, answer) is None
    assert robot.state.control_command_success_rate == 1.0
    assert run(robot, 100, lambda _: answer(1009)) is MoveStatus.SUCCESS
    assert modes(robot) == IDLE
    assert not errors(robot)
    settle(robot)
    if is_joint:
        moved, wanted = robot.state.q - joint, [0, 0, 0, size, 0, 0, 0]
    else:
        moved, wanted = (robot.state.o_t_ee - pose)[12:15], [size, 0, 0]
        assert robot.state.o_t_ee[:12] == pytest.approx(pose[:12], abs=3e-3)
    assert moved == pytest.approx(wanted, abs=1e-3)


def test_torque_control_follows_torques_without_gravity(robot: Robot) -> None:
    asked = torque_request(robot)
    assert robot.start_move(asked) is MoveStatus.MOTION_STARTED
    assert modes(robot) == (asked.generator_mode, ControllerMode.EXTERNAL, RobotMode.MOVE)
    assert robot.state.tau_j_d == pytest.approx(np.zeros(7))

    def answer(cycle: int) -> RobotCommand:
        return command(robot, tau=[0, 0, 0, 0, 0, 0, 0.4], finished=cycle == 100)

    assert run(robot, 100, answer) is None
    assert robot.state.tau_j_d == pytest.approx([0, 0, 0, 0, 0, 0, 0.4])
    # 0.4 N m against 1 N m s/rad of the joint and its inertia, 0.1 s long.
    inertia = robot.plant.inertia()[6, 6]
    expected = 0.4 * (1.0 - np.exp(-0.1 / inertia))
    assert robot.state.dq[6] == pytest.approx(expected, rel=0.1)
    assert run(robot, 300, lambda _: answer(100)) is MoveStatus.SUCCESS
    assert modes(robot) == IDLE
    settle(robot, 300)
    assert robot.state.dq == pytest.approx(np.zeros(7), abs=1e-3)


def test_the_asynchronous_generator_takes_rare_targets(robot: Robot) -> None:
    if not robot.config.protocol.has_torque_finished:
        pytest.skip("version 10 only")
    start = robot.state.q_d.copy()
    target = start + np.array([0.3, 0, 0, 0.2, 0, 0, 0])
    speed = (0.5,) * 7
    asked = request(GeneratorMode.JOINT_POSITION, use_async=True, max_velocities=speed)
    assert robot.start_move(asked) is MoveStatus.MOTION_STARTED
    fastest = 0.0
    for cycle in range(2500):  # a target every 50 ms; no command is missed
        robot.cycle(command(robot, q=target) if cycle % 50 == 0 else None)
        fastest = max(fastest, float(np.abs(robot.state.dq_d).max()))
    assert not errors(robot)
    assert fastest == pytest.approx(0.5, abs=1e-6)
    assert robot.state.q == pytest.approx(target, abs=1e-3)
    assert np.abs(robot.state.dq).max() < 0.01
    robot.cycle(command(robot, q=[9.0] * 7))  # beyond the range
    assert errors(robot) == {ErrorBit.JOINT_POSITION_LIMITS_VIOLATION}


def test_a_second_move_is_not_possible(robot: Robot) -> None:
    at_speed(robot)
    assert robot.start_move(request(GeneratorMode.JOINT_POSITION)) is MoveStatus.NOT_POSSIBLE
    assert robot.state.robot_mode == RobotMode.MOVE


def test_a_cartesian_motion_does_not_start_at_a_singular_pose(robot: Robot) -> None:
    # Joint 2 at zero lines up joints 1 and 3; joints 3 and 5 stand at a quarter turn.
    start = (0.0, 0.0, np.pi / 2, -1.5, np.pi / 2, 2.0, 0.0)
    straight = Robot(robot_config(robot.config.robot, scene="none", start=start))
    for generator in (GeneratorMode.CARTESIAN_POSITION, GeneratorMode.CARTESIAN_VELOCITY):
        refused = straight.start_move(request(generator))
        assert refused is MoveStatus.START_AT_SINGULAR_POSE
    assert modes(straight) == IDLE
    started = straight.start_move(request(GeneratorMode.JOINT_POSITION))
    assert started is MoveStatus.MOTION_STARTED


def test_stop_move_brakes_within_the_limits(robot: Robot) -> None:
    at_speed(robot)
    assert robot.stop_move() is StopStatus.SUCCESS
    robot.cycle()
    assert robot.state.robot_mode == RobotMode.MOVE  # until the arm is at rest
    assert run(robot, 300) is MoveStatus.PREEMPTED
    assert modes(robot) == IDLE
    assert not errors(robot)
    assert np.abs(robot.state.dq).max() < 0.01
    assert robot.stop_move() is StopStatus.SUCCESS
    assert robot.start_move(request(GeneratorMode.JOINT_POSITION)) is MoveStatus.MOTION_STARTED


def test_silence_of_15_cycles_is_survived_and_of_21_is_not(robot: Robot) -> None:
    at_speed(robot)
    answer = command(robot, dq=[0.4] + [0.0] * 6)
    for silent in (15, 20):
        assert run(robot, silent) is None
        assert run(robot, 10, lambda _: answer) is None
        assert robot.state.robot_mode == RobotMode.MOVE
    assert robot.state.control_command_success_rate == pytest.approx(0.65)
    assert run(robot, 20) is None
    assert run(robot, 1) is MoveStatus.REFLEX_ABORTED
    assert modes(robot) == (GeneratorMode.IDLE, ControllerMode.OTHER, RobotMode.REFLEX)
    assert errors(robot) == {ErrorBit.COMMUNICATION_CONSTRAINTS_VIOLATION}
    assert robot.state.reflex_reason == robot.state.errors
    # 0.4 rad/s at 15 or 10 rad/s^2, with ramps of 2 ms for the jerk.
    limit = float(robot.config.spec.acceleration_limit[0])
    time, largest = to_rest(robot)
    assert 0.4 / limit * 1000 <= time < 0.4 / limit * 1000 + 60
    assert largest <= 1.2 * limit  # the arm swings about the set-point


def test_a_lost_connection_ends_the_motion(robot: Robot) -> None:
    at_speed(robot)
    robot.connection_lost()
    assert errors(robot) == {ErrorBit.COMMUNICATION_CONSTRAINTS_VIOLATION}
    assert robot.take_move_result() is None  # nobody is left to tell
    time, _ = to_rest(robot)
    assert time < 150
    idle = Robot(robot.config)
    idle.connection_lost()
    assert modes(idle) == IDLE


def test_user_stop(robot: Robot) -> None:
    at_speed(robot)
    robot.press_user_stop()
    assert robot.take_move_result() is MoveStatus.EMERGENCY_ABORTED
    assert modes(robot) == (GeneratorMode.IDLE, ControllerMode.OTHER, RobotMode.USER_STOPPED)
    assert not errors(robot)
    to_rest(robot)
    assert robot.start_move(request(GeneratorMode.JOINT_POSITION)) is MoveStatus.NOT_POSSIBLE
    assert robot.recover() is RecoveryStatus.NOT_POSSIBLE
    robot.release_user_stop()
    settle(robot, 200)
    assert modes(robot) == IDLE
    assert robot.start_move(request(GeneratorMode.JOINT_POSITION)) is MoveStatus.MOTION_STARTED


def test_a_short_press_of_the_user_stop_lets_the_arm_come_to_rest(robot: Robot) -> None:
    at_speed(robot)
    robot.press_user_stop()
    robot.release_user_stop()
    robot.cycle()
    assert robot.state.robot_mode == RobotMode.USER_STOPPED
    assert robot.start_move(request(GeneratorMode.JOINT_POSITION)) is MoveStatus.NOT_POSSIBLE
    settle(robot, 200)
    assert modes(robot) == IDLE


def test_user_stop_while_a_stop_is_under_way(robot: Robot) -> None:
    at_speed(robot)
    robot.stop_move()
    robot.cycle()
    robot.press_user_stop()
    assert robot.take_move_result() is MoveStatus.EMERGENCY_ABORTED
    assert run(robot, 400) is None  # one result for each motion


def test_recovery_waits_until_the_arm_is_at_rest(robot: Robot) -> None:
    assert robot.recover() is RecoveryStatus.SUCCESS  # no error, no effect
    at_speed(robot)
    assert robot.recover() is RecoveryStatus.NOT_POSSIBLE
    assert run(robot, 21) is MoveStatus.REFLEX_ABORTED
    assert robot.start_move(request(GeneratorMode.JOINT_POSITION)) is MoveStatus.NOT_POSSIBLE
    assert robot.recover() is None
    assert robot.state.robot_mode == RobotMode.AUTOMATIC_ERROR_RECOVERY
    cycles = 0
    while (status := robot.take_recovery_result()) is None:
        assert errors(robot)
        robot.cycle()
        cycles += 1
    assert status is RecoveryStatus.SUCCESS
    assert 20 < cycles < 150
    assert modes(robot) == IDLE
    assert not errors(robot)
    assert robot.state.reflex_reason == 1 << ErrorBit.COMMUNICATION_CONSTRAINTS_VIOLATION
    assert robot.start_move(request(GeneratorMode.JOINT_POSITION)) is MoveStatus.MOTION_STARTED
    assert robot.state.reflex_reason == 0


def test_recovery_of_an_arm_at_rest_is_immediate_unless_configured(robot: Robot) -> None:
    slow = Robot(robot_config(robot.config.robot, recovery_s=0.4))
    for one, delay in ((robot, 0), (slow, 400)):
        one.start_move(request(GeneratorMode.JOINT_POSITION))
        run(one, 30, lambda cycle: command(robot, q=robot.config.start) if cycle < 2 else None)
        settle(one, 50)
        assert errors(one) == {ErrorBit.COMMUNICATION_CONSTRAINTS_VIOLATION}
        if not delay:
            assert one.recover() is RecoveryStatus.SUCCESS
            continue
        assert one.recover() is None
        settle(one, delay)
        assert one.take_recovery_result() is None
        settle(one, 1)
        assert one.take_recovery_result() is RecoveryStatus.SUCCESS
        assert one.take_recovery_result() is None


def test_user_stop_ends_a_recovery(robot: Robot) -> None:
    at_speed(robot)
    run(robot, 21)
    assert robot.recover() is None
    robot.press_user_stop()
    assert robot.take_recovery_result() is RecoveryStatus.EMERGENCY_ABORTED
    assert robot.state.robot_mode == RobotMode.USER_STOPPED


def test_an_operator_guides_the_arm(robot: Robot) -> None:
    robot.press_guiding_button()
    assert robot.state.robot_mode == RobotMode.GUIDING
    assert robot.start_move(request(GeneratorMode.JOINT_POSITION)) is MoveStatus.NOT_POSSIBLE
    robot.plant.push([2.0, 0, 0, 0, 0, 0, 0])
    settle(robot, 300)
    assert robot.state.q[0] > 0.05
    assert robot.state.q_d == pytest.approx(robot.state.q)
    robot.plant.push([0.0] * 7)
    robot.release_guiding_button()
    assert modes(robot) == IDLE
    settle(robot)
    assert np.abs(robot.state.dq).max() < 1e-3
    assert robot.state.q[0] == pytest.approx(robot.state.q_d[0], abs=1e-4)


def test_a_joint_beyond_its_range_needs_an_operator(robot: Robot) -> None:
    robot.start_move(torque_request(robot))
    result = run(
        robot,
        5000,
        # Joint 7 at 0.4 rad/s at most.
        lambda _: command(robot, tau=[0, 0, 0, 0, 0, 0, 0.4]),
    )
    assert result is MoveStatus.REFLEX_ABORTED or robot.state.q[6] < 2.9
    if result is None:  # the end of the range is farther than 5 s
        result = run(robot, 9000, lambda _: command(robot, tau=[0, 0, 0, 0, 0, 0, 0.4]))
    assert errors(robot) == {ErrorBit.JOINT_POSITION_LIMITS_VIOLATION}
    settle(robot, 200)
    assert robot.recover() is RecoveryStatus.MANUAL_RECOVERY_REQUIRED
    robot.press_user_stop()
    robot.release_user_stop()
    robot.cycle()
    robot.press_guiding_button()
    robot.plant.push([0, 0, 0, 0, 0, 0, -1.0])
    settle(robot, 500)
    robot.release_guiding_button()
    assert robot.start_move(request(GeneratorMode.JOINT_POSITION)) is MoveStatus.MOTION_STARTED
