"""The fields of the state against independent kinematics, while a motion runs."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.box_client import command, request, run, settle, torque_request

from skill_robots.control_box.config import robot_config
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.wire.protocol import GeneratorMode
from skill_robots.control_box.wire.robot_command import RobotCommand
from skill_robots.franka.kinematics import FrankaKinematics

KINEMATICS = FrankaKinematics()


@pytest.fixture(params=["fer", "fr3"])
def robot(request: pytest.FixtureRequest) -> Robot:
    return Robot(robot_config(request.param))


def pose_of(position: np.ndarray) -> np.ndarray:
    """O_T_EE in column-major order, from the Denavit-Hartenberg table."""
    pose = KINEMATICS.forward(position[None])
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = pose.rotation[0], pose.position[0]
    return frame.T.ravel()


def moving(robot: Robot, generator: GeneratorMode, cycles: int = 400) -> None:
    """Moves all joints, or the end effector, on a profile of 1 s."""
    robot.start_move(request(generator))

    def answer(cycle: int) -> RobotCommand:
        rate = 0.2 * np.sin(np.pi * cycle * 1e-3) ** 2
        return command(
            robot,
            dq=rate * np.array([1, -0.5, 0.5, 1, -1, 1, 1]),
            twist=0.5 * rate * np.array([1, -1, 0.5, 1, -1, 1]),
        )

    assert run(robot, cycles, answer) is None


@pytest.mark.parametrize(
    "generator", [GeneratorMode.JOINT_VELOCITY, GeneratorMode.CARTESIAN_VELOCITY]
)
def test_poses_and_twists(robot: Robot, generator: GeneratorMode) -> None:
    moving(robot, generator)
    state = robot.state
    assert state.o_t_ee == pytest.approx(pose_of(state.q), abs=1e-9)
    assert state.o_t_ee_d == pytest.approx(pose_of(state.q_d), abs=1e-9)
    _, jacobian = KINEMATICS.forward_with_jacobian(state.q_d[None])
    assert state.o_dp_ee_d == pytest.approx(jacobian[0] @ state.dq_d, abs=1e-9)
    assert np.abs(state.o_dp_ee_d[:3]).max() > 0.02
    assert state.theta == pytest.approx(state.q)
    assert state.dtheta == pytest.approx(state.dq)
    assert state.elbow == pytest.approx([state.q[2], -1.0])
    assert state.elbow_d == pytest.approx([state.q_d[2], -1.0])
    assert state.o_ddp_o.tolist() == [0.0, 0.0, -9.81]


def test_joint_set_point_and_its_differences(robot: Robot) -> None:
    moving(robot, GeneratorMode.JOINT_VELOCITY, 300)
    state = robot.state
    q, dq = state.q_d.copy(), state.dq_d.copy()
    robot.cycle(command(robot, dq=dq + 0.002))
    assert state.dq_d == pytest.approx((state.q_d - q) / 1e-3)
    assert state.ddq_d == pytest.approx((state.dq_d - dq) / 1e-3)
    assert state.ddq_d == pytest.approx(np.full(7, 2.0))
    assert not state.o_dp_ee_c.any()  # no Cartesian command
    assert state.o_t_ee_c == pytest.approx(state.o_t_ee_d)


def test_commanded_cartesian_motion(robot: Robot) -> None:
    moving(robot, GeneratorMode.CARTESIAN_VELOCITY, 300)
    state = robot.state
    twist, pose = state.o_dp_ee_c.copy(), state.o_t_ee_c.copy()
    elbow, elbow_rate = state.elbow_c.copy(), state.delbow_c.copy()
    robot.cycle(command(robot, twist=twist + 0.0005))
    assert state.o_dp_ee_c == pytest.approx(twist + 0.0005)
    assert state.o_ddp_ee_c == pytest.approx(np.full(6, 0.5))
    assert state.o_t_ee_c[12:15] - pose[12:15] == pytest.approx(1e-3 * (twist + 0.0005)[:3])
    # The joint set-point has the end effector at the commanded pose.
    assert state.o_t_ee_d == pytest.approx(state.o_t_ee_c, abs=1e-6)
    assert state.elbow_c[0] == pytest.approx(state.q_d[2])
    assert abs(state.delbow_c[0]) > 1e-3
    assert state.delbow_c[0] == pytest.approx((state.elbow_c[0] - elbow[0]) / 1e-3)
    assert state.ddelbow_c[0] == pytest.approx((state.delbow_c[0] - elbow_rate[0]) / 1e-3)


def test_torques_of_a_motion(robot: Robot) -> None:
    moving(robot, GeneratorMode.JOINT_VELOCITY)
    state, plant = robot.state, robot.plant
    before = state.tau_j.copy()
    robot.cycle()
    assert state.dtau_j == pytest.approx((state.tau_j - before) / 1e-3)
    # The joint controller: K (q_d - q) + D (q'_d - q'), all of it without gravity.
    assert np.abs(state.tau_j_d).max() > 0.1
    assert np.abs(state.tau_j - plant.gravity).max() < np.abs(state.tau_j_d).max() + 1.0
    assert not state.tau_ext_hat_filtered.any()


def test_state_of_pure_torque_control_follows_the_arm() -> None:
    robot = Robot(robot_config("fr3"))
    robot.start_move(torque_request(robot))
    run(robot, 200, lambda _: command(robot, tau=[0, 0, 0, 0.9, 0, 0, 0.4]))
    state = robot.state
    assert state.q_d == pytest.approx(state.q)
    assert state.dq_d == pytest.approx(state.dq)
    assert state.o_t_ee_d == pytest.approx(state.o_t_ee, abs=1e-12)


def test_idle_state_after_a_motion(robot: Robot) -> None:
    moving(robot, GeneratorMode.CARTESIAN_VELOCITY)
    robot.stop_move()
    settle(robot)
    state = robot.state
    for rates in (state.dq_d, state.ddq_d, state.o_dp_ee_c, state.o_ddp_ee_c, state.delbow_c):
        assert not rates.any()
    assert state.o_t_ee_d == pytest.approx(pose_of(state.q_d), abs=1e-9)
    assert state.control_command_success_rate == 0.0
