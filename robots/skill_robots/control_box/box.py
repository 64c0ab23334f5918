"""A control box without a clock: the robot, its services, and counts of events."""

from __future__ import annotations

import logging
from collections import Counter
from typing import NamedTuple

from skill_robots.control_box.config import RobotConfig
from skill_robots.control_box.counters import Answers
from skill_robots.control_box.model.chain import arm_chain
from skill_robots.control_box.model.model_library import ModelLibraryError, fer_model_library
from skill_robots.control_box.model.urdf import robot_urdf
from skill_robots.control_box.robot import Robot
from skill_robots.control_box.wire.gripper_service import GripperService
from skill_robots.control_box.wire.poller import Poller
from skill_robots.control_box.wire.protocol import ErrorBit, Request
from skill_robots.control_box.wire.robot_service import RobotService
from skill_robots.franka.model import franka_spec
from skill_robots.franka.robot_mode import RobotMode

_log = logging.getLogger(__name__)


class Snapshot(NamedTuple):
    """The control box at one instant, for a status line."""

    client: str
    """IP address of the robot's client; "" without one."""
    gripper_client: str
    """IP address of the gripper's client; "" without one."""
    mode: str
    """Robot mode, and the modes of generator and controller while a motion runs."""
    success_rate: float
    """Answered share of the last 100 states; 0 if no motion runs."""
    last_reflex: str
    """Names of the errors of the last reflex; "" before the first one."""


class ControlBox:
    """The robot and its two services.

    Attributes:
        robot: The robot.
        answers: Answered states.
        reflexes: Reflexes so far, by the names of their errors.
        user_stop: Whether the user stop is pressed; :meth:`advance` passes a change to the robot.
    """

    def __init__(self, config: RobotConfig, address: str) -> None:
        """Makes the robot and binds both ports.

        Args:
            config: The robot and its surroundings.
            address: IP address to bind.

        Raises:
            AddressInUseError: a port cannot be bound.
        """
        self.config = config
        self.robot = Robot(config)
        self.answers = Answers()
        self.reflexes: Counter[str] = Counter()
        self.user_stop = False
        self._user_stop_is_pressed = False
        self._last_reflex = ""
        self._mode = self.robot.state.robot_mode
        self._poller = Poller()
        self.robot_service = RobotService(
            self.robot, config.protocol, self._poller, address, client_models(config)
        )
        try:
            self.gripper_service = GripperService(self.robot.hand, self._poller, address)
        except OSError:
            self.robot_service.close()
            raise

    def advance(self) -> None:
        """Executes one cycle: command, one millisecond of the robot, requests, state."""
        service, robot = self.robot_service, self.robot
        if self.user_stop != self._user_stop_is_pressed:
            self._set_user_stop()
        expected = service.awaits_commands
        command = service.receive_command()
        self.answers.count(expected=expected, came=command is not None)
        robot.cycle(command)
        self._poller.poll()
        service.serve()
        self.gripper_service.serve()
        if robot.state.robot_mode != self._mode:
            self._mode_changed()

    def send(self) -> None:
        """Sends the states of robot and gripper to their clients."""
        self.robot_service.send_state()
        self.gripper_service.send_state(self.robot.state.message_id)

    def snapshot(self) -> Snapshot:
        """Returns the present clients, modes and last reflex."""
        state = self.robot.state
        mode = state.robot_mode.name
        if state.robot_mode == RobotMode.MOVE:
            mode += f" ({state.motion_generator_mode.name}, {state.controller_mode.name})"
        return Snapshot(
            client=self.robot_service.server.peer,
            gripper_client=self.gripper_service.server.peer,
            mode=mode,
            success_rate=state.control_command_success_rate,
            last_reflex=self._last_reflex,
        )

    def close(self) -> None:
        """Closes connections and ports."""
        self.robot_service.close()
        self.gripper_service.close()
        self._poller.close()

    def _set_user_stop(self) -> None:
        self._user_stop_is_pressed = self.user_stop
        if self.user_stop:
            self.robot.press_user_stop()
        else:
            self.robot.release_user_stop()
        _log.info("robot: user stop %s", "pressed" if self.user_stop else "released")

    def _mode_changed(self) -> None:
        state = self.robot.state
        if state.robot_mode == RobotMode.REFLEX:
            self._last_reflex = ", ".join(
                error.name.lower() for error in ErrorBit if state.reflex_reason >> error & 1
            )
            self.reflexes[self._last_reflex] += 1
            _log.info("robot: reflex: %s", self._last_reflex)
        self._mode = state.robot_mode


def client_models(config: RobotConfig) -> dict[Request, bytes]:
    """Returns the models that clients of the protocol download.

    Without a C compiler the Panda's model library is missing, with a line in the log: clients that
    ask for it get an error.
    """
    chain = arm_chain(franka_spec(config.robot).compile())
    if Request.GET_ROBOT_MODEL in config.protocol.requests.values():
        return {Request.GET_ROBOT_MODEL: robot_urdf(chain, config.spec).encode()}
    try:
        return {Request.LOAD_MODEL_LIBRARY: fer_model_library(chain)}
    except ModelLibraryError as error:
        _log.warning("LoadModelLibrary is refused: %s", error)
        return {}
