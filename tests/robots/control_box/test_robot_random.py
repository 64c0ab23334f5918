"""Random requests, commands, losses and buttons: the invariants of every cycle."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.box_client import GENERATORS, command, request, torque_request

from skill_robots.control_box.config import RobotConfig, robot_config
from skill_robots.control_box.generators.joint_limits import JOINT_GENERATOR_ERRORS, JointLimits
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.wire.protocol import (
    ControllerMode,
    GeneratorMode,
    MoveStatus,
)
from skill_robots.control_box.wire.robot_command import RobotCommand
from skill_robots.franka.model import FrankaRobot
from skill_robots.franka.robot_mode import RobotMode

CYCLES = 6000


class RandomClient:
    """Starts motions, follows smooth profiles, and does something wrong now and then."""

    def __init__(self, robot: Robot, seed: int) -> None:
        self._robot = robot
        self._rng = np.random.default_rng(seed)
        self._cycle = 0
        self._silent = 0
        self.started = 0
        self.kinds: set[str] = set()

    def act(self) -> RobotCommand | None:
        """Sends requests, and returns the command of this cycle."""
        robot, rng = self._robot, self._rng
        if rng.random() < 0.02:
            self._do_something_else()
        if robot.state.robot_mode == RobotMode.IDLE and rng.random() < 0.05:
            self._start()
        self._cycle += 1
        if self._silent > 0:
            self._silent -= 1
            return None
        if rng.random() < 0.002:
            self._silent = int(rng.integers(1, 30))
        return self._command()

    def _start(self) -> None:
        robot, rng = self._robot, self._rng
        if rng.random() < 0.3:
            asked = torque_request(robot)
        elif rng.random() < 0.1 and robot.config.protocol.has_torque_finished:
            asked = request(GeneratorMode.JOINT_POSITION, use_async=True, max_velocities=(0.5,) * 7)
        else:
            controller = ControllerMode(int(rng.integers(0, 3)))
            asked = request(GENERATORS[int(rng.integers(0, 4))], controller)
        if robot.start_move(asked) is MoveStatus.MOTION_STARTED:
            self.started += 1
            self._cycle = 0
            self._joints = robot.state.q_d.copy()
            self._pose = robot.state.o_t_ee_d.copy()

    def _command(self) -> RobotCommand:
        robot, rng = self._robot, self._rng
        if robot.state.robot_mode != RobotMode.MOVE:
            return command(robot)
        way = 0.05 * (1.0 - np.cos(self._cycle * 2e-3))
        rate = 0.1 * np.sin(self._cycle * 2e-3)
        pose = self._pose.copy()
        pose[12] += 0.2 * way
        jump = 0.5 if rng.random() < 0.001 else 0.0
        return command(
            robot,
            q=self._joints + way + jump,
            dq=np.full(7, rate + jump),
            pose=pose,
            twist=[0.2 * rate + jump, 0, 0, 0, 0, 0],
            tau=np.clip(robot.state.tau_j_d - 0.2 * robot.state.dq, -5.0, 5.0) + 5.0 * jump,
            finished=bool(rng.random() < 0.0005),
        )

    def _do_something_else(self) -> None:
        robot = self._robot
        actions = (
            robot.stop_move,
            robot.recover,
            robot.connection_lost,
            robot.recover,
            robot.recover,
            robot.press_user_stop,
            robot.release_user_stop,
            robot.release_user_stop,
            robot.release_user_stop,
            robot.press_guiding_button,
            robot.release_guiding_button,
            robot.release_guiding_button,
            lambda: robot.plant.push(self._rng.uniform(-8.0, 8.0, 7) * (1, 1, 1, 1, 0.2, 0.2, 0)),
            lambda: robot.plant.push([0.0] * 7),
            lambda: robot.plant.push([0.0] * 7),
            lambda: robot.set_joint_impedance(np.full(7, self._rng.uniform(100.0, 5000.0))),
        )
        index = int(self._rng.integers(len(actions)))
        self.kinds.add(str(index))
        actions[index]()


def check_state(robot: Robot, config: RobotConfig) -> None:
    """Checks the invariants of a state."""
    state = robot.state
    assert np.isfinite(state.q).all()
    assert np.isfinite(state.tau_j).all()
    assert np.abs(state.tau_j_d).max() < 1e4
    if state.robot_mode != RobotMode.MOVE:
        assert state.motion_generator_mode == GeneratorMode.IDLE
        assert state.controller_mode == ControllerMode.OTHER
        assert state.control_command_success_rate == 0.0
    if state.robot_mode in (RobotMode.IDLE, RobotMode.MOVE, RobotMode.GUIDING):
        assert state.errors == 0
    if state.robot_mode == RobotMode.REFLEX:
        assert state.errors == state.reflex_reason != 0
    if state.robot_mode == RobotMode.IDLE:
        assert not state.dq_d.any()
    low, high = config.spec.position_low - 0.06, config.spec.position_high + 0.06
    assert (state.q > low).all()
    assert (state.q < high).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["fer", "fr3"])
def test_random_use(name: FrankaRobot, seed: int) -> None:
    config = robot_config(name, scene="none")
    robot = Robot(config)
    client = RandomClient(robot, seed)
    limits = JointLimits(config.spec, config.protocol, JOINT_GENERATOR_ERRORS)
    results: list[MoveStatus] = []
    modes: set[int] = set()
    abandoned = 0
    before = JointMotion.at_rest(config.start)
    for cycle in range(1, CYCLES + 1):
        was_moving = robot.state.robot_mode == RobotMode.MOVE
        follows = was_moving and robot.state.controller_mode == ControllerMode.JOINT_IMPEDANCE
        answer = client.act()
        lost = was_moving and robot.state.robot_mode == RobotMode.REFLEX
        robot.cycle(answer)
        result = robot.take_move_result()
        if result is not None:
            results.append(result)
        abandoned += lost  # after connection_lost nobody gets a result
        check_state(robot, config)
        assert robot.state.message_id == cycle
        modes.add(robot.state.robot_mode)
        state = robot.state
        now = JointMotion(state.q_d.tolist(), state.dq_d.tolist(), state.ddq_d.tolist())
        still_follows = state.robot_mode == RobotMode.MOVE and (
            state.controller_mode == ControllerMode.JOINT_IMPEDANCE
        )
        if follows and still_follows:
            # Whatever the client sends: the set-point keeps the published limits.
            assert limits.broken(before, now) == 0
        before = now
    ended = len(results) + abandoned + (robot.state.robot_mode == RobotMode.MOVE)
    assert ended == client.started
    assert client.started >= 10
    assert len(client.kinds) >= 7
    assert {RobotMode.IDLE, RobotMode.MOVE, RobotMode.REFLEX} <= modes
    assert MoveStatus.REFLEX_ABORTED in results
