"""Measures the time that one cycle of the simulated robot takes, in a tight loop.

    python -m benchmarks.arms.control_box.cycle

A cycle is one millisecond of the robot: command, limits, physics, reflexes, and the packed state.
Times are those of the processor, without waiting for other programs. Sockets and the wait for the
next millisecond are not part of it. Each mode moves the arm on a sine; ``contact`` presses the
closed hand on the table.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import thread_time

import numpy as np

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt
from benchmarks.lib.report import print_table, write_json
from skill_robots.control_box.config import robot_config
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.settings import default_collision_behavior
from skill_robots.control_box.wire.protocol import ControllerMode, GeneratorMode
from skill_robots.control_box.wire.robot_command import (
    CollisionBehavior,
    Deviation,
    MoveRequest,
    RobotCommand,
)
from skill_robots.franka.specs import PANDA

MODES: dict[str, tuple[GeneratorMode, ControllerMode]] = {
    "joint position": (GeneratorMode.JOINT_POSITION, ControllerMode.JOINT_IMPEDANCE),
    "joint velocity": (GeneratorMode.JOINT_VELOCITY, ControllerMode.JOINT_IMPEDANCE),
    "Cartesian pose": (GeneratorMode.CARTESIAN_POSITION, ControllerMode.JOINT_IMPEDANCE),
    "Cartesian velocity": (GeneratorMode.CARTESIAN_VELOCITY, ControllerMode.JOINT_IMPEDANCE),
    "Cartesian velocity, Cartesian impedance": (
        GeneratorMode.CARTESIAN_VELOCITY,
        ControllerMode.CARTESIAN_IMPEDANCE,
    ),
    "torque": (GeneratorMode.NONE, ControllerMode.EXTERNAL),
    "contact": (GeneratorMode.CARTESIAN_VELOCITY, ControllerMode.JOINT_IMPEDANCE),
}

_WIDE = Deviation(10.0, 3.12, 6.28)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options of the program."""

    cycles: PositiveInt = 5000
    """Cycles of each mode."""
    json: Path | None = None
    """Write the result here."""


def robot_in(mode: str) -> tuple[Robot, Callable[[int], RobotCommand]]:
    """Returns an FR3 in a motion of this mode, and the commands of the motion."""
    low = mode == "contact"
    robot = Robot(
        robot_config("fr3", start=tuple(PANDA.neutral.tolist()), cube_position=(0.1, 0.3))
        if low
        else robot_config("fr3")
    )
    thresholds = vars(default_collision_behavior())
    high = {name: np.full(len(value), 1e3) for name, value in thresholds.items()}
    robot.set_collision_behavior(CollisionBehavior(**high))
    generator, controller = MODES[mode]
    robot.start_move(
        MoveRequest(
            controller_mode=controller,
            generator_mode=generator,
            path_deviation=_WIDE,
            goal_deviation=_WIDE,
        )
    )
    joints, pose = robot.state.q_d.copy(), robot.state.o_t_ee_d.copy()

    def command(cycle: int) -> RobotCommand:
        time = cycle * 1e-3
        way, rate = 0.03 * (1.0 - np.cos(2.0 * time)), 0.06 * np.sin(2.0 * time)
        goal = pose.copy()
        goal[12] += way
        down = -min(0.02 * (1.0 - np.cos(np.pi * time)), 0.04) if low and time < 2.0 else 0.0
        return RobotCommand(
            message_id=robot.state.message_id,
            q_c=joints + way,
            dq_c=np.full(7, rate),
            o_t_ee_c=goal,
            o_dp_ee_c=np.array([0.0 if low else rate, 0.0, down, 0.0, 0.0, 0.0]),
            elbow_c=np.zeros(2),
            valid_elbow=False,
            motion_generation_finished=False,
            tau_j_d=np.full(7, 0.2 * np.sin(2.0 * time)),
            torque_command_finished=False,
        )

    return robot, command


def measure(mode: str, cycles: int) -> tuple[float, float, float]:
    """Returns median, 99th percentile and maximum of the cycle's time [us].

    Raises:
        RuntimeError: the motion ended before the last cycle.
    """
    robot, command = robot_in(mode)
    times: list[float] = []
    gc.collect()
    gc.disable()
    try:
        for cycle in range(cycles):
            answer = command(cycle)
            begin = thread_time()
            robot.cycle(answer)
            robot.state.pack()
            times.append(thread_time() - begin)
    finally:
        gc.enable()
    if robot.state.errors:
        raise RuntimeError(f"{mode}: the robot stopped with errors {robot.state.errors:#x}")
    p50, p99, largest = 1e6 * np.percentile(times, [50, 99, 100])
    return float(p50), float(p99), float(largest)


def main(config: Config) -> None:
    """Prints the table."""
    rows = [[mode, *(f"{value:.0f}" for value in measure(mode, config.cycles))] for mode in MODES]
    headers = ["mode", "p50 us", "p99 us", "max us"]
    print_table(headers, rows)
    write_json(config.json, {"headers": headers, "rows": rows})


if __name__ == "__main__":
    run_program(
        main, Config, prog="python -m benchmarks.arms.control_box.cycle", description=__doc__
    )
