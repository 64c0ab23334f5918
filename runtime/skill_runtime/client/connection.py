"""Channel: one request, one reply over a DEALER socket; every wait has an end.

A channel belongs to one thread. Whatever interrupts a request closes the socket, and the next
request opens a new one, so that neither half a message nor an old reply is left in it. A channel
used for a stream posts its messages and reads the replies when they have come.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Self, TypeVar

import zmq

from skill_proto.arrays import FloatArray
from skill_proto.messages import (
    REPLY,
    Error,
    Message,
    Reply,
)
from skill_proto.wire import MAX_FRAME_BYTES, WireError, pack, unpack
from skill_runtime.client.errors import (
    CommandRefusedError,
    InvalidAddressError,
    ProtocolError,
    ServerUnreachableError,
    from_reply,
)

HEARTBEAT_MS = 1000
"""Interval of ZeroMQ's own heartbeat, by which a subscriber, who sends nothing, finds out about a
connection that died silently. Whoever sends commands has none: a request finds out by itself, and
libzmq (4.3.5) aborts the *server* where a connection whose messages it has not read is reset with
a heartbeat among them (``Assertion failed: !_io_error``)."""


def open_socket(
    kind: int, address: str, options: Mapping[zmq.SocketOption, int]
) -> zmq.Socket[bytes]:
    """A connected socket that never delays the end of the program.

    Raises:
        InvalidAddressError: ``address`` is not one that ZeroMQ can connect to.
    """
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    common = {
        zmq.LINGER: 0,
        zmq.IPV6: int("[" in address),
        zmq.MAXMSGSIZE: MAX_FRAME_BYTES,
    }
    beats = {zmq.HEARTBEAT_IVL: HEARTBEAT_MS, zmq.HEARTBEAT_TIMEOUT: 3 * HEARTBEAT_MS}
    if kind == zmq.SUB:
        common |= beats
    for option, value in {**common, **options}.items():
        socket.setsockopt(option, value)
    try:
        socket.connect(address)
    except zmq.ZMQError as error:
        socket.close()
        raise InvalidAddressError(address, error.strerror or str(error)) from None
    return socket


class Connection:
    """Requests to one address.

    Args:
        address: ZeroMQ endpoint of a ROUTER socket.
        timeout_s: Longest wait for a reply [s].

    Attributes:
        time: server time of the newest reply, an error or not [s].
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
        """Sends one message and returns the reply to it with its arrays.

        Raises:
            ServerUnreachableError: no reply within the timeout.
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
                # An error that carries no id answers what the server could not read.
                if reply.id == message_id or (reply.id == 0 and isinstance(reply, Error)):
                    return reply, arrays
        except zmq.Again:
            raise ServerUnreachableError(self.address, self.timeout_s) from None

    def post(self, message: Message) -> int | None:
        """Sends one message without waiting.

        Returns:
            The id that its reply will carry, None where it cannot be sent now: there is no
            connection, or too much is waiting to be sent.
        """
        self._count += 1
        try:
            frames = pack(message.model_copy(update={"id": self._count}))
            self._connected().send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return None
        return self._count

    def replies(self, wait_s: float = 0.0) -> Iterator[Reply]:
        """Replies to what was posted, errors among them, that are there after ``wait_s`` [s].

        The wait, to a millisecond, ends with the first of them.

        Raises:
            ProtocolError: one is not a message of this protocol version.
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
            # IMMEDIATE: nothing is queued for a server that is not there, to be read when it comes.
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
        # A welcome carries a manifest, which may be longer than what a server reads.
        return unpack(frames, REPLY, max_header_bytes=MAX_FRAME_BYTES)
    except WireError as error:
        raise ProtocolError(f"{address} does not speak this protocol: {error}") from None


R = TypeVar("R", bound=Reply)


def expect(reply: Reply, kind: type[R]) -> R:
    """The reply, if it is of this kind.

    Raises:
        ProtocolError: it is of another kind.
    """
    if not isinstance(reply, kind):
        raise ProtocolError(f"expected the reply {kind.__name__.lower()!r}, got {reply.type!r}")
    return reply
