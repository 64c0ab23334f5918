"""The gripper's process, on the control box's hand."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.robots.franka_driver.rig import (
    DEADLINE_S,
    Robot,
    connected,
    control_box,
    until_raised,
    until_readable,
)

from skill_proto.arrays import Array
from skill_robots.arm import ArmCommunicationError, ArmError, JointTarget
from skill_robots.franka_driver.config import DriverConfig
from skill_robots.franka_driver.franka_arm import HAND_SILENT_S, FrankaArm
from skill_robots.franka_driver.hand.hand_driver import STOP_S
from skill_robots.franka_driver.records import HandState
from skill_robots.motion.inverse_kinematics import inverse_kinematics

ROBOTS: tuple[Robot, ...] = ("fer", "fr3")
ADDRESSES = {"fer": "127.13.4.5", "fr3": "127.13.4.10"}

CUBE_M = 0.04
"""Width of the cube, which stands at (0.7, 0) in the base frame."""


class Hand:
    """Commands the gripper of an arm that moves through points, or stays where it is."""

    def __init__(self, arm: FrankaArm) -> None:
        self.arm = arm
        self.position = until_readable(arm).joint_position.copy()
        self._width: float | None = None
        self._grasp = False

    @property
    def state(self) -> HandState:
        """The newest state of the gripper."""
        while (state := self.arm._records.read_hand_state()) is None:
            pass
        return state

    def command(self, *, width: float | None = None, grasp: bool = False) -> None:
        """Sends a goal with a set-point."""
        self._width, self._grasp = width, grasp
        self.wait(0.02)

    def wait(self, seconds: float) -> None:
        """Sends set-points for a time."""
        self.move(self.position, seconds)

    def until(self, condition: Callable[[HandState], bool]) -> HandState:
        """Sends set-points until the gripper's state fulfils a condition."""
        ends = time.monotonic() + DEADLINE_S
        while not condition(self.state):
            assert time.monotonic() < ends, self.state
            self.wait(0.02)
        return self.state

    def move(self, goal: Array, seconds: float) -> None:
        """Moves to joint positions on a smooth path; begins again if the machine was busy."""
        while True:
            try:
                return self._move(goal, seconds)
            except ArmCommunicationError:
                time.sleep(0.2)
                self.position = until_readable(self.arm).joint_position.copy()

    def _move(self, goal: Array, seconds: float) -> None:
        start, period = self.position, self.arm.servo_period_s
        steps = max(1, round(seconds / period))
        due = time.monotonic()
        for k in range(1, steps + 1):
            s = k / steps
            share, rate = s * s * (3 - 2 * s), 6 * s * (1 - s) / seconds
            self.position = start + share * (goal - start)
            velocity = rate * (goal - start)
            self.arm.read()
            self.arm.command(
                JointTarget(
                    position=self.position,
                    velocity=velocity,
                    acceleration=0.0 * velocity,
                    gripper_width=self._width,
                    grasp=self._grasp,
                )
            )
            due += period
            time.sleep(max(0.0, due - time.monotonic()))

    def reach(self, x: float, y: float, z: float, seconds: float = 2.0) -> None:
        """Moves the end effector, pointing down, to a point of the base frame [m]."""
        point = np.array([[x, y, z]])
        self.move(inverse_kinematics(self.arm.spec, point)[0], seconds)


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_newest_goal_wins_and_a_motion_is_stopped_for_it(robot: Robot, tmp_path: Path) -> None:
    with (
        control_box(robot, ADDRESSES[robot], tmp_path, "--scene", "none") as box,
        connected(box) as arm,
    ):
        hand = Hand(arm)
        hand.command(width=0.08)  # .8 s from closed
        hand.until(lambda state: state.width_m > 0.02)
        hand.command(width=0.01)
        assert hand.until(lambda state: not state.is_moving).width_m == pytest.approx(
            0.01, abs=2e-3
        )
        assert arm.read().gripper_width == pytest.approx(0.01, abs=2e-3)
        hand.command(width=0.011)  # too small a change
        hand.wait(0.1)
        assert not hand.state.is_moving
        arm.close()
        requests = box.end()["gripper_requests"]
        assert isinstance(requests, dict)
        assert (requests["move"], requests["stop"]) == (2, 1)


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_cube_is_picked_up_and_goals_that_close_further_do_not_drop_it(
    robot: Robot, tmp_path: Path
) -> None:
    with (
        control_box(robot, ADDRESSES[robot], tmp_path, "--mass", "0.3") as box,
        connected(box) as arm,
    ):
        hand = Hand(arm)
        hand.command(width=0.08)
        hand.reach(0.7, 0.0, 0.12, 3.0)
        hand.until(lambda state: state.width_m > 0.078)
        hand.reach(0.7, 0.0, 0.025)
        hand.command(width=0.02)  # as a policy closes: by width, blocked by the cube
        held = hand.until(lambda state: state.is_grasped)
        assert held.width_m == pytest.approx(CUBE_M, abs=3e-3)
        hand.command(width=0.015)
        hand.command(grasp=True)
        hand.reach(0.7, 0.0, 0.12)
        assert hand.state.is_grasped
        assert hand.state.width_m == pytest.approx(CUBE_M, abs=3e-3)
        hand.command(width=0.08)
        hand.until(lambda state: state.width_m > 0.078 and not state.is_grasped)


def test_a_grasp_without_an_object_holds_nothing(tmp_path: Path) -> None:
    with (
        control_box("fr3", ADDRESSES["fr3"], tmp_path, "--scene", "none") as box,
        connected(box) as arm,
    ):
        hand = Hand(arm)
        hand.command(width=0.03)
        hand.until(lambda state: not state.is_moving and state.width_m > 0.028)
        hand.command(grasp=True)
        hand.until(lambda state: not state.is_moving and state.width_m < 0.01)
        assert not hand.state.is_grasped
        hand.command(width=0.05)
        hand.until(lambda state: state.width_m > 0.048)


def test_a_gripper_process_that_was_killed_is_an_error_and_started_again(tmp_path: Path) -> None:
    with (
        control_box("fer", ADDRESSES["fer"], tmp_path, "--scene", "none") as box,
        connected(box) as arm,
    ):
        hand = Hand(arm)
        hand.command(width=0.05)
        hand.until(lambda state: not state.is_moving and state.width_m > 0.048)
        process = arm._processes._hand
        assert process is not None
        process.kill()
        error = until_raised(arm, ArmError)
        assert "gripper process was ended by SIGKILL; 'clear'" in str(error)
        arm.recover()
        until_readable(arm)
        Hand(arm).wait(0.2)
        assert not hand.state.is_moving  # it does not repeat its last goal
        assert hand.state.width_m == pytest.approx(0.05, abs=2e-3)
        arm.close()
        requests = box.end()["gripper_requests"]
        assert isinstance(requests, dict)
        assert requests["move"] == 1


def test_a_gripper_process_that_hangs_is_ended_and_started_again(tmp_path: Path) -> None:
    with (
        control_box("fr3", ADDRESSES["fr3"], tmp_path, "--scene", "none") as box,
        connected(box) as arm,
    ):
        process = arm._processes._hand
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        error = until_raised(arm, ArmError)
        assert "the gripper sends no states; 'clear'" in str(error)
        arm.recover()
        until_readable(arm)
        assert process.returncode == -signal.SIGKILL
        assert arm._processes.ended is None


def test_a_motion_that_is_stopped_is_no_silence_of_the_gripper() -> None:
    assert STOP_S <= 0.5 * HAND_SILENT_S


def test_a_robot_without_a_gripper_is_served_on_request(tmp_path: Path) -> None:
    with (
        control_box("fr3", ADDRESSES["fr3"], tmp_path, "--scene", "none") as box,
        connected(box, DriverConfig(gripper=False)) as arm,
    ):
        assert arm.read().gripper_width == 0.0
        arm.close()
        assert box.end()["gripper_clients"] == 0
