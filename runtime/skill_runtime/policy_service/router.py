"""The policy service of clients that reach it directly: one socket, one hop.

The process that computes owns the ROUTER, so a request is in its hands as soon as libzmq has it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import zmq

from skill_proto.messages import Hello, Inbound, ServiceWelcome, Swap
from skill_proto.wire import MAX_PARTS, WireError, pack
from skill_runtime.policy.onnx_file.session import reason_of
from skill_runtime.policy_service.config import MAX_ROWS, ClientServiceConfig
from skill_runtime.policy_service.models import ServedModel
from skill_runtime.policy_service.requests import forbidden
from skill_runtime.policy_service.service import QUIET, REQUESTS_PER_STEP, PolicyService
from skill_runtime.policy_service.swap import Swapper
from skill_runtime.realtime.clock import Clock, MonotonicClock
from skill_runtime.security.door import MAX_STRANGERS, Door, sender_of
from skill_runtime.transport.router_reader import (
    FORGIVEN_SHARE,
    MAX_DROPPED_PARTS,
    MAX_DROPPING_S,
    TooManyPartsError,
    too_many_parts,
)
from skill_runtime.transport.sockets import Context, Socket, router_on

log = logging.getLogger(__name__)

BEAT_MS = 10
"""Longest time between two heartbeats of the idle service [ms]."""

LAST_REQUESTS_S = 0.5
"""Time at the end for the requests that wait [s]."""

LAST_REPLIES_MS = 100
"""Time at the end for the delivery of replies to clients that read them [ms]."""

_MORE = int(zmq.SNDMORE) | int(zmq.NOBLOCK)
_LAST = int(zmq.NOBLOCK)
_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)


Message = tuple[bytes, list[bytes], str]
"""ROUTER's name of the connection, the frames, and the public key of the sender; the key is empty
if the socket admits every connection. No frames: the message had too many."""


class MessageReader:
    """Reads whole messages from a ROUTER, in as few calls of libzmq as there are frames.

    Args:
        socket: The socket; a receive timeout bounds the wait for the first frame.
        keyed: Whether the messages carry the keys of their senders.
    """

    def __init__(self, socket: Socket, *, keyed: bool) -> None:
        self._receive = socket.recv
        self._keyed = keyed
        self._dropping_s = self._forgiven_at = 0.0

    def read(self) -> Message:
        """Returns the next message.

        Raises:
            zmq.Again: None has arrived.
            TooManyPartsError: A client sends messages with so many parts that the process must
                start anew, which closes the connection.
        """
        receive = self._receive
        frame = receive(0, False)
        sender, frames = frame.bytes, []
        while frame.more:  # the rest of a message is there as soon as its first frame is
            if len(frames) == MAX_PARTS:
                self._drop(frame)
                frames.clear()
                break
            frame = receive(0, False)
            frames.append(frame.bytes)
        return sender, frames, sender_of(frame) if self._keyed else ""

    def _drop(self, frame: zmq.Frame) -> None:
        """Drops surplus parts of a message, within the bounds of ``transport.router_reader``."""
        start, dropped = time.monotonic(), 0
        forgiven_s = FORGIVEN_SHARE * (start - self._forgiven_at)
        self._dropping_s, self._forgiven_at = max(0.0, self._dropping_s - forgiven_s), start
        while frame.more:
            frame = self._receive(0, False)
            dropped += 1
            if dropped > MAX_DROPPED_PARTS:
                raise TooManyPartsError
        self._dropping_s += time.monotonic() - start
        if self._dropping_s > MAX_DROPPING_S:
            raise TooManyPartsError


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """How the service and its supervisor hear of each other."""

    beat: Callable[[], None]
    """Called before every inference of several requests."""
    round: Callable[[PolicyService], bool]
    """Called at least every :data:`BEAT_MS`, with the service for its counts; returns whether the
    service ends."""


class ClientService:
    """Answers the clients of one socket.

    Args:
        socket: A ROUTER with a receive timeout.
        models: The policies.
        config: Configuration of the service.
        supervision: The way to the supervisor.
        door: Checks the senders of messages; None admits every one.
        clock: Server time.

    Attributes:
        service: answers ``act``.
        swapper: replaces policies.
    """

    def __init__(
        self,
        socket: Socket,
        models: list[ServedModel],
        config: ClientServiceConfig,
        supervision: Supervision,
        door: Door | None,
        clock: Clock,
    ) -> None:
        self._socket = socket
        self._config = config
        self._supervision = supervision
        self._door = door
        self._clock = clock
        self._reader = MessageReader(socket, keyed=door is not None)
        self.swapper = Swapper(clock.now, config.instance)
        self.service = PolicyService(
            models,
            config.instance,
            clock,
            supervision.beat,
            self._send,
            self._answer,
            None if door is None else door.refusal,
        )

    def run(self) -> None:
        """Answers until the supervision ends it, and then the requests that wait.

        Raises:
            TooManyPartsError: The process must start anew.
        """
        ends, service, step = self._supervision.round, self.service, self.step
        with np.errstate(**QUIET):
            while not ends(service):
                step()
            until = time.monotonic() + LAST_REQUESTS_S
            while time.monotonic() < until and int(self._socket.getsockopt(_EVENTS)) & _POLLIN:
                step()

    def step(self) -> None:
        """Waits up to the receive timeout for a request, and answers all that wait then.

        Raises:
            TooManyPartsError: The process must start anew.
        """
        service, reader, ready = self.service, self._reader, self._socket.getsockopt
        try:
            sender, frames, key = reader.read()
        except zmq.Again:
            self._finish_swap()
            return
        now = self._clock.now()
        if frames and (service.has_one_session or not int(ready(_EVENTS)) & _POLLIN):
            service.receive(sender, frames, now, key, is_alone=True)
        else:
            self._take(sender, frames, now, key)
            for _ in range(REQUESTS_PER_STEP - 1):
                if not int(ready(_EVENTS)) & _POLLIN:
                    break
                sender, frames, key = reader.read()
                self._take(sender, frames, now, key)
        service.flush()
        if self.swapper.is_busy:
            self._finish_swap()
        if self._door is not None and self._door.strangers > MAX_STRANGERS:
            raise TooManyPartsError

    def _take(self, sender: bytes, frames: list[bytes], now: float, key: str) -> None:
        if frames:
            self.service.receive(sender, frames, now, key)
            return
        reason = "" if self._door is None else self._door.refusal(key, "hello")
        self.service.refuse(sender, forbidden(reason) if reason else too_many_parts())

    def _send(self, receiver: bytes, code: str, frames: list[bytes]) -> None:
        del code
        send = self._socket.send
        try:
            send(receiver, _MORE)
            for frame in frames[:-1]:
                send(frame, _MORE)
            send(frames[-1], _LAST)
        except zmq.ZMQError:  # the receiver has closed, or does not read its messages
            return

    # Other messages -----------------------------------------------------------------------------

    def _answer(self, sender: bytes, message: Inbound) -> None:
        """Answers ``hello``, and begins a swap.

        Raises:
            WireError: The swap is refused, or the service has failed at the message.
        """
        try:
            self._answer_checked(sender, message)
        except WireError:
            raise
        except Exception as error:  # a bug of the service: the client must get a reply
            log.exception("internal error")
            problem = f"internal error of the service: {reason_of(error)}"
            fix = "report it with the server's log"
            raise WireError("internal", problem, fix, message.id) from None

    def _answer_checked(self, sender: bytes, message: Inbound) -> None:
        if isinstance(message, Hello):
            self._send(sender, "", pack(self.describe(message.id)))
        elif isinstance(message, Swap):
            model = self.service.model_named(message.model, message.id)
            self.swapper.start(sender, message, model)

    def describe(self, message_id: int = 0) -> ServiceWelcome:
        """Describes the service; the reply to ``hello``."""
        return ServiceWelcome(
            id=message_id,
            instance=self._config.instance,
            time=self._clock.now(),
            server=self._config.server,
            models=tuple(model.description for model in self.service.models.values()),
            max_rows=MAX_ROWS,
        )

    def _finish_swap(self) -> None:
        result = self.swapper.finish()
        if result is None:
            return
        if isinstance(result.reply, WireError):
            self.service.refuse(result.sender, result.reply)
        else:
            self._send(result.sender, "", pack(result.reply))


def serve_clients(
    config: ClientServiceConfig,
    supervision: Supervision,
    ready: Callable[[ServiceWelcome], None],
    log: Callable[[str], None],
) -> None:
    """Opens the policies, and answers clients until the supervision ends it.

    Args:
        config: Configuration of the service.
        supervision: The way to the supervisor.
        ready: Called with the description of the service before the first request.
        log: Writes a line about keys.

    Raises:
        PolicyFileError: A policy cannot be opened.
        TooManyPartsError: The process must start anew.
    """
    models = [ServedModel.open(name, path, config.device) for name, path in config.models]
    context: Context = zmq.Context()
    door = None if config.security is None else Door(context, config.security, log)
    socket = router_on(context, *config.listener, door)
    socket.setsockopt(zmq.RCVTIMEO, BEAT_MS)
    clients = ClientService(socket, models, config, supervision, door, MonotonicClock())
    ready(clients.describe())
    clients.run()
    socket.close(LAST_REPLIES_MS)
    context.term()
