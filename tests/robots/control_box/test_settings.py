"""Setters: accepted arguments, modes, and their effect on state and plant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.support.box_client import command, request, run, settle

from skill_proto.arrays import Array
from skill_robots.control_box.config import robot_config
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.settings import default_collision_behavior
from skill_robots.control_box.wire.protocol import GeneratorMode, SetterStatus
from skill_robots.control_box.wire.robot_command import Load

OK, INVALID = SetterStatus.SUCCESS, SetterStatus.INVALID_ARGUMENT


@pytest.fixture(params=["fer", "fr3"])
def robot(request: pytest.FixtureRequest) -> Robot:
    return Robot(robot_config(request.param))


def load(mass: float = 0.5, height: float = 0.1) -> Load:
    return Load(
        mass=mass,
        centre_of_mass=np.array([0.0, 0.0, height]),
        inertia=(1e-3 * np.eye(3)).ravel(),
    )


def offset(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Array:
    """A translation in column-major order."""
    return np.array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, x, y, z, 1.0])


SETTERS: dict[str, Callable[[Robot], SetterStatus]] = {
    "collision": lambda robot: robot.set_collision_behavior(default_collision_behavior()),
    "joint impedance": lambda robot: robot.set_joint_impedance(np.full(7, 1000.0)),
    "cartesian impedance": lambda robot: robot.set_cartesian_impedance(
        np.array([500.0, 500.0, 500.0, 50.0, 50.0, 50.0])
    ),
    "guiding": lambda robot: robot.set_guiding_mode((True,) * 6, null_space=False),
    "EE to K": lambda robot: robot.set_ee_to_k(offset(z=0.05)),
    "NE to EE": lambda robot: robot.set_ne_to_ee(offset(z=0.05)),
    "load": lambda robot: robot.set_load(load()),
    "filters": lambda robot: robot.set_filters(np.full(5, 100.0)),
}


@pytest.mark.parametrize("name", list(SETTERS))
def test_setters_are_possible_only_while_the_robot_is_idle(robot: Robot, name: str) -> None:
    setter = SETTERS[name]
    assert setter(robot) is OK
    start = robot.state.q_d.copy()
    robot.start_move(request(GeneratorMode.JOINT_POSITION))
    robot.cycle(command(robot, q=start))
    assert setter(robot) is SetterStatus.NOT_POSSIBLE  # mode MOVE
    run(robot, 21)
    assert setter(robot) is SetterStatus.NOT_POSSIBLE  # mode REFLEX (franka_ros #25)
    robot.press_user_stop()
    assert setter(robot) is SetterStatus.NOT_POSSIBLE
    robot.release_user_stop()
    settle(robot, 500)
    assert setter(robot) is OK
    robot.press_guiding_button()
    assert setter(robot) is SetterStatus.NOT_POSSIBLE


def test_impedances_out_of_range_are_invalid(robot: Robot) -> None:
    assert robot.set_joint_impedance(np.zeros(7)) is OK
    assert robot.set_joint_impedance(np.full(7, 14250.0)) is OK
    assert robot.set_joint_impedance(np.array([14251.0] + [1.0] * 6)) is INVALID
    assert robot.set_joint_impedance(np.array([-1.0] + [1.0] * 6)) is INVALID
    for wrong in ([9, 500, 500, 50, 50, 50], [500, 500, 3001, 50, 50, 50], [500] * 6):
        assert robot.set_cartesian_impedance(np.array(wrong, float)) is INVALID


def test_thresholds_must_be_ordered(robot: Robot) -> None:
    good = default_collision_behavior()
    assert robot.set_collision_behavior(good) is OK
    bad = replace(good, lower_force_nominal=good.upper_force_nominal + 1.0)
    assert robot.set_collision_behavior(bad) is INVALID
    bad = replace(good, lower_torque_acceleration=np.full(7, -1.0))
    assert robot.set_collision_behavior(bad) is INVALID


def test_loads_must_be_physical(robot: Robot) -> None:
    assert robot.set_load(load(0.0)) is OK
    assert robot.set_load(load(3.0)) is OK
    assert robot.set_load(load(3.1)) is INVALID
    assert robot.set_load(load(-0.1)) is INVALID
    skew = np.array([1.0, 2.0, 0, 0, 1.0, 0, 0, 0, 1.0])
    assert robot.set_load(replace(load(), inertia=skew)) is INVALID
    negative = -np.eye(3).ravel()
    assert robot.set_load(replace(load(), inertia=negative)) is INVALID
    assert robot.set_filters(np.full(5, 1001.0)) is INVALID


@pytest.mark.parametrize("far", [1.5, 100.0, 1e160, 1e308, -1e308])
def test_numbers_that_no_robot_has_are_refused_and_leave_no_trace(robot: Robot, far: float) -> None:
    before = robot.state.f_t_ee.copy()
    assert robot.set_load(replace(load(), centre_of_mass=np.array([far, 0.0, 0.0]))) is INVALID
    inertia = np.diag([10.0 + abs(far)] * 3).ravel()
    assert robot.set_load(replace(load(), inertia=inertia)) is INVALID
    if abs(far) > 10.0:
        assert robot.set_ne_to_ee(offset(x=far)) is INVALID
        assert robot.set_ee_to_k(offset(z=far)) is INVALID
    settle(robot)
    assert robot.state.f_t_ee == pytest.approx(before)
    assert np.isfinite(robot.state.tau_ext_hat_filtered).all()


def test_frames_must_be_transforms(robot: Robot) -> None:
    before = robot.state.f_t_ee.copy()
    for wrong in (np.zeros(16), 2.0 * offset(), offset(z=0.1).reshape(4, 4).T.ravel()):
        assert robot.set_ee_to_k(wrong) is INVALID
        assert robot.set_ne_to_ee(wrong) is INVALID
    assert robot.state.f_t_ee == pytest.approx(before)


def test_end_effector_and_stiffness_frame(robot: Robot) -> None:
    robot.cycle()
    before = robot.state.o_t_ee.copy()
    axes = before.reshape(4, 4)[:3, :3].T
    robot.plant.update_jacobian()
    at_old = robot.plant.jacobian[:3].copy()  # K is still at the end effector
    assert robot.set_ne_to_ee(offset(x=0.02, z=0.1)) is OK
    assert robot.set_ee_to_k(offset(y=-0.03)) is OK
    robot.cycle()
    state = robot.state
    assert state.ne_t_ee == pytest.approx(offset(x=0.02, z=0.1))
    assert state.ee_t_k == pytest.approx(offset(y=-0.03))
    moved = axes @ [0.02, 0.0, 0.1]
    assert state.o_t_ee[12:15] == pytest.approx(before[12:15] + moved, abs=1e-9)
    assert state.o_t_ee_d[12:15] == pytest.approx(before[12:15] + moved, abs=1e-9)
    assert state.o_t_ee[:12] == pytest.approx(before[:12], abs=1e-9)
    # F_T_EE = F_T_NE NE_T_EE.
    product = state.f_t_ne.reshape(4, 4).T @ state.ne_t_ee.reshape(4, 4).T
    assert pytest.approx(product) == state.f_t_ee.reshape(4, 4).T
    # A force of 10 N along z of EE at the old end effector has a moment about K.
    force = axes @ [0.0, 0.0, 10.0]
    robot.plant.push((at_old.T @ force).tolist())
    settle(robot, 300)
    # From K to the old end effector: r = (-0.02, 0.03, -0.1), r x (0, 0, 10) = (0.3, 0.2, 0) on the
    # robot. The state has the opposite, on the environment.
    assert state.k_f_ext_hat_k[:3] == pytest.approx([0.0, 0.0, -10.0], abs=0.1)
    assert state.k_f_ext_hat_k[3:] == pytest.approx([-0.3, -0.2, 0.0], abs=0.02)


def test_a_wrong_load_lifts_the_arm(robot: Robot) -> None:
    # 1 kg that is not there: the motors carry 9.81 N too much, the joint springs hold against it.
    robot.cycle()
    height = robot.state.o_t_ee[14]
    stiffness = np.array([3000.0, 3000, 3000, 2500, 2500, 2000, 2000])
    assert robot.set_joint_impedance(stiffness) is OK
    assert robot.set_load(load(1.0)) is OK
    settle(robot, 1500)
    state = robot.state
    assert state.m_load[0] == 1.0
    assert state.f_x_cload == pytest.approx([0.0, 0.0, 0.1])
    assert state.o_f_ext_hat_k[2] == pytest.approx(-9.81, abs=0.05)
    # K (q - q_d) = tau_load = -tau_ext.
    assert stiffness * (state.q - state.q_d) == pytest.approx(-state.tau_ext_hat_filtered, abs=0.02)
    assert 1e-4 < state.o_t_ee[14] - height < 0.01
    assert robot.set_load(load(0.0)) is OK
    settle(robot, 1500)
    assert robot.state.q == pytest.approx(robot.state.q_d, abs=1e-6)


def test_joint_impedance_is_the_stiffness_of_the_hold(robot: Robot) -> None:
    for stiffness in (500.0, 5000.0):
        robot.plant.push([0.0] * 7)
        assert robot.set_joint_impedance(np.full(7, stiffness)) is OK
        robot.plant.push([0, 0, 0, 5.0, 0, 0, 0])
        settle(robot, 2500)
        assert robot.state.q[3] - robot.state.q_d[3] == pytest.approx(5.0 / stiffness, rel=0.01)
