"""The robot's service: requests on TCP port 1337, states and commands over UDP."""

from __future__ import annotations

import logging
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from skill_robots.control_box.wire import robot_command as parse
from skill_robots.control_box.wire.poller import Poller
from skill_robots.control_box.wire.protocol import (
    ROBOT_PORT,
    MoveStatus,
    Protocol,
    Request,
    SetterStatus,
)
from skill_robots.control_box.wire.request_server import Port, RequestServer
from skill_robots.control_box.wire.robot_command import MalformedMessageError, RobotCommand
from skill_robots.franka.robot_mode import RobotMode

if TYPE_CHECKING:
    from skill_robots.control_box.robot import Robot

DATAGRAMS_PER_CYCLE = 20
"""Datagrams that one cycle reads at most, against floods."""

_MODEL_FAILED = 1
_NO_VIRTUAL_WALL = bytes(8 * 3 + 8 * 16 + 1)
"""Size, frame and activation of a virtual wall that does not exist."""

_log = logging.getLogger(__name__)


class RobotService:
    """Gives a :class:`Robot` to one client.

    Each cycle of the control box calls :meth:`receive_command`, ``robot.cycle``, :meth:`serve` and
    :meth:`send_state`, in this order.

    A setter or a Move with a malformed payload is answered as an invalid argument; a request with
    an unknown id ends the connection. libfranka sends neither, so both are guesses.

    Attributes:
        server: The TCP port.
        late: Commands that answered an older state; they count as lost.
        malformed: Commands of a wrong size or with numbers that are not finite.
        requests: Requests so far, by name.
    """

    def __init__(
        self,
        robot: Robot,
        protocol: Protocol,
        poller: Poller,
        address: str,
        models: Mapping[Request, bytes],
    ) -> None:
        """Binds the port.

        Args:
            robot: The robot.
            protocol: Version to speak.
            poller: Poller of the control box.
            address: IP address to bind.
            models: Replies to GET_ROBOT_MODEL or LOAD_MODEL_LIBRARY; a missing one is refused.

        Raises:
            AddressInUseError: the port cannot be bound.
        """
        port = Port(
            name="robot",
            number=ROBOT_PORT,
            version=protocol.version,
            header=struct.Struct("<III"),
            connected=struct.Struct("<BH"),
        )
        self.server = RequestServer(port, self, poller, address)
        self.late = 0
        self.malformed = 0
        self.requests: Counter[str] = Counter()
        self._robot = robot
        self._protocol = protocol
        self._models = models
        self._move: tuple[int, int] | None = None
        self._recovery: tuple[int, int] | None = None
        self._is_async = False
        self._is_ending = False
        self._newest_command = 0
        self._handlers = self._make_handlers()

    @property
    def awaits_commands(self) -> bool:
        """Whether each state must be answered.

        A motion runs that is not asynchronous, and neither side has ended it.
        """
        return (
            self._move is not None
            and not self._is_async
            and not self._is_ending
            and self._robot.state.robot_mode == RobotMode.MOVE
        )

    def receive_command(self) -> RobotCommand | None:
        """Returns the answer to the last state; None if it is missing, late or malformed.

        An asynchronous motion has rare targets and no deadline, so there the newest command counts
        whichever state it answers. The rule of a real robot for these is unknown.
        """
        stream = self.server.stream
        if stream is None:
            return None
        for _ in range(DATAGRAMS_PER_CYCLE):
            datagram = stream.receive()
            if datagram is None:
                return None
            try:
                command = parse.parse_command(datagram, self._protocol)
            except MalformedMessageError as error:
                self.malformed += 1
                _log.warning("robot: a command is ignored: %s", error)
                continue
            if self._is_in_time(command.message_id):
                return self._accept(command)
            self.late += 1
        return None

    def _accept(self, command: RobotCommand) -> RobotCommand:
        self._newest_command = command.message_id
        if command.motion_generation_finished or command.torque_command_finished:
            self._is_ending = True
            if self._is_async:
                # libfranka ends an asynchronous motion with joint positions of zero.
                return command._replace(q_c=self._robot.state.q_d)
        return command

    def _is_in_time(self, message_id: int) -> bool:
        last_sent = self._robot.state.message_id
        if self._is_async:
            return self._newest_command <= message_id <= last_sent
        return message_id == last_sent

    def serve(self) -> None:
        """Answers requests, and replies if a motion or a recovery has ended in this cycle."""
        moved = self._robot.take_move_result()
        if moved is not None and self._move is not None:
            command, command_id = self._move
            self._end_move()
            self.server.reply(command, command_id, bytes([self._protocol.move_codes[moved]]))
        recovered = self._robot.take_recovery_result()
        if recovered is not None and self._recovery is not None:
            command, command_id = self._recovery
            self._recovery = None
            code = self._protocol.recovery_codes[recovered]
            self.server.reply(command, command_id, bytes([code]))
        self.server.serve()

    def send_state(self) -> None:
        """Sends the state of the robot to the client, and then the replies of this cycle."""
        if self.server.stream is not None:
            self.server.stream.send(self._robot.state.pack())
        self.server.flush()

    def request(self, command: int, command_id: int, payload: bytes) -> None:
        """Handles one request."""
        request = self._protocol.requests.get(command)
        if request is None:
            self.server.drop(f"version {self._protocol.version} has no request {command}")
            return
        self.requests[request.name.lower()] += 1
        if request is Request.MOVE:
            self._start_move(command, command_id, payload)
        elif request is Request.AUTOMATIC_ERROR_RECOVERY:
            self._recover(command, command_id)
        else:
            self.server.reply(command, command_id, self._handlers[request](payload))

    def disconnected(self) -> None:
        """Informs the robot that the client is gone."""
        self._robot.connection_lost()
        self._end_move()
        self._recovery = None

    def close(self) -> None:
        """Closes port and connection."""
        self.server.close()

    def _start_move(self, command: int, command_id: int, payload: bytes) -> None:
        try:
            move = parse.parse_move(payload, self._protocol)
        except MalformedMessageError as error:
            _log.warning("robot: %s", error)
            status = MoveStatus.INVALID_ARGUMENT
        else:
            status = self._robot.start_move(move)
            if status is MoveStatus.MOTION_STARTED:
                self._move = command, command_id
                self._is_async, self._is_ending = move.use_async, False
                self._newest_command = self._robot.state.message_id
            _log.info(
                "robot: Move with %s%s and %s: %s",
                move.generator_mode.name,
                " (asynchronous)" if move.use_async else "",
                move.controller_mode.name,
                status.name,
            )
        self.server.reply(command, command_id, bytes([self._protocol.move_codes[status]]))

    def _recover(self, command: int, command_id: int) -> None:
        """Replies at once, or later if the recovery takes time."""
        status = self._robot.recover()
        if status is None:
            self._recovery = command, command_id
            return
        self.server.reply(command, command_id, bytes([self._protocol.recovery_codes[status]]))

    def _stop(self, payload: bytes) -> bytes:
        del payload  # a malformed stop still stops
        self._is_ending = True
        return bytes([self._protocol.stop_codes[self._robot.stop_move()]])

    def _end_move(self) -> None:
        self._move = None
        self._is_async = False

    def _make_handlers(self) -> Mapping[Request, Callable[[bytes], bytes]]:
        """Returns a handler for each request that has one reply. It gets the payload."""
        robot, protocol = self._robot, self._protocol

        def setter(call: Callable[[bytes], SetterStatus]) -> Callable[[bytes], bytes]:
            def handle(payload: bytes) -> bytes:
                try:
                    status = call(payload)
                except MalformedMessageError as error:
                    _log.warning("robot: %s", error)
                    status = SetterStatus.INVALID_ARGUMENT
                return bytes([protocol.setter_codes[status]])

            return handle

        def numbers(
            request: Request, count: int, call: Callable[..., SetterStatus]
        ) -> Callable[[bytes], bytes]:
            return setter(lambda data: call(parse.parse_numbers(data, count, request.name)))

        return {
            Request.STOP_MOVE: self._stop,
            Request.GET_CARTESIAN_LIMIT: lambda _: b"\0" + _NO_VIRTUAL_WALL,
            Request.SET_COLLISION_BEHAVIOR: setter(
                lambda data: robot.set_collision_behavior(parse.parse_collision_behavior(data))
            ),
            Request.SET_JOINT_IMPEDANCE: numbers(
                Request.SET_JOINT_IMPEDANCE, 7, robot.set_joint_impedance
            ),
            Request.SET_CARTESIAN_IMPEDANCE: numbers(
                Request.SET_CARTESIAN_IMPEDANCE, 6, robot.set_cartesian_impedance
            ),
            Request.SET_GUIDING_MODE: setter(
                lambda data: robot.set_guiding_mode(*parse.parse_guiding_mode(data))
            ),
            Request.SET_EE_TO_K: numbers(Request.SET_EE_TO_K, 16, robot.set_ee_to_k),
            Request.SET_NE_TO_EE: numbers(Request.SET_NE_TO_EE, 16, robot.set_ne_to_ee),
            Request.SET_LOAD: setter(lambda data: robot.set_load(parse.parse_load(data))),
            Request.SET_FILTERS: numbers(Request.SET_FILTERS, 5, robot.set_filters),
            Request.LOAD_MODEL_LIBRARY: self._model_library,
            Request.GET_ROBOT_MODEL: lambda _: self._model(Request.GET_ROBOT_MODEL),
        }

    def _model_library(self, payload: bytes) -> bytes:
        if payload != _LINUX_X64:
            _log.warning(
                "robot: the client asks for a model library of architecture and system %s; this "
                "control box has one for Linux on x86-64 (0 and 0)",
                list(payload),
            )
            return bytes([_MODEL_FAILED])
        return self._model(Request.LOAD_MODEL_LIBRARY)

    def _model(self, request: Request) -> bytes:
        model = self._models.get(request)
        return bytes([_MODEL_FAILED]) if model is None else b"\0" + model


_LINUX_X64 = bytes([0, 0])
"""Architecture and system of a LoadModelLibrary request."""
