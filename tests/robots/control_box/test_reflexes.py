"""Contacts and measured limits: thresholds, flags, and an arm that does not press on."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.box_client import command, errors, ramp, request, run, settle, torque_request

from skill_robots.control_box.config import robot_config
from skill_robots.control_box.reflexes import POWER_LIMIT_W, Reflexes
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.settings import default_collision_behavior
from skill_robots.control_box.wire.protocol import (
    ErrorBit,
    GeneratorMode,
    MoveStatus,
    RecoveryStatus,
    SetterStatus,
)
from skill_robots.control_box.wire.robot_command import CollisionBehavior, Load, RobotCommand
from skill_robots.franka.model import FrankaRobot
from skill_robots.franka.robot_mode import RobotMode
from skill_robots.franka.specs import PANDA

LOW = tuple(PANDA.neutral.tolist())
"""The end effector 6 cm above the table, pointing down."""


@pytest.fixture(params=["fer", "fr3"])
def name(request: pytest.FixtureRequest) -> FrankaRobot:
    return request.param


def thresholds(
    *, lower_force: float = 5.0, upper_force: float = 1e3, torque: float = 1e3, **changes: float
) -> CollisionBehavior:
    """Equal thresholds for all directions and joints, in both sets unless changed."""
    force, high, joints = np.full(6, lower_force), np.full(6, upper_force), np.full(7, torque)
    given = {
        "lower_torque_acceleration": joints,
        "upper_torque_acceleration": joints,
        "lower_torque_nominal": joints,
        "upper_torque_nominal": joints,
        "lower_force_acceleration": force,
        "upper_force_acceleration": high,
        "lower_force_nominal": force,
        "upper_force_nominal": high,
    }
    for field, value in changes.items():
        given[field] = np.full(len(given[field]), value)
    return CollisionBehavior(**given)


def press_on_the_table(robot: Robot, cycles: int = 3000) -> MoveStatus | None:
    """Moves down at 5 cm/s."""
    robot.start_move(request(GeneratorMode.CARTESIAN_VELOCITY))

    def answer(cycle: int) -> RobotCommand:
        rate = ramp(cycle, acceleration=0.5, jerk=100.0, speed=0.05)
        return command(robot, twist=[0, 0, -rate, 0, 0, 0])

    return run(robot, cycles, answer)


def above_the_table(name: FrankaRobot) -> Robot:
    return Robot(robot_config(name, start=LOW, cube_position=(0.1, 0.3)))


def test_an_arm_with_an_unknown_load_recovers_after_a_contact(name: FrankaRobot) -> None:
    robot = above_the_table(name)
    # Gravity compensation carries a load that is not there, as after the loss of an object.
    load = Load(mass=2.0, centre_of_mass=np.array([0.0, 0.0, 0.2]), inertia=np.zeros(9))
    assert robot.set_load(load) is SetterStatus.SUCCESS
    settle(robot)
    assert robot.set_collision_behavior(thresholds(upper_force=30.0)) is SetterStatus.SUCCESS
    assert press_on_the_table(robot) is MoveStatus.REFLEX_ABORTED
    status = robot.recover()
    for _ in range(2000):
        robot.cycle()
        status = status or robot.take_recovery_result()
    assert status is RecoveryStatus.SUCCESS
    assert robot.state.robot_mode == RobotMode.IDLE
    assert np.abs(robot.state.dq).max() < 0.01


def test_a_contact_above_the_threshold_stops_the_arm(name: FrankaRobot) -> None:
    robot = above_the_table(name)
    limit = 20.0
    behavior = thresholds(lower_force=5.0, upper_force=limit)
    assert robot.set_collision_behavior(behavior) is SetterStatus.SUCCESS
    assert press_on_the_table(robot) is MoveStatus.REFLEX_ABORTED
    assert errors(robot) == {ErrorBit.CARTESIAN_REFLEX}
    assert robot.state.robot_mode == RobotMode.REFLEX
    # K points down: the force of the robot on the table is along its z axis.
    force = robot.state.k_f_ext_hat_k[2]
    assert limit < force < limit + 10.0
    assert robot.state.o_f_ext_hat_k[2] < -limit
    assert robot.state.cartesian_collision.tolist() == [0, 0, 1, 0, 0, 0]
    assert robot.state.cartesian_contact[2] == 1.0
    # The fingertips are 9 mm below the end effector and on the table.
    assert robot.state.o_t_ee[14] == pytest.approx(0.009, abs=0.002)
    highest = force
    for _ in range(500):
        robot.cycle()
        highest = max(highest, float(robot.state.k_f_ext_hat_k[2]))
    assert highest < limit + 12.0  # the arm has not pressed on
    assert abs(robot.state.k_f_ext_hat_k[2]) < 5.0
    assert np.abs(robot.state.dq).max() < 1e-3
    assert robot.state.cartesian_contact[2] == 0.0  # the contact is over, the collision is kept
    assert robot.state.cartesian_collision[2] == 1.0
    assert robot.recover() is RecoveryStatus.SUCCESS
    assert not robot.state.cartesian_collision.any()
    assert robot.state.robot_mode == RobotMode.IDLE
    assert robot.start_move(request(GeneratorMode.JOINT_POSITION)) is MoveStatus.MOTION_STARTED


def test_a_contact_while_the_arm_brakes(name: FrankaRobot) -> None:
    # The client falls silent, and the robot begins to brake 3 mm above the table at 0.25 m/s. The
    # braking trajectory ends below the table.
    robot = above_the_table(name)
    robot.set_collision_behavior(thresholds(upper_force=20.0))
    robot.start_move(request(GeneratorMode.CARTESIAN_VELOCITY))

    def answer(cycle: int) -> RobotCommand | None:
        rate = ramp(cycle, acceleration=1.2, jerk=400.0, speed=0.25)
        silent = robot.state.o_t_ee[14] < 0.009 + 0.003 + 0.25 * 0.021
        return None if silent else command(robot, twist=[0, 0, -rate, 0, 0, 0])

    assert run(robot, 1000, answer) is MoveStatus.REFLEX_ABORTED
    assert errors(robot) == {ErrorBit.COMMUNICATION_CONSTRAINTS_VIOLATION}
    settle(robot, 500)
    assert errors(robot) == {
        ErrorBit.COMMUNICATION_CONSTRAINTS_VIOLATION,
        ErrorBit.CARTESIAN_REFLEX,
    }
    assert robot.state.reflex_reason == robot.state.errors
    assert robot.take_move_result() is None  # the motion had ended before
    assert abs(robot.state.k_f_ext_hat_k[2]) < 5.0
    assert robot.recover() is RecoveryStatus.SUCCESS


def test_a_contact_below_the_upper_threshold_is_only_flagged(name: FrankaRobot) -> None:
    robot = above_the_table(name)
    robot.set_collision_behavior(thresholds(lower_force=5.0))
    assert press_on_the_table(robot, 1120) is None
    assert robot.state.k_f_ext_hat_k[2] > 5.0
    assert robot.state.cartesian_contact[2] == 1.0
    assert not robot.state.cartesian_collision.any()
    assert robot.state.robot_mode == RobotMode.MOVE


def test_joint_and_cartesian_reflex_at_once(name: FrankaRobot) -> None:
    robot = Robot(robot_config(name, start=LOW, scene="none"))
    robot.plant.update_jacobian()
    torque = robot.plant.jacobian.T @ np.array([0, 0, 60.0, 0, 0, 0])
    # Joint 2 has the longest lever, 0.6 m. After 11 ms the filter has let 1 - 0.9^11 = 69 % of
    # 60 N and 36 N m through, after 10 ms 65 %: 40 N and 24 N m are crossed in the same cycle.
    assert torque[1] == pytest.approx(-36.0, abs=0.1)
    behavior = thresholds(upper_force=40.0, torque=24.0)
    assert robot.set_collision_behavior(behavior) is SetterStatus.SUCCESS
    robot.start_move(request(GeneratorMode.JOINT_POSITION))
    start = robot.state.q_d.copy()
    robot.cycle(command(robot, q=start))
    robot.plant.push(torque.tolist())
    assert run(robot, 10, lambda _: command(robot, q=start)) is None
    assert run(robot, 1, lambda _: command(robot, q=start)) is MoveStatus.REFLEX_ABORTED
    assert errors(robot) == {ErrorBit.JOINT_REFLEX, ErrorBit.CARTESIAN_REFLEX}
    assert robot.state.joint_collision.tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert robot.state.cartesian_collision.tolist() == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(("speed", "expected"), [("steady", 20.0), ("accelerating", 50.0)])
def test_thresholds_while_the_motion_accelerates(
    name: FrankaRobot, speed: str, expected: float
) -> None:
    # 35 N on the arm: beyond the nominal threshold, within the one for acceleration.
    robot = Robot(robot_config(name, scene="none"))
    behavior = thresholds(upper_force_nominal=20.0, upper_force_acceleration=50.0)
    assert robot.set_collision_behavior(behavior) is SetterStatus.SUCCESS
    robot.start_move(request(GeneratorMode.JOINT_VELOCITY))

    def answer(cycle: int) -> RobotCommand:
        top = 0.05 if speed == "steady" else 9.0
        rate = ramp(cycle, acceleration=2.0, jerk=1000.0, speed=top)
        return command(robot, dq=[0, 0, 0, 0, 0, 0, rate])

    run(robot, 100, answer)
    robot.plant.update_jacobian()
    robot.plant.push((robot.plant.jacobian.T @ np.array([0, 0, 35.0, 0, 0, 0])).tolist())
    result = run(robot, 60, lambda cycle: answer(100 + cycle))
    assert (result is MoveStatus.REFLEX_ABORTED) == (expected < 35.0)


def test_the_cube_against_the_hand(name: FrankaRobot) -> None:
    # The closed hand pushes the cube along y at 10 cm/s. To move it takes m g mu = 0.8 x 9.81 x 0.4
    # = 3.1 N on the hand and the impact.
    robot = Robot(robot_config(name, start=LOW, cube_position=(0.0, 0.06), mass=0.8, friction=0.4))
    robot.start_move(request(GeneratorMode.CARTESIAN_VELOCITY))
    forces: list[float] = []

    def answer(cycle: int) -> RobotCommand:
        down = ramp(cycle, acceleration=0.5, jerk=100.0, speed=0.05)
        if cycle >= 800:
            down = max(0.05 - ramp(cycle - 800, acceleration=0.5, jerk=100.0, speed=0.05), 0.0)
        along = ramp(cycle - 1000, acceleration=0.5, jerk=100.0, speed=0.1) if cycle >= 1000 else 0
        forces.append(float(robot.state.o_f_ext_hat_k[1]))
        return command(robot, twist=[0, along, -down, 0, 0, 0])

    assert run(robot, 2200, answer) is None
    pose = robot.plant.cube_pose()
    assert pose is not None
    assert pose.position[1] > 0.09  # pushed
    sliding = np.mean(forces[-300:])
    assert sliding == pytest.approx(0.8 * 9.81 * 0.4, rel=0.15)


def test_a_fast_joint_in_torque_control(name: FrankaRobot) -> None:
    robot = Robot(robot_config(name, scene="none"))
    robot.start_move(torque_request(robot))

    def answer(cycle: int) -> RobotCommand:
        return command(robot, tau=[min(0.5 * cycle, 12.0)] + [0.0] * 6)

    assert run(robot, 3000, answer) is MoveStatus.REFLEX_ABORTED
    assert ErrorBit.JOINT_VELOCITY_VIOLATION in errors(robot)
    limit = robot.config.spec.velocity_limit[0]
    assert 1.05 * limit < robot.state.dq[0] < 1.06 * limit
    energy = [kinetic_energy(robot)]
    for _ in range(400):
        robot.cycle()
        energy.append(kinetic_energy(robot))
    assert energy[0] > 1.0
    assert energy[-1] < 1e-6
    # Damping takes energy away in every cycle.
    assert max(np.diff(energy)) < 1e-3 * energy[0]
    assert energy[150] < 1e-3 * energy[0]


def kinetic_energy(robot: Robot) -> float:
    velocity = robot.state.dq
    return float(0.5 * velocity @ robot.plant.inertia() @ velocity)


def test_self_collision(name: FrankaRobot) -> None:
    # The hand turns towards the base with joint 4 and 2 folded; joint 6 drives it into link 1.
    config = robot_config(name, scene="none")
    collision = config.spec.collision_model()
    folded = (0.0, -1.3, 0.0, -2.9, 0.0, 1.2, 0.785)
    assert collision.measure(np.array(folded)).self_collision > 0.01
    robot = Robot(robot_config(name, scene="none", start=folded))
    robot.set_collision_behavior(thresholds())
    robot.start_move(request(GeneratorMode.JOINT_VELOCITY))

    def answer(cycle: int) -> RobotCommand:
        rate = ramp(cycle, acceleration=1.0, jerk=500.0, speed=0.3)
        return command(robot, dq=[0, 0, 0, 0, 0, -rate, 0])

    assert run(robot, 4000, answer) is MoveStatus.REFLEX_ABORTED
    assert errors(robot) == {ErrorBit.SELF_COLLISION_AVOIDANCE_VIOLATION}
    # Checked every 10 ms at 0.3 rad/s: 3 mrad on a lever below 0.4 m.
    assert collision.measure(robot.state.q).self_collision > -0.002


def test_speed_of_the_end_effector(name: FrankaRobot) -> None:
    robot = Robot(robot_config(name, scene="none"))
    reflexes = Reflexes(robot.config, robot.plant, robot.state)
    reflexes.set_behavior(default_collision_behavior())
    limit = 1.05 * {"fer": 1.7, "fr3": 3.0}[name]
    rates = np.array([1.0, 0.5, 0.5, 1.0, 0.0, -1.0, 0.0])
    robot.plant.update_jacobian()
    speed = np.linalg.norm(robot.plant.jacobian[:3] @ rates)
    for share, expected in ((0.999, False), (1.001, True)):
        robot.plant.dq[:] = share * limit / speed * rates
        robot.plant.velocity = robot.plant.dq.tolist()
        mask = reflexes.check(None)
        assert bool(mask >> ErrorBit.CARTESIAN_VELOCITY_VIOLATION & 1) == expected


def test_power_limit(name: FrankaRobot) -> None:
    robot = Robot(robot_config(name, scene="none"))
    state = robot.state
    reflexes = Reflexes(robot.config, robot.plant, state)
    reflexes.set_behavior(default_collision_behavior())
    robot.plant.tau_j[:] = 80.0
    robot.plant.velocity = [POWER_LIMIT_W / 7 / 80.0 + 1e-3] * 7  # 1.07 rad/s
    mask = reflexes.check(None)
    assert mask >> ErrorBit.POWER_LIMIT_VIOLATION & 1
    robot.plant.velocity = [POWER_LIMIT_W / 7 / 80.0 - 1e-3] * 7
    assert not reflexes.check(None) >> ErrorBit.POWER_LIMIT_VIOLATION & 1


def test_no_reflex_without_a_motion(name: FrankaRobot) -> None:
    robot = Robot(robot_config(name, scene="none"))
    robot.plant.push([0, 40.0, 0, 0, 0, 0, 0])
    settle(robot, 200)
    assert robot.state.robot_mode == RobotMode.IDLE
    assert robot.state.joint_contact.tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert not errors(robot)
    # A motion that starts in contact ends at once.
    robot.start_move(request(GeneratorMode.JOINT_POSITION))
    start = robot.state.q_d.copy()
    assert run(robot, 2, lambda _: command(robot, q=start)) is MoveStatus.REFLEX_ABORTED
