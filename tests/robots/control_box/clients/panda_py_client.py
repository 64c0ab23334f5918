"""Everything that panda-py offers, on a Panda: ``python panda_py_client.py ADDRESS``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import panda_py
from panda_py import controllers, libfranka
from steps import DURATION_S, HOLD_S, bump, smooth, smooth_rate, step

TURN = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2])
"""A turn of the last joint [rad]."""

UP = np.array([0.0, 0.0, 0.05])
"""A way up [m]."""

UNLIMITED = {"limit_rate": False, "cutoff_frequency": 1000.0}
"""libfranka's rate limiter and low-pass filter are off: the commands arrive unchanged."""

Command = Callable[[float, libfranka.RobotState], object]
"""The command at a time after the start [s], for the state at the start."""


Controller = controllers.TorqueController


class Start(NamedTuple):
    """Measurements at the start of a controller."""

    position: np.ndarray
    turn: np.ndarray
    q: np.ndarray


class Motion:
    """A callback for libfranka's control loops; it ends the motion after ``duration_s``."""

    def __init__(self, command: Command, duration_s: float = DURATION_S) -> None:
        self._command = command
        self._duration_s = duration_s
        self._start: libfranka.RobotState | None = None
        self._elapsed = -HOLD_S
        self.success_rate = 0.0

    def __call__(self, state: libfranka.RobotState, period: libfranka.Duration) -> object:
        """Returns the command of one cycle."""
        if self._start is None:
            self._start = state
        else:
            self._elapsed += period.to_sec()
        message = self._command(max(self._elapsed, 0.0), self._start)
        message.motion_finished = self._elapsed >= self._duration_s
        self.success_rate = state.control_command_success_rate
        return message


def joint_positions(elapsed: float, start: libfranka.RobotState) -> object:
    q = list(start.q_d)
    q[6] += 0.2 * smooth(elapsed)
    return libfranka.JointPositions(q)


def joint_velocities(elapsed: float, start: libfranka.RobotState) -> object:
    return libfranka.JointVelocities([0.0] * 6 + [-0.2 * smooth_rate(elapsed)])


def cartesian_pose(elapsed: float, start: libfranka.RobotState) -> object:
    pose = list(start.O_T_EE_d)
    pose[14] += 0.03 * smooth(elapsed)
    return libfranka.CartesianPose(pose)


def cartesian_velocities(elapsed: float, start: libfranka.RobotState) -> object:
    return libfranka.CartesianVelocities([0.0, 0.0, -0.03 * smooth_rate(elapsed), 0.0, 0.0, 0.0])


def torques(elapsed: float, start: libfranka.RobotState) -> object:
    return libfranka.Torques([0.0] * 6 + [0.5 * bump(elapsed)])


def jump(elapsed: float, start: libfranka.RobotState) -> object:
    q = list(start.q_d)
    q[6] += 0.3 if elapsed > 0.05 else 0.0
    return libfranka.JointPositions(q)


def press(elapsed: float, start: libfranka.RobotState) -> object:
    return libfranka.CartesianVelocities([0.0, 0.0, -0.12 * smooth(elapsed), 0.0, 0.0, 0.0])


def motion(
    robot: libfranka.Robot, name: str, call: Callable[[Motion], None], command: Command
) -> None:
    with step(name) as result:
        before, callback = robot.read_once(), Motion(command)
        call(callback)
        after = robot.read_once()
        result["joint_7"] = after.q[6] - before.q[6]
        result["height"] = after.O_T_EE[14] - before.O_T_EE[14]
        result["success_rate"] = callback.success_rate
        result["mode"] = after.robot_mode.name


def callbacks(robot: libfranka.Robot) -> None:
    """All control loops of libfranka.Robot: generators, torques, and both together."""
    for name, command in (
        ("joint_position", joint_positions),
        ("joint_velocity", joint_velocities),
        ("cartesian_pose", cartesian_pose),
        ("cartesian_velocity", cartesian_velocities),
    ):
        call = getattr(robot, f"control_{name}")
        for mode in (
            libfranka.ControllerMode.kJointImpedance,
            libfranka.ControllerMode.kCartesianImpedance,
        ):
            motion(
                robot,
                f"{name}_{mode.name}",
                lambda m, c=call, mode=mode: c(m, controller_mode=mode, **UNLIMITED),
                command,
            )
    motion(robot, "torque", lambda m: robot.control(m, **UNLIMITED), torques)
    for name, command in (
        ("joint_position", joint_positions),
        ("cartesian_velocity", cartesian_velocities),
    ):
        call = getattr(robot, f"control_torque_{name}")
        motion(
            robot,
            f"torque_and_{name}",
            lambda m, c=call: c(Motion(no_torques), m, **UNLIMITED),
            command,
        )


def no_torques(elapsed: float, start: libfranka.RobotState) -> object:
    return libfranka.Torques([0.0] * 7)


def panda_motions(panda: panda_py.Panda) -> None:
    with step("move_to_joint_position") as result:
        before = panda.q.copy()
        target = before + TURN
        result["reached"] = panda.move_to_joint_position(target, speed_factor=0.2)
        result["joint_7"] = panda.q[6] - before[6]
    with step("move_to_pose") as result:
        position = panda.get_position()
        up = position + UP
        result["reached"] = panda.move_to_pose(up, panda.get_orientation(), speed_factor=0.2)
        result["height"] = panda.get_position()[2] - position[2]
    with step("move_to_start") as result:
        result["reached"] = panda.move_to_start()


def panda_controllers(panda: panda_py.Panda) -> None:
    for name, controller, control in (
        ("JointPosition", controllers.JointPosition(), follow_joint),
        ("CartesianImpedance", controllers.CartesianImpedance(), follow_pose),
        ("IntegratedVelocity", controllers.IntegratedVelocity(), rotate),
        ("AppliedTorque", controllers.AppliedTorque(damping=np.full(7, 2.0)), push_torque),
        ("AppliedForce", controllers.AppliedForce(damping=np.full(7, 2.0)), push_force),
        ("Force", controllers.Force(), press_nothing),
    ):
        with step(name) as result:
            before, height = panda.q.copy(), panda.get_position()[2]
            time.sleep(0.3)  # the arm comes to rest: Force takes all torques at its start as bias
            panda.refresh_state()  # otherwise the start is the last state of the last controller
            panda.start_controller(controller)
            with panda.create_context(frequency=200, max_runtime=1.0) as context:
                start = Start(panda.get_position(), panda.get_orientation(), panda.q.copy())
                while context.ok():
                    control(controller, context.num_ticks / 200, start)
            result["joint_7"] = panda.q[6] - before[6]
            result["height"] = panda.get_position()[2] - height
            result["success_rate"] = panda.get_state().control_command_success_rate
            panda.stop_controller()
            result["mode"] = panda.get_robot().read_once().robot_mode.name


def follow_joint(controller: Controller, time_s: float, start: Start) -> None:
    controller.set_control(start.q + TURN * smooth(time_s), np.zeros(7))


def follow_pose(controller: Controller, time_s: float, start: Start) -> None:
    controller.set_control(start.position + UP * smooth(time_s), start.turn)


def rotate(controller: Controller, time_s: float, start: Start) -> None:
    controller.set_control([0, 0, 0, 0, 0, 0, -0.2 * smooth_rate(time_s)])


def push_torque(controller: Controller, time_s: float, start: Start) -> None:
    controller.set_control([0, 0, 0, 0, 0, 0, 0.5 * bump(time_s)])


def push_force(controller: Controller, time_s: float, start: Start) -> None:
    controller.set_control([0, 0, 2.0 * bump(time_s), 0, 0, 0])


def press_nothing(controller: Controller, time_s: float, start: Start) -> None:
    controller.set_control([0.0, 0.0, 0.0])


def teaching(panda: panda_py.Panda) -> None:
    with step("teaching_mode") as result:
        panda.teaching_mode(True)
        time.sleep(0.5)
        panda.teaching_mode(False)
        result["mode"] = panda.get_robot().read_once().robot_mode.name


def model(panda: panda_py.Panda) -> None:
    with step("model") as result:
        state, dynamics = panda.get_robot().read_once(), panda.get_model()
        result["q"] = list(state.q)
        result["mass"] = list(np.ravel(dynamics.mass(state)))
        result["gravity"] = list(dynamics.gravity(state))
        result["coriolis"] = list(dynamics.coriolis(state))
        result["jacobian"] = list(
            np.ravel(dynamics.zero_jacobian(libfranka.Frame.kEndEffector, state))
        )


def setters(robot: libfranka.Robot) -> None:
    identity = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    with step("setters") as result:
        robot.set_collision_behavior([20.0] * 7, [60.0] * 7, [20.0] * 6, [60.0] * 6)
        robot.set_joint_impedance([3000.0, 3000, 3000, 2500, 2500, 2000, 2000])
        robot.set_cartesian_impedance([3000.0, 3000, 3000, 300, 300, 300])
        robot.set_guiding_mode([True] * 6, False)
        robot.set_load(0.5, [0.0, 0.0, 0.05], [0.001, 0, 0, 0, 0.001, 0, 0, 0, 0.001])
        result["m_load"] = robot.read_once().m_load
        robot.set_load(0.0, [0.0] * 3, [0.0] * 9)
        robot.set_k([*identity[:14], 0.05, 1.0])
        result["EE_T_K"] = list(robot.read_once().EE_T_K)
        robot.set_k(identity)
        robot.set_ee(identity)
    with step("refused_setter"):
        robot.set_joint_impedance([-1.0] * 7)


def gripper(address: str) -> None:
    with step("gripper") as result:
        hand = libfranka.Gripper(address)
        result["version"] = hand.server_version()
        result["homing"] = hand.homing()
        result["max_width"] = hand.read_once().max_width
        result["moved"] = hand.move(0.03, 0.1)
        result["width"] = hand.read_once().width
        result["grasped"] = hand.grasp(0.0, 0.1, 20.0, 0.005, 0.005)
        result["stopped"] = hand.stop()


def reflexes(panda: panda_py.Panda, low: np.ndarray) -> None:
    robot = panda.get_robot()
    panda.move_to_joint_position(low, speed_factor=0.2)
    with step("jump"):
        robot.control_joint_position(Motion(jump), **UNLIMITED)
    with step("recovery") as result:
        result["before"] = robot.read_once().robot_mode.name
        robot.automatic_error_recovery()
        result["mode"] = robot.read_once().robot_mode.name
    with step("press"):
        robot.set_collision_behavior([60.0] * 7, [60.0] * 7, [20.0] * 6, [20.0] * 6)
        robot.control_cartesian_velocity(Motion(press, 5.0), **UNLIMITED)
    with step("second_recovery") as result:
        result["before"] = robot.read_once().robot_mode.name
        panda.recover()
        result["mode"] = robot.read_once().robot_mode.name
    motion(
        robot,
        "motion_after_recovery",
        lambda m: robot.control_joint_position(m, **UNLIMITED),
        joint_positions,
    )


def main(address: str) -> None:
    """Runs all steps."""
    with step("connect") as result:
        panda = panda_py.Panda(address)
        robot = panda.get_robot()
        state = robot.read_once()
        result["version"] = robot.server_version()
        result["q"], result["mode"] = list(state.q), state.robot_mode.name
        result["m_ee"] = state.m_ee
        low = np.array(state.q)
    model(panda)
    setters(robot)
    callbacks(robot)
    panda_motions(panda)
    panda_controllers(panda)
    teaching(panda)
    gripper(address)
    reflexes(panda, low)


if __name__ == "__main__":
    main(sys.argv[1])
