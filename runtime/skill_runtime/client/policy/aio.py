"""AsyncPolicyClient: the calls of PolicyClient for asyncio; many calls at the same time.

The event loop watches ZeroMQ's own descriptor, and replies are read as they come: an answer costs
one wake-up of the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Self

import zmq
from numpy.typing import ArrayLike

from skill_proto.arrays import FloatArray
from skill_proto.messages import Error, Inbound, Reply, ServedPolicy, ServiceWelcome, Swapped
from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client.connection import Connection, to_frames
from skill_runtime.client.errors import (
    ClientError,
    HandshakeError,
    ProtocolError,
    ResourceError,
)
from skill_runtime.client.guard import Guard
from skill_runtime.client.policy.acts import ActCall, Answer
from skill_runtime.client.policy.client import SWAP_TIMEOUT_S, receive
from skill_runtime.client.policy.knowledge import Knowledge
from skill_runtime.client.policy.round_trips import RoundTrips
from skill_runtime.client.requests import read_keys
from skill_runtime.security.client_keys import ClientKeys

QUEUE = 1024
"""Messages that may wait in each direction of the connection."""

LEAST_PAUSE_S, MOST_PAUSE_S = 0.002, 0.1
"""Pauses between two attempts to send what could not be sent, each twice the last one [s]. ZeroMQ
mostly signals earlier that it can send."""

_MORE, _NOW = int(zmq.SNDMORE) | int(zmq.NOBLOCK), int(zmq.NOBLOCK)
_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)

Future = asyncio.Future[Answer | Reply]


class AsyncPolicyClient:
    """A client of one policy service in one event loop; its arguments are those of PolicyClient."""

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
        self._connection = Connection(address, self._known.timeout_s, keys, QUEUE)
        self._socket: zmq.Socket[bytes] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._descriptor = -1
        self._waiting: dict[int, Future] = {}
        self._unsent: deque[tuple[list[bytes], Future]] = deque()
        self._retry: asyncio.TimerHandle | None = None
        self._pause_s = LEAST_PAUSE_S
        self._count = 0
        self._replies = 0

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
        """The newest answer."""
        return self._known.latest

    async def hello(self) -> ServiceWelcome:
        """Requests the description of the service; see ``PolicyClient.hello``."""
        return await self._hello(self._known.timeout_s)

    async def _hello(self, timeout_s: float) -> ServiceWelcome:
        sent_at = time.monotonic()
        return self._known.adopt(await self._ask(self._known.hello, timeout_s), sent_at)

    async def models(self) -> tuple[ServedPolicy, ...]:
        """Returns the policies of the service, as the newest :meth:`hello` describes them."""
        return (self._known.welcome or await self.hello()).models

    async def swap(self, model: str | None = None, file: str | None = None) -> Swapped:
        """Replaces a policy by another file; see ``PolicyClient.swap``."""
        timeout_s = max(SWAP_TIMEOUT_S, self._known.timeout_s)
        reply = await self._ask(self._known.swap(model, file), timeout_s)
        return self._known.checked(reply, Swapped)

    async def act(
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
        """Requests the policy's actions; see ``PolicyClient.act``."""
        call = ActCall(session, episode, model, observation, skill, goal, previous_action)
        sent_at, known = time.monotonic(), self._known
        ends, replies = sent_at + known.timeout_s, self._replies
        while True:
            if not known.instance:
                await self._hello(ends - time.monotonic())
            self._count += 1
            message_id = self._count
            frames = known.request(call, message_id, deadline_s)
            try:
                left_s = ends - time.monotonic()
                reply = await self._exchange(frames, message_id, left_s, replies)
            except (ClientError, asyncio.CancelledError):
                known.note_loss(call)
                raise
            if not isinstance(reply, Error):
                break
            known.refused(call, reply)
        if not isinstance(reply, Answer):
            raise ProtocolError(f"expected the reply 'acted', got {reply.type!r}")
        known.note(call, reply, sent_at, join=join)
        return reply.arrays

    async def _ask(self, message: Inbound, timeout_s: float) -> Reply:
        self._count += 1
        frames = to_frames(message.model_copy(update={"id": self._count}))
        reply = await self._exchange(frames, self._count, timeout_s, self._replies)
        if isinstance(reply, Answer):
            raise ProtocolError("got the reply 'acted' to another request")
        return reply

    async def _exchange(
        self, frames: list[bytes], message_id: int, timeout_s: float, replies: int
    ) -> Answer | Reply:
        """Sends a request, and returns the reply with its id.

        Args:
            frames: The request.
            message_id: Its id.
            timeout_s: Longest wait [s].
            replies: Number of replies to this client when the call began.

        Raises:
            InvalidUseError: The client is closed.
        """
        self._guard.check_open()
        loop = asyncio.get_running_loop()
        future: Future = loop.create_future()
        self._waiting[message_id] = future
        expiry = loop.call_later(timeout_s, self._expire, future, replies)
        try:
            socket = self._socket or self._open(loop)
            if self._unsent or not self._send(socket, frames):
                self._unsent.append((frames, future))
                self._flush_later(loop)
            self._read()
            return await future
        except zmq.ZMQError as error:
            raise ResourceError(f"the socket failed: {error}") from None
        finally:
            expiry.cancel()
            del self._waiting[message_id]

    def _open(self, loop: asyncio.AbstractEventLoop) -> zmq.Socket[bytes]:
        self._socket = self._connection.open()
        self._loop, self._descriptor = loop, int(self._socket.getsockopt(zmq.FD))
        loop.add_reader(self._descriptor, self._on_signal)
        return self._socket

    @staticmethod
    def _send(socket: zmq.Socket[bytes], frames: list[bytes]) -> bool:
        """Sends a message; returns False if there is no connection yet, or its queue is full."""
        try:
            for frame in frames[:-1]:
                socket.send(frame, _MORE)
            socket.send(frames[-1], _NOW)
        except zmq.Again:
            return False
        return True

    def _flush_later(self, loop: asyncio.AbstractEventLoop) -> None:
        """Plans the next attempt to send; there is one for all calls that wait for it."""
        if self._retry is None:
            self._retry = loop.call_later(self._pause_s, self._retry_flush, loop)

    def _retry_flush(self, loop: asyncio.AbstractEventLoop) -> None:
        self._retry = None
        self._pause_s = min(2 * self._pause_s, MOST_PAUSE_S)
        self._flush(loop)
        if self._unsent:
            self._flush_later(loop)
        else:
            self._pause_s = LEAST_PAUSE_S
        self._read()

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sends the messages that wait, as far as that is possible now."""
        try:
            while self._unsent:
                frames, future = self._unsent[0]
                if not future.done() and not self._send(self._socket or self._open(loop), frames):
                    self._check_key()
                    return
                self._unsent.popleft()
        except zmq.ZMQError as error:
            self._fail_unsent(ResourceError(f"the socket failed: {error}"))
        except ClientError as error:
            self._fail_unsent(error)

    def _check_key(self) -> None:
        """Raises HandshakeError if the server refuses the key: no reply will ever come."""
        refusal = self._connection.refusal()
        if refusal:
            self._drop()
            raise HandshakeError(self.address, refusal)

    def _fail_unsent(self, error: Exception) -> None:
        for _, future in self._unsent:
            if not future.done():
                future.set_exception(error)
        self._unsent.clear()

    def _on_signal(self) -> None:
        """ZeroMQ signals that replies have arrived, or that messages can be sent."""
        if self._unsent and self._loop is not None:
            self._flush(self._loop)
        self._read()

    def _read(self) -> None:
        """Reads all replies that have arrived.

        ZeroMQ's descriptor signals changes only, so it is read until no reply waits.
        """
        while self._socket is not None and int(self._socket.getsockopt(_EVENTS)) & _POLLIN:
            try:
                reply = self._known.frames.reply(receive(self._socket, _NOW))
            except zmq.Again:
                return
            except ProtocolError as error:
                self._fail_oldest(error)
                continue
            self._replies += 1
            message_id = reply.message_id if isinstance(reply, Answer) else reply.id
            future = self._waiting.get(message_id)
            if future is None and isinstance(reply, Error) and reply.id == 0:
                future = next(iter(self._waiting.values()), None)
            if future is not None and not future.done():
                future.set_result(reply)

    def _expire(self, future: Future, replies: int) -> None:
        """Ends a call without a reply."""
        if future.done():
            return
        future.set_exception(self._connection.unanswered())
        if self._replies == replies:
            # Not a single reply: the connection may be dead, the next request opens another.
            self._drop()

    def _fail_oldest(self, error: Exception) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
                return

    def _drop(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)
        self._loop, self._socket = None, None
        self._connection.close()

    async def close(self) -> None:
        """Closes the socket; raises no error. Every later call raises InvalidUseError."""
        self._guard.close()
        with suppress(Exception):
            if self._retry is not None:
                self._retry.cancel()
            self._retry = None
            self._unsent.clear()
            self._drop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
