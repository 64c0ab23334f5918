"""The internal controllers as springs: displacement times stiffness is the force."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.box_client import command, request, run

from skill_robots.control_box.config import robot_config
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.wire.protocol import ControllerMode, GeneratorMode, SetterStatus


@pytest.fixture(params=["fer", "fr3"])
def robot(request: pytest.FixtureRequest) -> Robot:
    return Robot(robot_config(request.param, scene="none"))


@pytest.mark.parametrize(("axis", "stiffness"), [(0, 400.0), (1, 800.0), (2, 1600.0)])
def test_cartesian_stiffness_acts_along_the_axes_of_k(
    robot: Robot, axis: int, stiffness: float
) -> None:
    # K turned by 90 degrees about z of EE, so that x and y of K are y and -x of EE.
    turn = np.array([0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1.0])
    assert robot.set_ee_to_k(turn) is SetterStatus.SUCCESS
    along_k = np.array([3000.0, 3000.0, 3000.0, 300.0, 300.0, 300.0])
    along_k[axis] = stiffness
    assert robot.set_cartesian_impedance(along_k) is SetterStatus.SUCCESS
    robot.start_move(request(GeneratorMode.CARTESIAN_VELOCITY, ControllerMode.CARTESIAN_IMPEDANCE))
    robot.cycle(command(robot))
    axes = robot.plant.stiffness_rotation.copy()
    force = 8.0 * axes[:, axis]  # on the robot, along an axis of K
    robot.plant.update_jacobian()
    robot.plant.push((robot.plant.jacobian[:3].T @ force).tolist())
    assert run(robot, 3000, lambda _: command(robot)) is None
    state = robot.state
    displacement = axes.T @ (state.o_t_ee - state.o_t_ee_d)[12:15]
    expected = np.zeros(3)
    expected[axis] = 8.0 / stiffness
    assert displacement == pytest.approx(expected, abs=0.02 * 8.0 / stiffness + 1e-4)


def test_rotational_stiffness(robot: Robot) -> None:
    robot.set_cartesian_impedance(np.array([3000.0, 3000.0, 3000.0, 300.0, 300.0, 50.0]))
    robot.start_move(request(GeneratorMode.CARTESIAN_VELOCITY, ControllerMode.CARTESIAN_IMPEDANCE))
    robot.cycle(command(robot))
    robot.plant.update_jacobian()
    moment = 2.0 * robot.plant.stiffness_rotation[:, 2]
    robot.plant.push((robot.plant.jacobian[3:].T @ moment).tolist())
    assert run(robot, 3000, lambda _: command(robot)) is None
    desired, actual = robot.state.o_t_ee_d, robot.state.o_t_ee
    # Both point down: the angle between their x axes, about z of K.
    sine = np.cross(desired[0:3], actual[0:3]) @ robot.plant.stiffness_rotation[:, 2]
    assert np.arcsin(sine) == pytest.approx(2.0 / 50.0, rel=0.02)


def test_the_arm_does_not_ring(robot: Robot) -> None:
    # Released from 5 N m on joint 4 the arm returns within 0.3 s and overshoots by 20 % at most.
    robot.plant.push([0, 0, 0, 5.0, 0, 0, 0])
    for _ in range(1500):
        robot.cycle()
    start = robot.state.q[3] - robot.state.q_d[3]
    assert start == pytest.approx(5.0 / 2500.0, rel=0.01)
    robot.plant.push([0.0] * 7)
    errors: list[float] = []
    for _ in range(300):
        robot.cycle()
        errors.append(float(robot.state.q[3] - robot.state.q_d[3]))
    assert min(errors) > -0.2 * start
    assert abs(errors[-1]) < 0.02 * start
