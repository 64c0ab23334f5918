"""Lost packets, success rate, and the ends of motions, cycle by cycle."""

from __future__ import annotations

import pytest
from tests.support.box_client import command, ramp, request, torque_request

from skill_robots.control_box.config import robot_config
from skill_robots.control_box.generators.cartesian import CartesianGenerator
from skill_robots.control_box.generators.desired_pose import DesiredPose
from skill_robots.control_box.generators.joint import JointVelocityGenerator
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.generators.move import ActiveMove, rejection
from skill_robots.control_box.physics.scene import box_model
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.wire.protocol import (
    ControllerMode,
    ErrorBit,
    GeneratorMode,
    MoveStatus,
)
from skill_robots.control_box.wire.robot_command import MoveRequest

COMMUNICATION = 1 << ErrorBit.COMMUNICATION_CONSTRAINTS_VIOLATION


@pytest.fixture(scope="module", params=["fer", "fr3"])
def robot(request: pytest.FixtureRequest) -> Robot:
    return Robot(robot_config(request.param))


def start(robot: Robot, move: MoveRequest) -> ActiveMove:
    at_rest = JointMotion.at_rest(robot.config.start)
    return ActiveMove(move, at_rest, robot.config, DesiredPose(box_model(robot.config)))


def test_a_lost_packet_is_extrapolated_with_constant_acceleration(robot: Robot) -> None:
    move = start(robot, request(GeneratorMode.JOINT_VELOCITY))
    for cycle in range(100):  # joint 1: 2 rad/s^2 after a ramp of 2 ms
        rate = ramp(cycle, acceleration=2.0, jerk=1000.0, speed=9.0)
        assert move.advance(command(robot, dq=[rate] + [0.0] * 6)) == 0
    assert move.generator is not None
    before = move.generator.motion
    assert before.acceleration[0] == pytest.approx(2.0)
    for _ in range(10):
        assert move.advance(None) == 0
    # v + 10 a dt, and q + 10 v dt + a dt^2 (1 + ... + 10).
    after = move.generator.motion
    assert after.velocity[0] == pytest.approx(before.velocity[0] + 0.02)
    expected = before.position[0] + 0.01 * before.velocity[0] + 55 * 2.0e-6
    assert after.position[0] == pytest.approx(expected, abs=1e-12)
    assert after.position[1:] == before.position[1:]


def test_cartesian_motion_is_extrapolated_in_cartesian_space(robot: Robot) -> None:
    move = start(robot, request(GeneratorMode.CARTESIAN_VELOCITY))
    for cycle in range(100):
        rate = ramp(cycle, acceleration=1.0, jerk=500.0, speed=9.0)
        assert move.advance(command(robot, twist=[rate] + [0.0] * 5)) == 0
    assert isinstance(move.generator, CartesianGenerator)
    cartesian = move.generator.cartesian
    for _ in range(5):
        assert move.advance(None) == 0
    after = move.generator.cartesian
    travelled = after.position[0] - cartesian.position[0]
    assert travelled == pytest.approx(5e-3 * cartesian.twist[0] + 15 * 1e-6, abs=1e-12)
    assert after.position[1:] == cartesian.position[1:]


def test_the_last_torque_is_repeated(robot: Robot) -> None:
    move = start(robot, torque_request(robot))
    assert move.advance(command(robot, tau=[0.5, 0, 0, 0, 0, 0, -0.2])) == 0
    assert move.advance(None) == 0
    assert move.external is not None
    assert move.external.torque == [0.5, 0, 0, 0, 0, 0, -0.2]


@pytest.mark.parametrize("generator", [GeneratorMode.JOINT_POSITION, GeneratorMode.JOINT_VELOCITY])
def test_twenty_lost_packets_are_survived_and_twenty_one_are_not(
    robot: Robot, generator: GeneratorMode
) -> None:
    move = start(robot, request(generator))
    answer = command(robot, q=robot.config.start)
    for _ in range(200):  # no lost packets before the first command
        assert move.advance(None) == 0
    for _ in range(3):  # an arrival ends the row
        assert move.advance(answer) == 0
        for _ in range(20):
            assert move.advance(None) == 0
    assert move.advance(None) == COMMUNICATION


def test_success_rate_covers_a_hundred_commands(robot: Robot) -> None:
    move = start(robot, request(GeneratorMode.JOINT_POSITION))
    answer = command(robot, q=robot.config.start)
    assert move.success_rate == 1.0
    for cycle in range(400):
        assert move.advance(None if cycle % 4 == 3 else answer) == 0
    assert move.success_rate == 0.75
    for _ in range(100):
        assert move.advance(answer) == 0
    assert move.success_rate == 1.0


def test_an_extrapolated_motion_keeps_the_velocity_limit(robot: Robot) -> None:
    # Joint 1 at 10 rad/s^2 or less, 0.1 rad/s below its limit: after 20 lost packets it is beyond.
    limit = float(robot.config.spec.velocity_limit[0])
    acceleration = float(robot.config.spec.acceleration_limit[0])
    velocity = limit - 0.1
    move = start(robot, request(GeneratorMode.JOINT_VELOCITY))
    move.has_started = True
    assert isinstance(move.generator, JointVelocityGenerator)
    move.generator.motion = JointMotion(
        list(robot.config.start), [velocity] + [0.0] * 6, [acceleration] + [0.0] * 6
    )
    survived = 0
    while (errors := move.advance(None)) == 0:
        survived += 1
    assert errors == 1 << ErrorBit.JOINT_MOTION_GENERATOR_VELOCITY_LIMITS_VIOLATION
    assert survived == int(0.1 / acceleration * 1000 + 1e-9)


def test_requests_that_make_no_sense_are_refused() -> None:
    assert rejection(request(GeneratorMode.JOINT_POSITION)) is None
    assert rejection(request(GeneratorMode.NONE, ControllerMode.EXTERNAL)) is None
    assert rejection(request(GeneratorMode.NONE)) is MoveStatus.INVALID_ARGUMENT
    fast = (1.0,) * 7
    asynchronous = request(GeneratorMode.JOINT_POSITION, use_async=True, max_velocities=fast)
    assert rejection(asynchronous) is None
    for wrong in (
        request(GeneratorMode.JOINT_POSITION, use_async=True),
        request(GeneratorMode.JOINT_VELOCITY, use_async=True, max_velocities=fast),
        request(
            GeneratorMode.JOINT_POSITION,
            ControllerMode.CARTESIAN_IMPEDANCE,
            use_async=True,
            max_velocities=fast,
        ),
    ):
        assert rejection(wrong) is MoveStatus.INVALID_ARGUMENT
