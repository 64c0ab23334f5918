"""Every kind of motion that franky offers, on an FR3: ``python franky_client.py ADDRESS``."""

from __future__ import annotations

import sys
import time

import franky
import numpy as np
from steps import step

SPEED = 0.15
"""Relative dynamics factor. Beyond 0.2 the motions break the limits of acceleration of an FR3,
because this version of franky has those of the Panda."""

TURN = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2])
"""A turn of the last joint [rad]."""

DOWN = franky.Affine([0.0, 0.0, 0.05])
"""In the end effector's frame, whose z axis points down."""


def motion(robot: franky.Robot, name: str, *motions: franky.Motion) -> None:
    """Runs motions one after the other; reports displacement and the mode at the end."""
    with step(name) as result:
        before, height = robot.current_joint_positions, robot.current_pose.end_effector_pose
        for each in motions:
            robot.move(each)
        after = robot.current_joint_positions
        result["joint_7"] = after[6] - before[6]
        result["height"] = (
            robot.current_pose.end_effector_pose.translation[2] - height.translation[2]
        )
        result["mode"] = robot.state.robot_mode.name


def joint_motions(robot: franky.Robot) -> None:
    q = np.array(robot.current_joint_positions)
    turned = q + TURN
    motion(robot, "joint_position", franky.JointMotion(turned))
    motion(
        robot,
        "joint_waypoints",
        franky.JointWaypointMotion([franky.JointWaypoint(q), franky.JointWaypoint(turned)]),
    )
    motion(
        robot,
        "joint_velocity",
        franky.JointVelocityMotion([0, 0, 0, 0, 0, 0, -0.2], duration=franky.Duration(1000)),
        franky.JointVelocityStopMotion(),
    )


def cartesian_motions(robot: franky.Robot) -> None:
    up = franky.Affine([0.0, 0.0, -0.05])
    relative = franky.ReferenceType.Relative
    motion(robot, "cartesian_pose", franky.CartesianMotion(up, relative))
    motion(
        robot,
        "cartesian_waypoints",
        franky.CartesianWaypointMotion(
            [franky.CartesianWaypoint(DOWN, relative), franky.CartesianWaypoint(up, relative)]
        ),
    )
    motion(
        robot,
        "cartesian_velocity",
        franky.CartesianVelocityMotion(
            franky.Twist([0.0, 0.0, -0.05], [0.0, 0.0, 0.0]), duration=franky.Duration(600)
        ),
        franky.CartesianVelocityStopMotion(),
    )


def trackers(robot: franky.Robot) -> None:
    with step("joint_impedance_tracker") as result:
        tracker = franky.JointImpedanceTracker(
            robot,
            stiffness=np.array([600.0, 600, 600, 600, 250, 150, 50]),
            compensate_coriolis=False,
            period=0.005,
        )
        start = np.array(robot.current_joint_positions)
        target = start.copy()
        while tracker.tick() and tracker.elapsed_time < 1.0:
            target[6] = start[6] + 0.1 - 0.1 * np.cos(np.pi * tracker.elapsed_time)
            tracker.set_target(target, np.zeros(7))
        result["joint_7"] = robot.current_joint_positions[6] - start[6]
        result["success_rate"] = robot.state.control_command_success_rate
        tracker.stop(franky.TorqueStopMotion())
        result["mode"] = robot.state.robot_mode.name
    with step("cartesian_impedance_tracker") as result:
        tracker = franky.CartesianImpedanceTracker(
            robot, translational_stiffness=800.0, period=0.005
        )
        start = robot.current_pose.end_effector_pose
        while tracker.tick() and tracker.elapsed_time < 1.0:
            up = 0.025 - 0.025 * np.cos(np.pi * tracker.elapsed_time)
            tracker.set_target(
                franky.Affine(start.translation + np.array([0, 0, up]), start.quaternion)
            )
        height = robot.current_pose.end_effector_pose.translation[2]
        result["height"] = height - start.translation[2]
        tracker.stop(franky.TorqueStopMotion())
        result["mode"] = robot.state.robot_mode.name


def gripper(address: str) -> None:
    with step("gripper") as result:
        hand = franky.Gripper(address)
        result["version"] = hand.server_version
        result["homing"] = hand.homing()
        result["max_width"] = hand.max_width
        result["moved"] = hand.move(0.03, 0.1)
        result["width"] = hand.width
    with step("gripper_stop") as result:
        running = hand.move_async(0.08, 0.02)
        time.sleep(0.3)
        result["stopped"] = hand.stop()
        try:
            result["move"] = running.wait(2.0) and running.get()
        except franky.CommandException as error:
            result["aborted"] = str(error)
        result["width"] = hand.width


def reflexes(robot: franky.Robot) -> None:
    with step("press"):
        robot.set_collision_behavior(40.0, 20.0)
        pressing = franky.CartesianVelocityMotion(
            franky.Twist([0.0, 0.0, -0.1], [0.0, 0.0, 0.0]), duration=franky.Duration(4000)
        )
        robot.move(pressing)
    with step("after_press") as result:
        result["mode"], result["has_errors"] = robot.state.robot_mode.name, robot.has_errors
    with step("recovery") as result:
        result["recovered"] = robot.recover_from_errors()
        result["mode"], result["has_errors"] = robot.state.robot_mode.name, robot.has_errors


def main(address: str) -> None:
    """Runs all steps."""
    with step("connect") as result:
        robot = franky.Robot(address, realtime_config=franky.RealtimeConfig.Ignore)
        robot.relative_dynamics_factor = SPEED
        state = robot.state
        result["q"], result["mode"] = list(state.q), state.robot_mode.name
    with step("setters") as result:
        robot.set_collision_behavior(60.0, 60.0)
        robot.set_joint_impedance([3000.0] * 4 + [2500.0] * 2 + [2000.0])
        robot.set_load(0.2, [0.0, 0.0, 0.03], np.diag([1e-3] * 3).ravel().tolist())
        result["m_load"] = robot.state.m_load
        robot.set_load(0.0, [0.0] * 3, [0.0] * 9)
    joint_motions(robot)
    cartesian_motions(robot)
    trackers(robot)
    gripper(address)
    reflexes(robot)
    turned = np.array(robot.current_joint_positions) + TURN
    motion(robot, "motion_after_recovery", franky.JointMotion(turned))


if __name__ == "__main__":
    main(sys.argv[1])
