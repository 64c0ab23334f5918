"""Server: messages from the sockets to the authority and the dispatcher, replies back.

Called from the loop's thread only. Nothing here waits: reading and writing are bounded, and what
takes long (``act``) goes to a thread of its own.
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
from skill_runtime.realtime.clock import Clock
from skill_runtime.server.policy_service import PolicyService
from skill_runtime.transport.ports import Port, Transport
from skill_runtime.transport.router_reader import Incoming, RouterReader

log = logging.getLogger(__name__)

STOP: TypeAdapter[Stop] = TypeAdapter(Stop)

PARTS_AT_ONCE = 512
"""Frames read from a socket before something else has its turn."""

MAX_STOP_BYTES = 4 * MAX_HEADER_BYTES
"""A longer message on the stop socket stops the arm unread: reading it might outlast a tick."""

MAX_EVENT_LENGTH = 200
"""Characters of a refusal that go into telemetry's ``last_event``."""


class MessageServer:
    """Hears and answers.

    Args:
        transport: the sockets.
        authority: takes the stops and keeps count of refusals.
        handle: answers a command (``Dispatcher.handle``).
        service: answers ``act``; None for none.
        clock: server time.
    """

    def __init__(
        self,
        transport: Transport,
        authority: Authority,
        handle: Callable[[Command, float], Message],
        service: PolicyService | None,
        clock: Clock,
    ) -> None:
        self._sockets = transport
        self._authority = authority
        self._handle = handle
        self._service = service
        self._clock = clock
        self._stops = RouterReader(transport.stop)
        self._commands = RouterReader(transport.commands)

    def receive(self, until: float) -> None:
        """Answers what has arrived: stops first, then commands until server time ``until``."""
        self.receive_stops(until)
        for incoming in self._commands.read(PARTS_AT_ONCE, until, self._clock.now):
            reply = self._answer(incoming)
            if reply is not None:
                self._send(self._sockets.commands, incoming.sender, reply)
        self._forward_acted()

    def receive_stops(self, until: float) -> None:
        """Answers the stops alone."""
        for incoming in self._stops.read(PARTS_AT_ONCE, until, self._clock.now):
            self._send(self._sockets.stop, incoming.sender, self._answer_stop(incoming))

    def receive_until(self, until: float) -> None:
        """Spends the time to ``until`` answering whatever comes in."""
        while (left := until - self._clock.now()) >= 1e-3:
            if not self._sockets.wait(int(left * 1e3)):
                return
            self.receive(until)

    def publish(self, frame: bytes) -> None:
        """Sends a telemetry frame to whoever listens; a slow listener misses it."""
        self._sockets.telemetry.send(frame, zmq.NOBLOCK)

    # Stop ---------------------------------------------------------------------------------------

    def _answer_stop(self, incoming: Incoming) -> Message:
        try:
            if incoming.problem is not None or _is_large(incoming):
                # Other stops may be waiting behind it: better one stop too many.
                problem = incoming.problem or WireError("too_large", "too long for a stop", "")
                self._authority.stop(f"the stop socket was sent what is none ({problem})")
                message = f"{problem}; the arm was stopped all the same"
                raise WireError(problem.code, message, 'send {"type": "stop"}')
            message, _ = unpack([frame.bytes for frame in incoming.frames], STOP)
        except WireError as error:
            if not _says_stop(incoming):
                return self._refuse(error.message_id, error.code, str(error), error.fix)
            message = Stop(id=error.message_id, reason="(in a message with faults)")
        self._authority.stop(message.reason)
        log.warning("stop: %s", message.reason or "no reason given")
        return Ok(id=message.id, time=self._clock.now())

    # Commands -----------------------------------------------------------------------------------

    def _answer(self, incoming: Incoming) -> Message | None:
        """The reply, or None where it comes later."""
        message_id = 0
        try:
            if incoming.problem is not None:
                raise incoming.problem
            if len(incoming.frames) > 1:  # only 'act' has arrays, and they take long to read
                return self._to_service(incoming)
            message, _ = unpack([incoming.frames[0].bytes], COMMAND)
            message_id = message.id
            if isinstance(message, Act):
                return self._to_service(incoming)
            return self._handle(message, self._clock.now())
        except WireError as error:
            return self._refuse(error.message_id, error.code, str(error), error.fix)
        except Refusal as refusal:
            return self._refuse(message_id, refusal.code, refusal.message, refusal.fix)
        except Exception as error:  # a fault of ours: whoever asked must hear of it
            log.exception("internal error")
            self._authority.fault(f"internal error: {error}")
            return self._refuse(
                message_id,
                "internal",
                f"the server failed at it, and the arm is at fault: {error}",
                "report it with the server's log; 'clear' takes the fault back",
            )

    def _to_service(self, incoming: Incoming) -> Message | None:
        if self._service is None:
            return self._refuse(
                _id_of(incoming),
                "not_supported",
                "this server has no policy service",
                "ask one that skill-serve started",
            )
        if self._service.submit(incoming.sender, incoming.frames):
            return None
        return self._refuse(
            _id_of(incoming),
            "busy",
            "the policy service has too many requests waiting",
            "wait for a reply before sending the next request",
        )

    def _forward_acted(self) -> None:
        if self._service is None:
            return
        for sender, refused, frames in self._service.finished():
            if refused:
                self._authority.counters[f"rejected.{refused}"] += 1
            self._send_frames(self._sockets.commands, [sender, *frames])

    # Replies ------------------------------------------------------------------------------------

    def _refuse(self, message_id: int, code: ErrorCode, message: str, fix: str) -> Error:
        self._authority.note(f"refused: {message}"[:MAX_EVENT_LENGTH], f"rejected.{code}")
        return Error(id=message_id, time=self._clock.now(), code=code, message=message, fix=fix)

    def _send(self, socket: Port, receiver: bytes, message: Message) -> None:
        self._send_frames(socket, [receiver, message.model_dump_json().encode()])

    def _send_frames(self, socket: Port, frames: list[bytes]) -> None:
        try:
            socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:  # the receiver is gone, or does not read what it is sent
            log.debug("a reply was dropped: %s", error)


def _id_of(incoming: Incoming) -> int:
    if len(incoming.frames[0]) > MAX_HEADER_BYTES:
        return 0
    try:
        return COMMAND.validate_json(incoming.frames[0].bytes).id
    except ValidationError:
        return 0


def _is_large(incoming: Incoming) -> bool:
    """Whether reading it would keep the loop from its work."""
    return sum(map(len, incoming.frames)) > MAX_STOP_BYTES


def _says_stop(incoming: Incoming) -> bool:
    """Whether a faulty message still means stop; a wrong version is no reason to go on moving.

    Any frame will do: a REQ socket puts an empty one first.
    """
    return any(_is_stop(frame.bytes) for frame in incoming.frames)


def _is_stop(frame: bytes) -> bool:
    try:
        header: object = from_json(frame)
    except ValueError:
        return False
    return isinstance(header, dict) and header.get("type") == "stop"
