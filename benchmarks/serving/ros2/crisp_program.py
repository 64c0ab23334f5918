"""crisp_py's own Robot drives skill-ros2; prints one JSON object.

Only the parts of crisp_py that talk to ros2_control and TF are left out: the messages of
controller_manager, ros2_control and tf2 are not on PyPI, and no controller manager runs here.

Usage: crisp_program.py reach X Y Z | crisp_program.py circle RADIUS PERIOD_S SECONDS
"""

# ruff: noqa: ANN401  crisp_py has no types here

# pyright: reportMissingModuleSource=false

from __future__ import annotations

import json
import math
import os
import sys
import time
from types import ModuleType
from typing import Any

JOINTS = [f"panda_joint{i}" for i in range(1, 8)]
HEIGHT = 0.2
"""Height of the circle above the table [m]."""


class Absent:
    """In place of a client of ros2_control."""

    def __init__(self, *_: object, **__: object) -> None: ...


def leave_out(module: str, *names: str) -> ModuleType:
    """Puts a module with classes that do nothing in place of one that cannot be imported."""
    made = sys.modules[module] = ModuleType(module)
    for name in names:
        setattr(made, name, Absent)
    return made


def make_robot() -> Any:
    """Returns crisp_py's robot, connected."""
    from geometry_msgs.msg import TransformStamped

    leave_out("control_msgs")
    leave_out("crisp_py.control.controller_switcher", "ControllerSwitcherClient")
    leave_out(
        "crisp_py.control.joint_trajectory_controller_client", "JointTrajectoryControllerClient"
    )
    leave_out("crisp_py.utils.tf_pose", "TfPose")
    leave_out("tf2_ros").__dict__["TransformStamped"] = TransformStamped
    # In the environment of ROS alone, see wheels.txt.
    from crisp_py.robot import Robot, RobotConfig  # pyright: ignore[reportMissingImports]

    config = RobotConfig(joint_names=JOINTS, home_config=[0.0] * 7, base_frame="world")
    robot: Any = Robot(robot_config=config)
    robot.wait_until_ready(timeout=60.0)
    return robot


def reach(
    robot: Any,
    place: list[float],
) -> dict[str, object]:
    """Moves the end effector to a place [m], and returns its distance from it [m]."""
    robot.move_to(position=place, speed=0.15)
    ends = time.monotonic() + 30.0
    while (left := math.dist(robot.end_effector_pose.position, place)) > 0.005:
        if time.monotonic() > ends:
            break
        time.sleep(0.05)
    return {"distance_m": left}


def circle(
    robot: Any,
    radius: float,
    period_s: float,
    seconds: float,
) -> dict[str, object]:
    """Draws a circle, and returns time [s], target and end effector [m] of each sample."""
    robot.move_to(position=[radius, 0.0, HEIGHT], speed=0.15)
    time.sleep(1.0)
    began, samples = time.monotonic(), []
    while (at := time.monotonic() - began) < seconds:
        turn = 2.0 * math.pi * at / period_s
        place = [radius * math.cos(turn), radius * math.sin(turn), HEIGHT]
        robot.set_target(position=place)
        samples.append((at, *place, *map(float, robot.end_effector_pose.position)))
        time.sleep(0.01)
    return {"samples": samples}


def main() -> None:
    """Performs the task of the command line, and prints its result as JSON."""
    task, *numbers = sys.argv[1:]
    robot = make_robot()
    values = list(map(float, numbers))
    found = reach(robot, values) if task == "reach" else circle(robot, *values)
    print(json.dumps(found), flush=True)
    robot.shutdown()
    # crisp_py leaves the threads of its executor running, and C++ aborts a process whose
    # interpreter ends before they do.
    os._exit(0)


if __name__ == "__main__":
    main()
