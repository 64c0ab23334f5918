"""PolicyClient: actions for robots that other programs control.

::

    with PolicyClient("tcp://127.0.0.1:5555") as client:
        result = client.act(observation, session="robot 12", goal=[0.1, 0.0])
        action = result["action"]

A client serves one thread at a time, in the process that made it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import zmq
from numpy.typing import ArrayLike

from skill_proto.arrays import FloatArray
from skill_proto.messages import Error, Inbound, Reply, ServedPolicy, ServiceWelcome, Swapped
from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import ClientError, ProtocolError, ResourceError
from skill_runtime.client.guard import Guard
from skill_runtime.client.policy.acts import ActCall, Answer, other_frames
from skill_runtime.client.policy.knowledge import Knowledge
from skill_runtime.client.policy.quick import (
    OtherFramesError,
    PreparedCall,
    as_frame,
    exchange,
)
from skill_runtime.client.policy.round_trips import RoundTrips
from skill_runtime.client.requests import read_keys
from skill_runtime.security.client_keys import ClientKeys

SWAP_TIMEOUT_S = 60.0
"""Longest wait for a swap, which loads a policy file [s]."""

_MORE, _NOW = int(zmq.SNDMORE) | int(zmq.NOBLOCK), int(zmq.NOBLOCK)
_RECEIVE_TIMEOUT = int(zmq.RCVTIMEO)


class PolicyClient:
    """A client of one policy service; the constructor does not send anything.

    Args:
        address: Endpoint of the service.
        timeout_s: Longest duration of a call except :meth:`swap`, up to an hour [s].
        name: Name of this program in the server's debug log.
        key: File with the key pair of this client, from ``skill-keys new``; or both keys.
        server_key: Public key of the server, or a file with it; see SkillClient.

    Raises:
        InvalidUseError: ``timeout_s`` is not a number of seconds, or a key cannot be read.
        InvalidAddressError: the address is malformed.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout_s: float = 2.0,
        name: str = "client",
        key: str | Path | ClientKeys | None = None,
        server_key: str | Path | None = None,
    ) -> None:
        self._guard = Guard()
        self._known = Knowledge(address, timeout_s, name)
        keys = key if isinstance(key, ClientKeys) else read_keys(address, key, server_key)
        self._connection = Connection(address, self._known.timeout_s, keys)
        self._socket: zmq.Socket[bytes] | None = None
        self._wait_ms = max(1, round(1000 * self._known.timeout_s))
        self._count = 1 << 32  # apart from the ids of other requests

    @property
    def address(self) -> str:
        """Endpoint of the service."""
        return self._known.address

    @property
    def round_trips(self) -> RoundTrips:
        """Duration of the answered calls of :meth:`act`."""
        return self._known.round_trips

    @property
    def latest(self) -> Answer | None:
        """The newest answer: age of its recurrent state, time of the inference, lateness."""
        return self._known.latest

    def hello(self) -> ServiceWelcome:
        """Requests the description of the service, and adopts the server that answers.

        Raises:
            ServerUnreachableError: no reply arrived within the timeout.
            ProtocolError: the server is not a policy service.
        """
        with self._guard:
            sent_at = time.monotonic()
            return self._known.adopt(self._ask(self._known.hello), sent_at)

    @property
    def models(self) -> tuple[ServedPolicy, ...]:
        """The policies of the service, as the newest :meth:`hello` describes them."""
        welcome = self._known.welcome
        return (welcome or self.hello()).models

    def swap(self, model: str | None = None, file: str | None = None) -> Swapped:
        """Replaces a policy by another file while the service goes on to answer.

        Args:
            model: Name of the policy; None if there is only one.
            file: Name of a file in the folder of the present one; None reads that one again.

        Raises:
            CommandRefusedError: the file is no policy or no drop-in; the old one stays in force.
            ServerReplacedError: the service was started again; the call had no effect, and the next
                one goes to the new service.
        """
        with self._guard:
            request = self._known.swap(model, file)
            timeout_s = max(SWAP_TIMEOUT_S, self._known.timeout_s)
            return self._known.checked(self._ask(request, timeout_s), Swapped)

    def act(
        self,
        observation: ArrayLike,
        *,
        session: str,
        episode: int | None = None,
        skill: ArrayLike | None = None,
        goal: ArrayLike | None = None,
        previous_action: ArrayLike | None = None,
        model: str | None = None,
        deadline_s: float | None = None,
        join: bool = False,
    ) -> dict[str, FloatArray]:
        """Requests the policy's actions for ``n`` robots that other programs control.

        Args:
            observation: ``(n, O)``, raw units in the manifest's order.
            session: Name of these robots; the server keeps their recurrent state under it.
            episode: A new number resets the recurrent state; the number also lets other clients
                join the session. None: the session belongs to this client alone.
            skill: ``(n, Z)``.
            goal: ``(n, G)``, instead of a skill.
            previous_action: ``(n, A)`` if it differs from the action of the last reply.
            model: Name of the policy; None if the service has only one.
            deadline_s: Time until the answer is needed [s]. A later answer is given all the same;
                ``latest.late_s`` says how late it was, and ``round_trips.late`` counts it.
            join: Whether other clients may send to this session and episode.

        Returns:
            ``action`` ``(n, A)`` in [-1, 1], and context arrays, as ``SkillClient.act``.

        Raises:
            CommandRefusedError: an array does not fit the policy.
            SessionLostError: the server dropped the recurrent state of the session, or was started
                again; the next call goes on with an empty one.
            SessionSharedError: another client sends to the session, and ``join`` is not given.
            ServerUnreachableError: no reply arrived within the timeout.
        """
        sent_at = time.monotonic()
        with self._guard:
            prepared = self._known.prepared.get((session, episode, model))
            if prepared is not None and previous_action is None and self._socket is not None:
                command = goal if prepared.command == "goal" else skill
                other = skill if prepared.command == "goal" else goal
                sent = as_frame(observation, prepared.shapes[0])
                given = as_frame(command, prepared.shapes[1]) if prepared.command else b""
                if sent is not None and given is not None and other is None:
                    result = self._quick(prepared, (sent, given), sent_at, deadline_s)
                    if isinstance(result, dict):
                        return result
                    call = ActCall(session, episode, model, observation, skill, goal)
                    call.instance = self._known.instance
                    if result is not None:
                        arrays = self._finish(call, result, sent_at, join=join)
                        if arrays is not None:
                            return arrays
                    return self._usual(call, sent_at, deadline_s, join=join)
            call = ActCall(session, episode, model, observation, skill, goal, previous_action)
            return self._usual(call, sent_at, deadline_s, join=join)

    def _quick(
        self,
        prepared: PreparedCall,
        frames: tuple[bytes, bytes],
        sent_at: float,
        deadline_s: float | None,
    ) -> dict[str, FloatArray] | Answer | Error | None:
        """Makes a call like an earlier one.

        Returns:
            The arrays; or a reply that needs the usual way; or None if the call was not sent.
        """
        assert self._socket is not None
        known = self._known
        self._count += 1
        number = b"%d" % self._count
        deadline = None if deadline_s is None else known.deadline(deadline_s)
        try:
            arrays, received = exchange(self._socket, prepared, frames, number, deadline)
            if arrays is None:
                return self._reply_to(self._count, received, sent_at)[0] if received else None
        except BaseException as error:
            prepared.age.unanswered += 1
            known.prepared.clear()
            raise self._failed(error) from None
        known.note_quick(received[0], arrays, sent_at, deadline is not None)
        return arrays

    def _usual(
        self, call: ActCall, sent_at: float, deadline_s: float | None, *, join: bool
    ) -> dict[str, FloatArray]:
        known = self._known
        while True:
            if not known.instance:
                asked_at = time.monotonic()
                known.adopt(self._ask(known.hello, began=sent_at), asked_at)
            self._count += 1
            frames = known.request(call, self._count, deadline_s)
            try:
                reply, received = self._exchange(frames, self._count, sent_at)
            except ClientError:
                known.note_loss(call)
                raise
            arrays = self._finish(call, reply, sent_at, join=join)
            if arrays is not None:
                known.prepare(call, frames, received[0])
                return arrays

    def _finish(
        self, call: ActCall, reply: Answer | Error, sent_at: float, *, join: bool
    ) -> dict[str, FloatArray] | None:
        """Returns the arrays of an answer, and raises the error of a refusal.

        Returns:
            None if the call is to be sent once more, to the server that has replaced another.
        """
        if isinstance(reply, Error):
            self._known.refused(call, reply)
            return None
        self._known.note(call, reply, sent_at, join=join)
        return reply.arrays

    def _exchange(
        self, frames: list[bytes], message_id: int, sent_at: float
    ) -> tuple[Answer | Error, list[bytes]]:
        """Sends a request, and returns the reply with its id, and that reply's frames.

        Args:
            frames: The request.
            message_id: Its id.
            sent_at: Monotonic time at which the call began [s].

        Raises:
            ServerUnreachableError, ProtocolError, ResourceError: as ``Connection.ask``.
        """
        try:
            socket = self._socket or self._open(sent_at)
            try:
                socket.send(frames[0], _MORE)
            except zmq.Again:  # the connection is being made anew
                self._connection.connect(sent_at).send(frames[0], _MORE)
            for frame in frames[1:-1]:
                socket.send(frame, _MORE)
            socket.send(frames[-1], _NOW)
            return self._reply_to(message_id, self._receive(sent_at), sent_at)
        except BaseException as error:
            raise self._failed(error) from None

    def _receive(self, sent_at: float) -> list[bytes]:
        """Returns the frames of the next message.

        Raises:
            zmq.Again: None has arrived in the time of the call.
        """
        assert self._socket is not None
        left_s = sent_at + self._known.timeout_s - time.monotonic()
        if left_s <= 0:
            raise zmq.Again
        self._socket.setsockopt(_RECEIVE_TIMEOUT, max(1, round(1000 * left_s)))
        frames = receive(self._socket)
        self._socket.setsockopt(_RECEIVE_TIMEOUT, self._wait_ms)
        return frames

    def _reply_to(
        self, message_id: int, frames: list[bytes], sent_at: float
    ) -> tuple[Answer | Error, list[bytes]]:
        """Returns the reply with this id; receives others until it comes.

        Args:
            message_id: The id.
            frames: The first message that was received.
            sent_at: Monotonic time at which the call began [s].
        """
        while True:
            reply = self._known.frames.reply(frames)
            if isinstance(reply, Error):
                if reply.id in (message_id, 0):
                    return reply, frames
            elif isinstance(reply, Answer):
                if reply.message_id == message_id:
                    return reply, frames
            else:
                raise ProtocolError(f"expected the reply 'acted', got {reply.type!r}")
            frames = self._receive(sent_at)

    def _failed(self, error: BaseException) -> BaseException:
        """Closes the socket, and returns the error to raise."""
        unanswered = self._connection.unanswered() if isinstance(error, zmq.Again) else error
        self._drop()
        if isinstance(error, OtherFramesError):
            return other_frames(self.address)
        if isinstance(error, zmq.ZMQError) and unanswered is error:
            return ResourceError(f"the socket failed: {error}")
        return unanswered

    def _open(self, sent_at: float) -> zmq.Socket[bytes]:
        """Returns the connected socket, with the timeout of a call.

        Raises:
            ServerUnreachableError, ResourceError: as ``Connection.ask``.
        """
        socket = self._connection.connect(sent_at)
        socket.setsockopt(_RECEIVE_TIMEOUT, self._wait_ms)
        self._socket = socket
        return socket

    def _ask(
        self, message: Inbound, timeout_s: float | None = None, began: float | None = None
    ) -> Reply:
        self._socket = None  # the exchange sets timeouts of its own
        reply, _ = self._connection.exchange(message, timeout_s=timeout_s, began=began)
        return reply

    def _drop(self) -> None:
        self._socket = None
        self._connection.close()

    def close(self) -> None:
        """Closes the socket; raises no error. Every later call raises InvalidUseError."""
        if self._guard.forked:
            return
        with suppress(Exception), self._guard.closing():
            self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def receive(socket: zmq.Socket[bytes], flags: int = 0) -> list[bytes]:
    """Returns the frames of the next message, in as few calls of libzmq as there are frames.

    Raises:
        zmq.Again: None has arrived in time.
    """
    frame = socket.recv(flags, False)
    frames = [frame.bytes]
    while frame.more:
        frame = socket.recv(0, False)
        frames.append(frame.bytes)
    return frames
