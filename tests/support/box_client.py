"""A client of the simulated robot without sockets: commands for its cycles, and their errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from skill_proto.arrays import Array
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.wire.protocol import (
    ControllerMode,
    ErrorBit,
    GeneratorMode,
    MoveStatus,
)
from skill_robots.control_box.wire.robot_command import Deviation, MoveRequest, RobotCommand

WIDE = Deviation(10.0, 3.12, 6.28)
"""Deviations that libfranka sends."""

Numbers = Sequence[float] | Array

GENERATORS = (
    GeneratorMode.JOINT_POSITION,
    GeneratorMode.JOINT_VELOCITY,
    GeneratorMode.CARTESIAN_POSITION,
    GeneratorMode.CARTESIAN_VELOCITY,
)


def request(
    generator: GeneratorMode,
    controller: ControllerMode = ControllerMode.JOINT_IMPEDANCE,
    *,
    use_async: bool = False,
    max_velocities: tuple[float, ...] = (0.0,) * 7,
) -> MoveRequest:
    """Returns a Move request with libfranka's deviations."""
    return MoveRequest(
        controller_mode=controller,
        generator_mode=generator,
        path_deviation=WIDE,
        goal_deviation=WIDE,
        use_async=use_async,
        max_velocities=max_velocities,
    )


def torque_request(robot: Robot) -> MoveRequest:
    """Returns the request for torque control, as the clients of each version send it."""
    return request(
        GeneratorMode.NONE
        if robot.config.protocol.has_torque_finished
        else GeneratorMode.JOINT_VELOCITY,
        ControllerMode.EXTERNAL,
    )


def command(
    robot: Robot,
    *,
    q: Numbers = (0.0,) * 7,
    dq: Numbers = (0.0,) * 7,
    pose: Numbers = (0.0,) * 16,
    twist: Numbers = (0.0,) * 6,
    tau: Numbers = (0.0,) * 7,
    elbow: Numbers | None = None,
    finished: bool = False,
) -> RobotCommand:
    """Returns the answer to the robot's present state."""
    return RobotCommand(
        message_id=robot.state.message_id,
        q_c=np.array(q, float),
        dq_c=np.array(dq, float),
        o_t_ee_c=np.array(pose, float),
        o_dp_ee_c=np.array(twist, float),
        elbow_c=np.zeros(2) if elbow is None else np.array(elbow, float),
        valid_elbow=elbow is not None,
        motion_generation_finished=finished,
        tau_j_d=np.array(tau, float),
        torque_command_finished=finished and robot.config.protocol.has_torque_finished,
    )


def errors(robot: Robot) -> set[ErrorBit]:
    """Returns the errors of the present state."""
    return {error for error in ErrorBit if robot.state.errors >> error & 1}


def run(
    robot: Robot, cycles: int, answer: Callable[[int], RobotCommand | None] | None = None
) -> MoveStatus | None:
    """Runs cycles until a motion ends.

    Args:
        robot: the robot.
        cycles: at most so many.
        answer: gives the command of each cycle; without it no command arrives.

    Returns:
        The status of the motion that ended, None if none ended.
    """
    for cycle in range(cycles):
        robot.cycle(None if answer is None else answer(cycle))
        result = robot.take_move_result()
        if result is not None:
            return result
    return None


def settle(robot: Robot, cycles: int = 1000) -> None:
    """Runs cycles without a client."""
    for _ in range(cycles):
        robot.cycle()


def ramp(cycle: int, *, acceleration: float, jerk: float, speed: float) -> float:
    """Returns the velocity ``cycle + 1`` ms after the begin of a jerk-limited ramp from rest.

    Sum of the discrete accelerations ``min(jerk t, acceleration)``, cut off at ``speed``; both
    numbers are kept by the differences of consecutive velocities.
    """
    times = 1e-3 * np.arange(1, cycle + 2)
    velocity = 1e-3 * float(np.minimum(jerk * times, acceleration).sum())
    return min(velocity, speed)
