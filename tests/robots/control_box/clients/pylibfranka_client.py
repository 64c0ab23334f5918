"""Everything that pylibfranka offers, on an FR3: ``python pylibfranka_client.py ADDRESS``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pylibfranka as franka
from steps import DURATION_S, HOLD_S, bump, smooth, smooth_rate, step

CUBE = (0.7, 0.0, 0.025)
"""Where the hand grasps the cube of the tabletop, in the base frame [m]."""

JOINT_IMPEDANCE = franka.ControllerMode.JointImpedance
CARTESIAN_IMPEDANCE = franka.ControllerMode.CartesianImpedance

Command = Callable[[float, franka.RobotState], object]
"""The command at a time after the start [s], for the state at the start."""


def run(control: franka.ActiveControlBase, command: Command) -> franka.RobotState:
    """Runs a motion until its end; returns the last state."""
    start, elapsed = None, -HOLD_S
    while True:
        state, period = control.readOnce()
        if start is None:
            start = state
        else:
            elapsed += period.to_sec()
        message = command(max(elapsed, 0.0), start)
        message.motion_finished = elapsed >= DURATION_S
        control.writeOnce(message)
        if message.motion_finished:
            return state


def joint_positions(elapsed: float, start: franka.RobotState) -> object:
    q = list(start.q_d)
    q[6] += 0.2 * smooth(elapsed)
    return franka.JointPositions(q)


def translation(x: float, y: float, z: float) -> Command:
    """Returns the command of a straight motion of the end effector [m]."""

    def command(elapsed: float, start: franka.RobotState) -> object:
        pose = list(start.O_T_EE_d)
        for i, offset in enumerate((x, y, z)):
            pose[12 + i] += offset * smooth(elapsed)
        return franka.CartesianPose(pose)

    return command


def joint_velocities(elapsed: float, start: franka.RobotState) -> object:
    return franka.JointVelocities([0.0] * 6 + [-0.2 * smooth_rate(elapsed)])


def cartesian_velocities(elapsed: float, start: franka.RobotState) -> object:
    return franka.CartesianVelocities([0.0, 0.0, -0.03 * smooth_rate(elapsed), 0.0, 0.0, 0.0])


def torques(elapsed: float, start: franka.RobotState) -> object:
    return franka.Torques([0.0] * 6 + [0.5 * bump(elapsed)])


def jump(elapsed: float, start: franka.RobotState) -> object:
    q = list(start.q_d)
    q[6] += 0.3 if elapsed > 0.05 else 0.0
    return franka.JointPositions(q)


def press(elapsed: float, start: franka.RobotState) -> object:
    return franka.CartesianVelocities([0.0, 0.0, -0.12 * smooth(elapsed), 0.0, 0.0, 0.0])


def motion(robot: franka.Robot, name: str, start: Callable[[], object], command: Command) -> None:
    with step(name) as result:
        before = robot.read_once()
        last = run(start(), command)
        after = robot.read_once()
        result["joint_7"] = after.q[6] - before.q[6]
        result["height"] = after.O_T_EE[14] - before.O_T_EE[14]
        result["success_rate"] = last.control_command_success_rate
        result["mode"] = after.robot_mode.name


def asynchronous(robot: franka.Robot) -> None:
    handler_type = franka.AsyncPositionControlHandler
    with step("asynchronous") as result:
        before = list(robot.read_once().q)
        configuration = handler_type.Configuration([0.5] * 7, 0.001)
        handler = handler_type.configure(robot, configuration).handler
        target = [*before[:6], before[6] + 0.2]
        end = time.monotonic() + 2.0
        while time.monotonic() < end:  # as the official example: a target every 20 ms
            handler.get_target_feedback()
            sent = handler.set_joint_position_target(handler_type.JointPositionTarget(target))
            if not sent.was_successful:
                raise RuntimeError(sent.error_message)
            time.sleep(0.02)
        handler.stop_control()
        result["joint_7"] = robot.read_once().q[6] - before[6]


def model(robot: franka.Robot) -> None:
    with step("model") as result:
        state, dynamics = robot.read_once(), robot.load_model()
        result["q"] = list(state.q)
        result["mass"] = list(dynamics.mass(state))
        result["gravity"] = list(dynamics.gravity(state))
        result["jacobian"] = list(dynamics.zero_jacobian(state))


def setters(robot: franka.Robot) -> None:
    identity = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    with step("setters") as result:
        robot.set_collision_behavior([20.0] * 7, [40.0] * 7, [20.0] * 6, [40.0] * 6)
        robot.set_joint_impedance([3000.0, 3000, 3000, 2500, 2500, 2000, 2000])
        robot.set_cartesian_impedance([3000.0, 3000, 3000, 300, 300, 300])
        robot.set_load(0.5, [0.0, 0.0, 0.05], [0.001, 0, 0, 0, 0.001, 0, 0, 0, 0.001])
        result["m_load"] = robot.read_once().m_load
        robot.set_load(0.0, [0.0] * 3, [0.0] * 9)
        robot.set_K([*identity[:14], 0.05, 1.0])
        result["EE_T_K"] = list(robot.read_once().EE_T_K)
        robot.set_K(identity)
        robot.set_EE(identity)
    with step("refused_setter"):
        robot.set_joint_impedance([-1.0] * 7)


def gripper(robot: franka.Robot, address: str) -> None:
    with step("gripper") as result:
        hand = franka.Gripper(address)
        result["version"] = hand.server_version()
        result["homing"] = hand.homing()
        result["max_width"] = hand.read_once().max_width
        result["opened"] = hand.move(0.075, 0.2)
    with step("grasp") as result:
        x, y, z = robot.read_once().O_T_EE[12:15]
        for offset in ((CUBE[0] - x, CUBE[1] - y, 0.07 - z), (0.0, 0.0, CUBE[2] - 0.07)):
            run(robot.start_cartesian_pose_control(JOINT_IMPEDANCE), translation(*offset))
        result["grasped"] = hand.grasp(0.04, 0.1, 30.0, 0.02, 0.02)
        run(robot.start_cartesian_pose_control(JOINT_IMPEDANCE), translation(0.0, 0.0, 0.1))
        state = hand.read_once()
        result["is_grasped"], result["width"] = state.is_grasped, state.width
        result["stopped"] = hand.stop()
        result["released"] = hand.move(0.08, 0.2)


def reflexes(robot: franka.Robot) -> None:
    with step("jump"):
        run(robot.start_joint_position_control(JOINT_IMPEDANCE), jump)
    with step("after_jump") as result:
        state = robot.read_once()
        result["mode"] = state.robot_mode.name
        result["in_current"] = state.current_errors.joint_motion_generator_velocity_limits_violation
    with step("refused_motion"):
        robot.start_torque_control()
    with step("recovery") as result:
        robot.automatic_error_recovery()
        result["mode"] = robot.read_once().robot_mode.name
    with step("press"):
        robot.set_collision_behavior([40.0] * 7, [40.0] * 7, [20.0] * 6, [20.0] * 6)
        press_until_reflex(robot.start_cartesian_velocity_control(CARTESIAN_IMPEDANCE))
    with step("second_recovery") as result:
        robot.automatic_error_recovery()
        result["mode"] = robot.read_once().robot_mode.name
    motion(
        robot,
        "motion_after_recovery",
        lambda: robot.start_joint_position_control(JOINT_IMPEDANCE),
        joint_positions,
    )


def press_until_reflex(control: franka.ActiveControlBase) -> None:
    """Moves down to the table and presses on."""
    elapsed = 0.0
    while elapsed < 5.0:
        state, period = control.readOnce()
        elapsed += period.to_sec()
        control.writeOnce(press(elapsed, state))
    raise TimeoutError("no reflex within 5 s")


def main(address: str) -> None:
    """Runs all steps."""
    with step("connect") as result:
        robot = franka.Robot(address, franka.RealtimeConfig.kIgnore)
        state = robot.read_once()
        result["q"], result["mode"] = list(state.q), state.robot_mode.name
        result["m_ee"] = state.m_ee
    model(robot)
    setters(robot)
    for name, start, command in (
        ("joint_position", robot.start_joint_position_control, joint_positions),
        ("joint_velocity", robot.start_joint_velocity_control, joint_velocities),
        ("cartesian_pose", robot.start_cartesian_pose_control, translation(0, 0, 0.03)),
        ("cartesian_velocity", robot.start_cartesian_velocity_control, cartesian_velocities),
    ):
        for controller in (JOINT_IMPEDANCE, CARTESIAN_IMPEDANCE):
            full = f"{name}_{controller.name}"
            motion(robot, full, lambda s=start, c=controller: s(c), command)
    motion(robot, "torque", robot.start_torque_control, torques)
    asynchronous(robot)
    gripper(robot, address)
    reflexes(robot)


if __name__ == "__main__":
    main(sys.argv[1])
