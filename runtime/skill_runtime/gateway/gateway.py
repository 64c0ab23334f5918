"""One step of the gateway: messages in, replies and telemetry out.

Everything that a step does is bounded, so that no client delays another for long. The controller
does not notice how much arrives here: a command takes a slot of a bounded queue, or is refused.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import islice

import zmq

from skill_proto.messages import (
    COMMAND,
    Act,
    Command,
    Error,
    ErrorCode,
    Goal,
    Hello,
    Inbound,
    Message,
    Release,
    ServoJoint,
    ServoPose,
    Skill,
    Welcome,
)
from skill_proto.wire import WireError, read_header
from skill_runtime.authority.refusal import Refusal
from skill_runtime.channel.channel import Channel, Word
from skill_runtime.channel.messages import COMMANDS, REPLIES
from skill_runtime.channel.record_queue import CorruptRecordError
from skill_runtime.channel.state_layout import State
from skill_runtime.channel.state_record import MODES
from skill_runtime.gateway.act_forwarder import ActForwarder
from skill_runtime.gateway.config import GatewayConfig
from skill_runtime.gateway.lease_check import LeaseCheck
from skill_runtime.gateway.lease_key import LeaseKey
from skill_runtime.gateway.record_feed import RecordFeed
from skill_runtime.gateway.telemetry import make_telemetry, restarts
from skill_runtime.gateway.validation import CommandValidator
from skill_runtime.policy_service.config import largest_array_bytes
from skill_runtime.realtime.clock import Clock
from skill_runtime.transport.interfaces import Transport
from skill_runtime.transport.router_reader import Incoming, RouterReader

log = logging.getLogger(__name__)

MAX_PARTS_PER_STEP = 256
"""Frames that one step reads."""

READING_TIME_S = 0.005
"""Longest time that a step spends on messages; the message in work may exceed it [s]."""

MESSAGE_RATE_HZ = 4000.0
"""Messages per second that are read in the long run; others wait in the queues of their senders."""

BURST = 256.0
"""Messages that are read at once after a pause."""

COMMANDS_PER_CONNECTION = 16
"""Commands of one connection that may wait for the controller while half of the queue is free."""

MAX_WAITING_REPLIES = 1024
"""Commands whose reply from the controller is awaited; the oldest is forgotten."""

SILENT_CONTROLLER_S = 0.5
"""A controller without a tick for this long is not described as alive [s]."""

MAX_EVENT_LENGTH = 200
"""Characters of a refusal in telemetry's ``last_event``."""


class Gateway:
    """Answers clients and publishes telemetry.

    Args:
        transport: The sockets.
        channel: The shared memory.
        config: The server.
        wake_controller: Called when a command was put into the queue.
        clock: Server time.
        wait_for_reply: Waits shortly for the controller after a command; None to do other work.
        refusal: Returns why a key may not send messages of a type, empty if it may; None admits
            every sender.
    """

    def __init__(
        self,
        transport: Transport,
        channel: Channel,
        config: GatewayConfig,
        wake_controller: Callable[[], None],
        clock: Clock,
        wait_for_reply: Callable[[], None] | None = None,
        refusal: Callable[[str, str], str] | None = None,
    ) -> None:
        self._sockets = transport
        self._channel = channel
        self._config = config
        self._instance = config.welcome.instance
        self._wake_controller = wake_controller
        self._wait_for_reply = wait_for_reply
        self._clock = clock
        self._validator = CommandValidator(config.welcome)
        self._refusal = refusal
        self._reader = RouterReader(transport.commands, keyed=refusal is not None)
        self._largest_array = largest_array_bytes(config.welcome.manifest)
        self._act = None if transport.act is None else ActForwarder(transport.act, self._instance)
        self._record = RecordFeed(transport, channel.steps, self._instance)
        self._service_starts = channel.words[Word.SERVICE_STARTS]
        self._waiting: OrderedDict[int, tuple[bytes, int]] = OrderedDict()
        # The controller takes commands in order, so the last ones of these wait in the queue.
        self._senders: deque[bytes] = deque(maxlen=channel.commands.slots)
        # Numbers of an earlier gateway do not occur again, so its late replies match no request.
        self._request = channel.words[Word.GATEWAY_STARTS] << 32
        self._version, self._published = 0, -1
        self._event, self._event_at = "", -1
        self._state: State | None = None
        self._leases = LeaseCheck(clock, self._fresh_state)
        self._lease_key = LeaseKey(refusal)
        self._credit, self._credited = BURST, clock.now()
        channel.replies.discard()

    def step(self) -> bool:
        """Does the work that waits, within bounds; beats.

        Returns:
            False if it should pause before it reads more messages.
        """
        self._channel.words[Word.GATEWAY_BEAT] = int(self._clock.now() * 1e9)
        self._send_controller_replies()
        self._end_revoked_lease()
        self._publish()
        self._record.publish_steps()
        may_read = self._may_read()
        if may_read:
            self._read()
        self._send_service_replies()
        return may_read

    # Messages of clients ------------------------------------------------------------------------

    def _may_read(self) -> bool:
        """Returns whether the rate of messages allows another read.

        Without a limit, a flood keeps one processor busy, which the controller may need.
        """
        now = self._clock.now()
        self._credit = min(BURST, self._credit + MESSAGE_RATE_HZ * (now - self._credited))
        self._credited = now
        return self._credit >= 1.0

    def _read(self) -> None:
        until = self._clock.now() + READING_TIME_S
        sent = False
        for incoming in self._reader.read(MAX_PARTS_PER_STEP, until, self._clock.now):
            self._credit -= 1.0
            reply = self._answer(incoming)
            sent = sent or reply is None
            if reply is not None:
                self._send(incoming.sender, reply)
        if sent:
            if self._wait_for_reply is not None and not self._channel.replies:
                self._wait_for_reply()
            self._send_controller_replies()

    def _answer(self, incoming: Incoming) -> Message | None:
        """Returns the reply, or None if controller or policy service give it."""
        message_id = 0
        message: Inbound | None = None
        try:
            message = self._read_message(incoming)
            message_id = message.id
            self._record.name(incoming.sender, message)
            self._check_sender(incoming.key, message.type)
            self._check_instance(message)
            if isinstance(message, Act):  # its arrays take long to read
                return self._forward(incoming, message_id)
            if len(incoming.frames) > 1:
                raise WireError(
                    "malformed",
                    f"{message.type!r} has no arrays, but {len(incoming.frames) - 1} frames "
                    "follow the header",
                    "send the header alone",
                )
            if isinstance(message, Hello):
                return self._welcome(message)
            return self._pass_on(incoming, message)
        except WireError as error:
            message_id = error.message_id or message_id
            reply = self._refuse(message_id, error.code, str(error), error.fix)
        except Refusal as refusal:
            reply = self._refuse(message_id, refusal.code, refusal.message, refusal.fix)
        except Exception as error:  # a bug of the gateway: the client must get a reply
            log.exception("internal error")
            text = f"internal error of the gateway; the arm is not affected: {error}"
            reply = self._refuse(message_id, "internal", text, "report it with the server's log")
        self._record.refused(incoming.sender, message, reply)
        return reply

    def _read_message(self, incoming: Incoming) -> Command:
        try:
            if incoming.problem is not None:
                raise incoming.problem
            return read_header(incoming.frames[0].bytes, COMMAND)
        except WireError:  # any key may send 'hello', a stranger nothing
            self._check_sender(incoming.key, "hello")
            raise

    def _check_sender(self, key: str, kind: str) -> None:
        reason = "" if self._refusal is None else self._refusal(key, kind)
        if reason:
            raise Refusal("forbidden", reason, "ask the server's operator to allow it")

    def _check_instance(self, message: Inbound) -> None:
        if message.instance not in (None, self._instance):
            raise Refusal(
                "wrong_server",
                f"the message is meant for server {message.instance!r}, this is "
                f"{self._instance!r}: another server, or the same one after a restart",
                "send 'hello' to learn which server this is",
            )

    def _welcome(self, message: Hello) -> Welcome:
        log.debug("hello from %r", message.client)
        state, now = self._fresh_state(), self._clock.now()
        if state is None:  # the first tick is near
            return self._config.welcome.model_copy(update={"id": message.id, "time": now})
        if now - state.blocks["time"][0] > SILENT_CONTROLLER_S:
            raise Refusal(
                "busy", "the controller does not tick", "wait; a supervisor restarts the server"
            )
        return self._config.welcome.model_copy(
            update={
                "id": message.id,
                "time": now,
                "mode": MODES[state.integers["mode"]],
                "lease_holder": state.texts["lease_holder"] or None,
            }
        )

    def _pass_on(self, incoming: Incoming, message: Inbound) -> None:
        sender = incoming.sender
        if isinstance(message, Skill | Goal | ServoJoint | ServoPose):
            self._validator.validate(message)
        self._leases.check(message)
        self._check_share(sender)
        self._request += 1
        if not self._channel.commands.put(COMMANDS.encode(message, self._request)):
            raise Refusal(
                "busy",
                f"{self._channel.commands.slots} commands of all clients wait for the controller",
                "send it again",
            )
        self._senders.append(sender)
        self._wake_controller()
        self._waiting[self._request] = (sender, message.id)
        self._record.passed_on(self._request, sender, message)
        self._lease_key.passed_on(self._request, incoming.key, message)
        if len(self._waiting) > MAX_WAITING_REPLIES:
            self._waiting.popitem(last=False)

    def _end_revoked_lease(self) -> None:
        token = self._lease_key.revoked()
        if token:  # the arm holds at once, and others can take the lease
            self._request += 1
            record = COMMANDS.encode(Release(lease=token), self._request)
            if self._channel.commands.put(record):  # else at the next step
                self._lease_key.forget()
            self._wake_controller()

    def _check_share(self, sender: bytes) -> None:
        """Keeps places in the queue free for the other connections.

        Raises:
            Refusal: ``busy``, too many commands of this connection wait.
        """
        waiting = len(self._channel.commands)
        own = sum(one == sender for one in islice(reversed(self._senders), waiting))
        most = COMMANDS_PER_CONNECTION if 2 * waiting < self._channel.commands.slots else 1
        if own >= most:
            raise Refusal(
                "busy",
                f"{own} commands of this connection wait for the controller already",
                "wait for the reply to a command before sending the next",
            )

    def _forward(self, incoming: Incoming, message_id: int) -> None:
        if self._act is None:
            raise Refusal(
                "not_supported",
                "this server has no policy service",
                "use a server that skill-serve started",
            )
        longest = max((len(frame) for frame in incoming.frames[1:]), default=0)
        if longest > self._largest_array:
            raise Refusal(
                "too_large",
                f"an array has {longest} bytes, the largest one of this policy has "
                f"{self._largest_array}",
                "send fewer rows",
            )
        self._channel.words[Word.SERVICE_WANTED] = 1
        if not self._act.submit(incoming, message_id):
            raise Refusal(
                "busy",
                "the policy service has too many requests waiting",
                "wait for a reply before sending the next request",
            )

    # Replies ------------------------------------------------------------------------------------

    def _send_controller_replies(self) -> None:
        while True:
            try:
                record = self._channel.replies.get()
                if record is None:
                    return
                request = REPLIES.request_of(record)
                sender, message_id = self._waiting.pop(request, (b"", 0))
                _, reply = REPLIES.decode(record, id=message_id, instance=self._instance)
                self._leases.note(reply)
                self._lease_key.replied(request, reply)
                self._record.replied(request, reply)
            except CorruptRecordError as error:
                log.error("a reply of the controller is dropped: %s", error)
                continue
            if sender:
                self._send(sender, reply)

    def _send_service_replies(self) -> None:
        if self._act is None:
            return
        self._act.send()
        now = self._clock.now()
        replies = list(self._act.replies(now))
        starts = self._channel.words[Word.SERVICE_STARTS]
        if starts != self._service_starts:
            if self._service_starts > 0:
                replies += self._act.restarted(now)
            self._service_starts = starts
        for receiver, code, frames in replies:
            if code:
                self._channel.count_refusal(code)
            self._send_frames([receiver, *frames])

    def _refuse(self, message_id: int, code: ErrorCode, message: str, fix: str) -> Error:
        self._channel.count_refusal(code)
        self._event = f"refused: {message}"[:MAX_EVENT_LENGTH]
        self._event_at = -1 if self._state is None else self._state.integers["events"]
        return Error(
            id=message_id,
            time=self._clock.now(),
            instance=self._instance,
            code=code,
            message=message,
            fix=fix,
        )

    def _send(self, receiver: bytes, message: Message) -> None:
        self._send_frames([receiver, message.model_dump_json().encode()])

    def _send_frames(self, frames: list[bytes]) -> None:
        try:
            self._sockets.commands.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:  # the receiver has closed, or does not read its messages
            log.debug("a reply was dropped: %s", error)

    # Telemetry ----------------------------------------------------------------------------------

    def _fresh_state(self) -> State | None:
        """Returns the newest state; None before the first."""
        version = self._channel.state.version
        if version != self._version:
            record = self._channel.state.read()
            if record is not None:
                self._state, self._version = self._config.layout.unpack(record), version
        return self._state

    def _publish(self) -> None:
        """Publishes the newest state once; the controller numbers the publications."""
        state = self._fresh_state()
        if state is None or state.integers["seq"] == self._published:
            return
        self._published = state.integers["seq"]
        newer = self._event_at >= state.integers["events"]  # than the newest of the controller
        telemetry = make_telemetry(
            state,
            self._config.layout,
            instance=self._instance,
            counters=self._channel.refusals() | restarts(self._channel.words),
            last_event=self._event if newer else "",
        )
        self._sockets.telemetry.send(telemetry.model_dump_json().encode(), zmq.NOBLOCK)
