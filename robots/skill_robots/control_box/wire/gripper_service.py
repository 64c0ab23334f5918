"""The gripper's service: requests on TCP port 1338, states over UDP."""

from __future__ import annotations

import logging
import struct
from collections import Counter, deque
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skill_robots.control_box.wire.poller import Poller
from skill_robots.control_box.wire.protocol import GRIPPER_PORT, GRIPPER_VERSION, GripperStatus
from skill_robots.control_box.wire.request_server import Port, RequestServer

if TYPE_CHECKING:
    from skill_robots.control_box.hand import Hand

STATE_PERIOD_MS = 33
"""Time between two gripper states [ms]. The documents give no rate; about 30 Hz is an
observation of users."""

MAX_WAITING = 8
"""Commands that wait for the end of the running one; a further one fails."""

_PORT = Port(
    name="gripper",
    number=GRIPPER_PORT,
    version=GRIPPER_VERSION,
    header=struct.Struct("<HII"),
    connected=struct.Struct("<HH"),
)
_STATE = struct.Struct("<IddBH")
"""Time [ms], width [m], greatest width [m], whether an object is grasped, temperature."""
_STATUS = struct.Struct("<H")

_log = logging.getLogger(__name__)


class _Request(IntEnum):
    HOMING = 1
    GRASP = 2
    MOVE = 3
    STOP = 4


_NUMBERS = {_Request.HOMING: 0, _Request.GRASP: 5, _Request.MOVE: 2}
"""Numbers in the payload of each motion."""


class _Command(NamedTuple):
    request: _Request
    command_id: int | None
    """None if the client that sent the command is gone."""
    start: Callable[[], None]


class GripperService:
    """Gives a :class:`Hand` to one client.

    Homing, grasp and move are answered when the motion has ended, so the client's call blocks. A
    command that arrives meanwhile waits for the end of the running one: on a real hand a running
    motion cannot be replaced (libfranka issues 18 and 28). Stop ends the running command and those
    that wait, which are answered as aborted. On a real hand a stop has that effect only sometimes
    (libfranka issue 111), and the fate of waiting commands is unknown. A motion outlives the
    connection of its client.

    Attributes:
        server: The TCP port.
        requests: Requests so far, by name.
    """

    def __init__(self, hand: Hand, poller: Poller, address: str) -> None:
        """Binds the port.

        Args:
            hand: The hand; the robot advances it.
            poller: Poller of the control box.
            address: IP address to bind.

        Raises:
            AddressInUseError: the port cannot be bound.
        """
        self.server = RequestServer(_PORT, self, poller, address)
        self.requests: Counter[str] = Counter()
        self._hand = hand
        self._running: _Command | None = None
        self._waiting: deque[_Command] = deque()

    def serve(self) -> None:
        """Answers requests, and the command that ended in this cycle; starts the next one."""
        self.server.serve()
        status = self._hand.take_result()
        if status is None:
            return
        running, self._running = self._running, None
        if running is not None:
            self._reply(running, status)
        if self._waiting:
            self._start(self._waiting.popleft())

    def send_state(self, time_ms: int) -> None:
        """Sends the state of the hand if it is due, and then the replies of this cycle.

        Args:
            time_ms: Time of the robot [ms].
        """
        stream = self.server.stream
        if stream is not None and time_ms % STATE_PERIOD_MS == 0:
            state = self._hand.state
            stream.send(
                _STATE.pack(
                    time_ms & 0xFFFFFFFF,
                    state.width,
                    state.max_width,
                    state.is_grasped,
                    round(state.temperature),
                )
            )
        self.server.flush()

    def request(self, command: int, command_id: int, payload: bytes) -> None:
        """Handles one request."""
        try:
            request = _Request(command)
        except ValueError:
            self.server.drop(f"the gripper has no request {command}")
            return
        self.requests[request.name.lower()] += 1
        if request is _Request.STOP:
            self._stop(command_id)
        else:
            self._move(request, command_id, payload)

    def disconnected(self) -> None:
        """Forgets commands that wait; the running motion goes on without a reply."""
        self._waiting.clear()
        if self._running is not None:
            self._running = self._running._replace(command_id=None)

    def close(self) -> None:
        """Closes port and connection."""
        self.server.close()

    def _move(self, request: _Request, command_id: int, payload: bytes) -> None:
        count = _NUMBERS[request]
        if len(payload) != 8 * count:
            _log.warning(
                "gripper: %s: payload of %d bytes expected, got %d",
                request.name,
                8 * count,
                len(payload),
            )
            self.server.reply(request, command_id, _STATUS.pack(GripperStatus.FAIL))
            return
        numbers = struct.unpack(f"<{count}d", payload)
        if not np.isfinite(numbers).all() or len(self._waiting) >= MAX_WAITING:
            _log.warning("gripper: %s %s is refused", request.name, numbers)
            self.server.reply(request, command_id, _STATUS.pack(GripperStatus.FAIL))
            return
        command = _Command(request, command_id, lambda: self._call(request, numbers))
        if self._running is None:
            self._start(command)
        else:
            self._waiting.append(command)

    def _start(self, command: _Command) -> None:
        self._running = command
        command.start()

    def _call(self, request: _Request, numbers: tuple[float, ...]) -> None:
        if request is _Request.HOMING:
            self._hand.homing()
        elif request is _Request.MOVE:
            self._hand.move(*numbers)
        else:
            self._hand.grasp(*numbers)

    def _stop(self, command_id: int) -> None:
        for command in self._waiting:
            self._reply(command, GripperStatus.ABORTED)
        self._waiting.clear()
        self._hand.stop()
        self.server.reply(_Request.STOP, command_id, _STATUS.pack(GripperStatus.SUCCESS))

    def _reply(self, command: _Command, status: GripperStatus) -> None:
        if command.command_id is not None:
            self.server.reply(command.request, command.command_id, _STATUS.pack(status))
