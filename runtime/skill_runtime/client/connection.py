"""Connection: requests and replies over one DEALER socket; every wait has a timeout.

A connection belongs to one thread. An exception during a request closes the socket, and the next
request opens a new one, so that no partial message and no late reply remains in it. A stream posts
its messages without waiting and reads the replies later.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Self, TypeVar

import zmq

from skill_proto.arrays import FloatArray
from skill_proto.messages import REPLY, Error, Message, Reply
from skill_proto.wire import MAX_FRAME_BYTES, WireError, pack, unpack
from skill_runtime.client.errors import (
    CommandRefusedError,
    InvalidAddressError,
    ProtocolError,
    ServerUnreachableError,
    from_reply,
)

HEARTBEAT_MS = 1000
"""Interval of ZeroMQ's own heartbeat [ms]. A subscriber never sends, so only the heartbeat detects
that its connection died silently. A DEALER has no heartbeat: its requests time out, and libzmq
4.3.5 aborts the *server* if a connection is reset while a heartbeat is among its unread messages
(``Assertion failed: !_io_error``)."""


def open_socket(
    kind: int, address: str, options: Mapping[zmq.SocketOption, int]
) -> zmq.Socket[bytes]:
    """Returns a connected socket that never delays the end of the program.

    Raises:
        InvalidAddressError: ZeroMQ cannot connect to ``address``.
    """
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    common = {
        zmq.LINGER: 0,
        zmq.IPV6: int("[" in address),
        zmq.MAXMSGSIZE: MAX_FRAME_BYTES,
    }
    heartbeat = {zmq.HEARTBEAT_IVL: HEARTBEAT_MS, zmq.HEARTBEAT_TIMEOUT: 3 * HEARTBEAT_MS}
    if kind == zmq.SUB:
        common |= heartbeat
    for option, value in {**common, **options}.items():
        socket.setsockopt(option, value)
    try:
        socket.connect(address)
    except zmq.ZMQError as error:
        socket.close()
        raise InvalidAddressError(address, zmq.strerror(error.errno or 0)) from None
    return socket


class Connection:
    """Requests to one address.

    Args:
        address: ZeroMQ endpoint of a ROUTER socket.
        timeout_s: Longest wait for a reply [s].

    Attributes:
        time: server time of the newest reply, errors included [s].
    """

    def __init__(self, address: str, timeout_s: float) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self.time = 0.0
        self._socket: zmq.Socket[bytes] | None = None
        self._count = 0

    def ask(
        self, message: Message, arrays: Mapping[str, FloatArray] | None = None
    ) -> tuple[Reply, dict[str, FloatArray]]:
        """Sends one message and returns its reply with the reply's arrays.

        Raises:
            ServerUnreachableError: no reply arrived within the timeout.
            ProtocolError: the reply is not a message of this protocol version.
            LeaseLostError, CommandRefusedError: the reply is an error.
        """
        self._count += 1
        message = message.model_copy(update={"id": self._count})
        try:
            reply, results = self._exchange(pack(message, arrays), message.id)
        except BaseException:
            self.close()
            raise
        self.time = reply.time
        if isinstance(reply, Error):
            raise from_reply(reply)
        return reply, results

    def _exchange(
        self, frames: list[bytes], message_id: int
    ) -> tuple[Reply, dict[str, FloatArray]]:
        if max(map(len, frames)) > MAX_FRAME_BYTES:
            raise CommandRefusedError(
                "too_large", f"a frame exceeds {MAX_FRAME_BYTES} bytes", "send fewer rows at once"
            )
        deadline = time.monotonic() + self.timeout_s
        socket = self._connected()
        try:
            socket.send_multipart(frames)
            while True:
                socket.rcvtimeo = max(0, round(1000 * (deadline - time.monotonic())))
                reply, arrays = _read(socket.recv_multipart(), self.address)
                # An error with id 0 is the reply to a message that the server could not read.
                if reply.id == message_id or (reply.id == 0 and isinstance(reply, Error)):
                    return reply, arrays
        except zmq.Again:
            raise ServerUnreachableError(self.address, self.timeout_s) from None

    def post(self, message: Message) -> int | None:
        """Sends one message without waiting.

        Returns:
            The id of the future reply; None if the message cannot be sent now, because there is no
            connection or the send queue is full.
        """
        self._count += 1
        try:
            frames = pack(message.model_copy(update={"id": self._count}))
            self._connected().send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return None
        return self._count

    def replies(self, wait_s: float = 0.0) -> Iterator[Reply]:
        """Yields the replies that have arrived to posted messages, errors included.

        Args:
            wait_s: Longest wait for the first reply, with a resolution of 1 ms [s].

        Raises:
            ProtocolError: a reply is not a message of this protocol version.
        """
        socket = self._connected()
        wait_ms = int(1000 * wait_s)
        while socket.poll(wait_ms):
            reply, _ = _read(socket.recv_multipart(), self.address)
            self.time = reply.time
            wait_ms = 0
            yield reply

    def _connected(self) -> zmq.Socket[bytes]:
        if self._socket is None:
            # IMMEDIATE: no message is queued for a server that starts later.
            options = {zmq.IMMEDIATE: 1, zmq.SNDHWM: 16, zmq.RCVHWM: 16}
            self._socket = open_socket(zmq.DEALER, self.address, options)
            self._socket.sndtimeo = round(1000 * self.timeout_s)
        return self._socket

    def close(self) -> None:
        """Closes the socket; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(frames: list[bytes], address: str) -> tuple[Reply, dict[str, FloatArray]]:
    try:
        # A welcome carries a manifest, which may exceed the header limit of a server.
        return unpack(frames, REPLY, max_header_bytes=MAX_FRAME_BYTES)
    except WireError as error:
        raise ProtocolError(f"the reply from {address} is not of this protocol: {error}") from None


R = TypeVar("R", bound=Reply)


def expect(reply: Reply, kind: type[R]) -> R:
    """Returns the reply if it is of this kind.

    Raises:
        ProtocolError: the reply is of another kind.
    """
    if not isinstance(reply, kind):
        raise ProtocolError(f"expected the reply {kind.__name__.lower()!r}, got {reply.type!r}")
    return reply
