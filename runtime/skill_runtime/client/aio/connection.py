"""AsyncConnection: requests and replies over one DEALER socket of an event loop.

Several requests may wait for their replies at the same time; each reply is matched by its id. A
request that is cancelled leaves no trace but a reply that is ignored. The exception is ``acquire``:
a lease that was granted to a cancelled request is given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self, cast

import zmq
import zmq.asyncio

from skill_proto.arrays import FloatArray
from skill_proto.messages import Granted, Message, Release
from skill_runtime.client.connection import COMMAND_OPTIONS, answers, to_frames, to_reply
from skill_runtime.client.errors import ProtocolError, ResourceError
from skill_runtime.client.sockets.opening import (
    close_socket,
    open_socket,
    process_context,
    unanswered,
)
from skill_runtime.client.steps import Answer
from skill_runtime.security.client_keys import ClientKeys


def open_aio_socket(
    kind: int,
    address: str,
    options: Mapping[zmq.SocketOption, int],
    keys: ClientKeys | None = None,
) -> zmq.asyncio.Socket:
    """Returns a connected socket of the running event loop; see ``open_socket``.

    Raises:
        InvalidAddressError: ZeroMQ cannot connect to ``address``.
        ResourceError: this process cannot open another socket.
    """
    context = zmq.asyncio.Context(process_context())
    return cast("zmq.asyncio.Socket", open_socket(kind, address, options, context, keys))


class AsyncConnection:
    """Requests to one address, in one event loop.

    Args:
        address: ZeroMQ endpoint of a ROUTER socket.
        keys: Keys of client and server; None to connect without keys.
    """

    def __init__(self, address: str, keys: ClientKeys | None = None) -> None:
        self.address = address
        self.keys = keys
        self._socket: zmq.asyncio.Socket | None = None
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._replies = 0
        self._count = 0

    async def exchange(
        self, message: Message, arrays: Mapping[str, FloatArray] | None, timeout_s: float
    ) -> Answer:
        """Sends one message and returns its reply, which may be an error.

        Raises:
            ServerUnreachableError: no reply arrived within the timeout.
            ProtocolError: the reply is not a message of this protocol version.
            ResourceError: this process cannot open a socket.
            CommandRefusedError: ``too_large``, a frame exceeds the limit.
        """
        self._count += 1
        message_id, replies = self._count, self._replies
        frames = to_frames(message.model_copy(update={"id": message_id}), arrays)
        socket = self._connected()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = future
        try:
            async with asyncio.timeout(timeout_s):
                await socket.send_multipart(frames)
                return await future
        except TimeoutError:
            error = unanswered(self.address, timeout_s, socket)
            if self._replies == replies:
                # Not a single reply: the connection may be dead, the next request opens another.
                self.close()
            raise error from None
        except zmq.ZMQError as error:
            raise ResourceError(f"the socket failed: {error}") from None
        finally:
            self._waiting.pop(message_id, None)

    def _connected(self) -> zmq.asyncio.Socket:
        if self._socket is None:
            self._socket = open_aio_socket(zmq.DEALER, self.address, COMMAND_OPTIONS, self.keys)
            self._listen(self._socket)
        return self._socket

    def _listen(self, socket: zmq.asyncio.Socket) -> None:
        received = asyncio.ensure_future(socket.recv_multipart())
        received.add_done_callback(lambda done: self._received(socket, done))

    def _received(self, socket: zmq.asyncio.Socket, done: asyncio.Future[list[bytes]]) -> None:
        if done.cancelled() or socket is not self._socket:
            return
        error = done.exception()
        if error is not None:
            self._fail(ResourceError(f"the socket failed: {error}"))
            return
        self._listen(socket)
        self._replies += 1
        try:
            answer = to_reply(done.result(), self.address)
        except ProtocolError as problem:
            self._fail(problem)
            return
        self._deliver(answer)

    def _deliver(self, answer: Answer) -> None:
        reply = answer[0]
        # An error with id 0 answers the oldest request.
        for message_id, future in self._waiting.items():
            if answers(reply, message_id) and not future.done():
                future.set_result(answer)
                return
        if isinstance(reply, Granted) and self._socket is not None:
            release = Release(lease=reply.lease, instance=reply.instance or None)
            sent = asyncio.ensure_future(
                self._socket.send_multipart(to_frames(release), zmq.DONTWAIT)
            )
            sent.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _fail(self, error: Exception) -> None:
        """Raises an error in the oldest request that waits."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
                return

    def close(self) -> None:
        """Closes the socket; the next request opens another."""
        socket, self._socket = self._socket, None
        if socket is not None:
            close_socket(socket)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
