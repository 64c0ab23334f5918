"""Passes messages from the sockets to authority, dispatcher and policy service, and replies back.

All methods are called from the loop's thread. Reading and writing are bounded in time, and ``act``
requests, which take longer, go to the thread of the policy service.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import zmq
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from skill_proto.messages import COMMAND, Act, Command, Error, ErrorCode, Message, Ok, Stop
from skill_proto.wire import MAX_HEADER_BYTES, WireError, unpack
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.fault_points import FaultPoints
from skill_runtime.realtime.clock import Clock
from skill_runtime.server.policy_service import PolicyService
from skill_runtime.transport.interfaces import RouterSocket, Transport
from skill_runtime.transport.router_reader import Incoming, RouterReader

log = logging.getLogger(__name__)

STOP: TypeAdapter[Stop] = TypeAdapter(Stop)

MAX_PARTS_PER_READ = 512
"""Frames that one call reads from a socket."""

MAX_STOP_BYTES = 4 * MAX_HEADER_BYTES
"""A longer message on the stop socket stops the arm unread: parsing it might outlast a tick."""

MAX_EVENT_LENGTH = 200
"""Characters of a refusal in telemetry's ``last_event``."""


class MessageServer:
    """Receives messages, sends replies, publishes telemetry.

    Args:
        transport: The sockets.
        authority: Executes stops, and counts refusals and faults.
        handle: Returns the reply to a command (``Dispatcher.handle``).
        service: Answers ``act``; None refuses it.
        clock: Server time.
        fault_points: Hooks for fault injection.
    """

    def __init__(
        self,
        transport: Transport,
        authority: Authority,
        handle: Callable[[Command, float], Message],
        service: PolicyService | None,
        clock: Clock,
        fault_points: FaultPoints | None = None,
    ) -> None:
        self._sockets = transport
        self._authority = authority
        self._handle = handle
        self._service = service
        self._clock = clock
        self._fault_points = fault_points
        self._stops = RouterReader(transport.stop)
        self._commands = RouterReader(transport.commands)

    def receive(self, until: float) -> None:
        """Answers waiting messages: stops first, then commands until server time ``until``."""
        if self._fault_points is not None:
            self._fault_points.enter("receive")
        self.receive_stops(until)
        for incoming in self._commands.read(MAX_PARTS_PER_READ, until, self._clock.now):
            reply = self._answer(incoming)
            if reply is not None:
                self._send(self._sockets.commands, incoming.sender, reply)
        self._send_service_replies()

    def receive_stops(self, until: float) -> None:
        """Answers waiting stops, but no commands."""
        for incoming in self._stops.read(MAX_PARTS_PER_READ, until, self._clock.now):
            self._send(self._sockets.stop, incoming.sender, self._answer_stop(incoming))

    def receive_until(self, until: float) -> None:
        """Waits for messages and answers them until server time ``until``."""
        while (left := until - self._clock.now()) >= 1e-3:
            if not self._sockets.wait(int(left * 1e3)):
                return
            self.receive(until)

    def publish(self, frame: bytes) -> None:
        """Sends a telemetry frame to all subscribers; a slow subscriber loses it."""
        self._sockets.telemetry.send(frame, zmq.NOBLOCK)

    # Stop ---------------------------------------------------------------------------------------

    def _answer_stop(self, incoming: Incoming) -> Message:
        try:
            if incoming.problem is not None or _is_large(incoming):
                # The message may be meant as a stop, and other stops may wait behind it.
                problem = incoming.problem or WireError(
                    "too_large", "the message is too long for a stop", ""
                )
                self._authority.stop(f"the stop socket received an unreadable message ({problem})")
                message = f"{problem}; the arm was stopped all the same"
                raise WireError(problem.code, message, 'send {"type": "stop"}')
            message, _ = unpack([frame.bytes for frame in incoming.frames], STOP)
        except WireError as error:
            if not _means_stop(incoming):
                return self._refuse(error.message_id, error.code, str(error), error.fix)
            message = Stop(id=error.message_id, reason="(from a malformed message)")
        self._authority.stop(message.reason)
        log.warning("stop: %s", message.reason or "no reason given")
        return Ok(id=message.id, time=self._clock.now())

    # Commands -----------------------------------------------------------------------------------

    def _answer(self, incoming: Incoming) -> Message | None:
        """Returns the reply, or None if the policy service sends it later."""
        message_id = 0
        try:
            if incoming.problem is not None:
                raise incoming.problem
            if len(incoming.frames) > 1:  # only 'act' has arrays, which take long to read
                return self._to_service(incoming)
            message, _ = unpack([incoming.frames[0].bytes], COMMAND)
            message_id = message.id
            if isinstance(message, Act):
                return self._to_service(incoming)
            now = self._clock.now()
            if self._fault_points is not None:
                self._fault_points.enter("handle")
            return self._handle(message, now)
        except WireError as error:
            return self._refuse(error.message_id, error.code, str(error), error.fix)
        except Refusal as refusal:
            return self._refuse(message_id, refusal.code, refusal.message, refusal.fix)
        except Exception as error:  # a bug of the server: the client must get a reply
            log.exception("internal error")
            self._authority.fault(f"internal error: {error}")
            return self._refuse(
                message_id,
                "internal",
                f"internal server error, and the arm is in mode 'fault': {error}",
                "report it with the server's log; 'clear' ends the fault",
            )

    def _to_service(self, incoming: Incoming) -> Message | None:
        if self._service is None:
            return self._refuse(
                _id_of(incoming),
                "not_supported",
                "this server has no policy service",
                "use a server that skill-serve started",
            )
        if self._service.submit(incoming.sender, incoming.frames):
            return None
        return self._refuse(
            _id_of(incoming),
            "busy",
            "the policy service has too many requests waiting",
            "wait for a reply before sending the next request",
        )

    def _send_service_replies(self) -> None:
        if self._service is None:
            return
        for receiver, error_code, frames in self._service.finished():
            if error_code:
                self._authority.events.count(f"rejected.{error_code}")
            self._send_frames(self._sockets.commands, [receiver, *frames])

    # Replies ------------------------------------------------------------------------------------

    def _refuse(self, message_id: int, code: ErrorCode, message: str, fix: str) -> Error:
        self._authority.events.record_event(
            f"refused: {message}"[:MAX_EVENT_LENGTH], f"rejected.{code}"
        )
        return Error(id=message_id, time=self._clock.now(), code=code, message=message, fix=fix)

    def _send(self, socket: RouterSocket, receiver: bytes, message: Message) -> None:
        self._send_frames(socket, [receiver, message.model_dump_json().encode()])

    def _send_frames(self, socket: RouterSocket, frames: list[bytes]) -> None:
        try:
            socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:  # the receiver has closed, or does not read its messages
            log.debug("a reply was dropped: %s", error)


def _id_of(incoming: Incoming) -> int:
    if len(incoming.frames[0]) > MAX_HEADER_BYTES:
        return 0
    try:
        return COMMAND.validate_json(incoming.frames[0].bytes).id
    except ValidationError:
        return 0


def _is_large(incoming: Incoming) -> bool:
    """Whether parsing the message might outlast a tick."""
    return sum(map(len, incoming.frames)) > MAX_STOP_BYTES


def _means_stop(incoming: Incoming) -> bool:
    """Whether a malformed message is a stop all the same, for example one of another version.

    Every frame is checked, because a REQ socket sends an empty frame first.
    """
    return any(_is_stop(frame.bytes) for frame in incoming.frames)


def _is_stop(frame: bytes) -> bool:
    try:
        header: object = from_json(frame)
    except ValueError:
        return False
    return isinstance(header, dict) and header.get("type") == "stop"
