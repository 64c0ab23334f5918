"""Connection: requests and replies over one DEALER socket; every wait has a timeout.

A connection belongs to one thread. An exception during a request closes the socket, and the next
request opens a new one, so that no partial message and no late reply remains in it. A stream posts
its messages without waiting and reads the replies later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Self, TypeVar

import zmq

from skill_proto.arrays import FloatArray
from skill_proto.messages import REPLY, Error, Message, Reply, ServiceWelcome, Welcome
from skill_proto.ports import reachable_address
from skill_proto.printable import printable
from skill_proto.wire import MAX_FRAME_BYTES, WireError, pack, unpack
from skill_runtime.client.errors import (
    CommandRefusedError,
    HandshakeError,
    ProtocolError,
    ResourceError,
    ServerUnreachableError,
    from_reply,
)
from skill_runtime.client.sockets.opening import (
    close_socket,
    close_with,
    handshake_of,
    open_socket,
    unanswered,
)
from skill_runtime.security.client_keys import ClientKeys

QUEUE = 16
"""Messages that may wait in each direction [messages]."""

COMMAND_OPTIONS: dict[zmq.SocketOption, int] = {
    zmq.IMMEDIATE: 1,  # no message is queued for a server that starts later
    zmq.SNDHWM: QUEUE,
    zmq.RCVHWM: QUEUE,
}
"""Options of a DEALER socket."""

MAX_REPLIES_AT_ONCE = 256
"""Most replies that :meth:`Connection.replies` reads in one call: a peer that never pauses must not
keep the caller."""


def to_frames(message: Message, arrays: Mapping[str, FloatArray] | None = None) -> list[bytes]:
    """Returns the frames of a message.

    Raises:
        CommandRefusedError: ``too_large``, a frame exceeds the limit.
    """
    frames = pack(message, arrays)
    if max(map(len, frames)) > MAX_FRAME_BYTES:
        raise CommandRefusedError(
            "too_large", f"a frame exceeds {MAX_FRAME_BYTES} bytes", "send fewer rows at once"
        )
    return frames


def to_reply(frames: list[bytes], address: str) -> tuple[Reply, dict[str, FloatArray]]:
    """Returns the reply in these frames, with its arrays.

    Raises:
        ProtocolError: the frames are not a reply of this protocol version.
    """
    try:
        # A welcome carries a manifest, which may exceed the header limit of a server.
        reply, arrays = unpack(frames, REPLY, max_header_bytes=MAX_FRAME_BYTES)
    except WireError as error:
        raise ProtocolError(
            f"the reply from {address} is not of this protocol: {printable(str(error))}"
        ) from None
    return _reachable(reply, address), arrays


def _reachable(reply: Reply, address: str) -> Reply:
    """Replaces the host of a server on all networks, as 0.0.0.0, by that of ``address``."""
    if not isinstance(reply, Welcome):
        return reply
    names = ("telemetry_address", "stop_address")
    return reply.model_copy(
        update={name: reachable_address(getattr(reply, name), address) for name in names}
    )


class Connection:
    """Requests to one address.

    Args:
        address: ZeroMQ endpoint of a ROUTER socket.
        timeout_s: Longest wait for a reply [s].
        keys: Keys of client and server; None to connect without keys.
        queue: Messages that may wait in each direction.

    Attributes:
        time: server time of the newest reply, errors included [s].
    """

    def __init__(
        self, address: str, timeout_s: float, keys: ClientKeys | None = None, queue: int = QUEUE
    ) -> None:
        self.address = address
        self._options = COMMAND_OPTIONS | {zmq.SNDHWM: queue, zmq.RCVHWM: queue}
        self.timeout_s = timeout_s
        self.keys = keys
        self.time = 0.0
        self._socket: zmq.Socket[bytes] | None = None
        self._closed: Callable[[], object] = bool
        self._count = 0

    def ask(
        self, message: Message, arrays: Mapping[str, FloatArray] | None = None
    ) -> tuple[Reply, dict[str, FloatArray]]:
        """Sends one message and returns its reply with the reply's arrays.

        Raises:
            ServerUnreachableError: no reply arrived within the timeout.
            ProtocolError: the reply is not a message of this protocol version.
            ResourceError: this process cannot open a socket.
            LeaseLostError, CommandRefusedError, WrongServerError, SessionLostError: the reply is an
                error.
        """
        reply, results = self.exchange(message, arrays)
        if isinstance(reply, Error):
            raise from_reply(reply, self.address)
        return reply, results

    def exchange(
        self,
        message: Message,
        arrays: Mapping[str, FloatArray] | None = None,
        timeout_s: float | None = None,
        began: float | None = None,
    ) -> tuple[Reply, dict[str, FloatArray]]:
        """Sends one message and returns its reply, which may be an error.

        Args:
            message: The request.
            arrays: Its arrays.
            timeout_s: Longest wait [s]; that of the connection if None.
            began: Monotonic time from which the wait counts [s]; now if None.

        Raises:
            ServerUnreachableError, ProtocolError, ResourceError: as :meth:`ask`.
        """
        self._count += 1
        message = message.model_copy(update={"id": self._count})
        frames = to_frames(message, arrays)
        try:
            reply, results = self._send(
                frames, message.id, self.timeout_s if timeout_s is None else timeout_s, began
            )
        except BaseException:
            self.close()
            raise
        self.time = reply.time
        return reply, results

    def _send(
        self, frames: list[bytes], message_id: int, timeout_s: float, began: float | None
    ) -> tuple[Reply, dict[str, FloatArray]]:
        deadline = (time.monotonic() if began is None else began) + timeout_s
        socket = self._connected()
        try:
            self._await_connection(socket, deadline)
            socket.sndtimeo = max(1, round(1000 * (deadline - time.monotonic())))
            socket.send_multipart(frames)
            while (left := deadline - time.monotonic()) > 0:
                socket.rcvtimeo = max(1, round(1000 * left))
                reply, arrays = to_reply(socket.recv_multipart(), self.address)
                if answers(reply, message_id):
                    return reply, arrays
        except zmq.Again:
            pass
        except zmq.ZMQError as error:
            raise ResourceError(f"the socket failed: {error}") from None
        raise unanswered(self.address, timeout_s, socket)

    def _await_connection(self, socket: zmq.Socket[bytes], deadline: float) -> None:
        """Waits until a message can be sent; raises at once if the server refuses the connection.

        Raises:
            HandshakeError: The server refuses the key, or only one side has keys.
        """
        handshake = handshake_of(socket)
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLOUT)
        poller.register(handshake.monitor, zmq.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            ready = dict(poller.poll(max(1, round(1000 * left))))
            reason = handshake.refusal()
            if reason:
                raise HandshakeError(self.address, reason)
            if socket in ready:
                return

    def no_answer(self, timeout_s: float) -> ServerUnreachableError | ResourceError:
        """Returns the error for posted messages without a reply, with the reason if it is known."""
        return unanswered(self.address, timeout_s, self._socket)

    def post(self, message: Message) -> int | None:
        """Sends one message without waiting.

        Returns:
            The id of the future reply; None if the message cannot be sent now, because there is no
            connection or the send queue is full.

        Raises:
            ResourceError: this process cannot open a socket.
        """
        self._count += 1
        frames = to_frames(message.model_copy(update={"id": self._count}))
        try:
            self._connected().send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return None
        except zmq.ZMQError as error:
            raise ResourceError(f"the socket failed: {error}") from None
        return self._count

    def replies(self, wait_s: float = 0.0) -> Iterator[Reply]:
        """Yields the replies that have arrived to posted messages, errors included.

        Args:
            wait_s: Longest wait for the first reply, with a resolution of 1 ms [s].

        Raises:
            ProtocolError: a reply is not a message of this protocol version.
            ResourceError: the socket failed.
        """
        wait_ms = int(1000 * wait_s)
        for _ in range(MAX_REPLIES_AT_ONCE):
            try:
                socket = self._connected()
                if not socket.poll(wait_ms):
                    return
                frames = socket.recv_multipart()
            except zmq.ZMQError as error:
                raise ResourceError(f"the socket failed: {error}") from None
            reply, _ = to_reply(frames, self.address)
            self.time = reply.time
            wait_ms = 0
            yield reply

    def connect(self, began: float) -> zmq.Socket[bytes]:
        """Returns the socket once it is connected, for a caller that sends by itself.

        Args:
            began: Monotonic time from which the timeout counts [s].

        Raises:
            ServerUnreachableError: There is no connection within the timeout.
            ResourceError: This process cannot open a socket.
        """
        socket, deadline = self._connected(), began + self.timeout_s
        self._await_connection(socket, deadline)
        if time.monotonic() >= deadline:
            raise self.unanswered()
        return socket

    def open(self) -> zmq.Socket[bytes]:
        """Returns the socket, which may still be connecting.

        Raises:
            ResourceError: This process cannot open a socket.
        """
        return self._connected()

    def refusal(self) -> str:
        """Returns why the server refuses this connection, if that is certain; else an empty text.

        ZeroMQ does not repeat the connection then.
        """
        return "" if self._socket is None else handshake_of(self._socket).refusal()

    def unanswered(self) -> ServerUnreachableError | ResourceError:
        """Returns the error for a request without a reply."""
        return unanswered(self.address, self.timeout_s, self._socket)

    def _connected(self) -> zmq.Socket[bytes]:
        if self._socket is None:
            self._socket = open_socket(zmq.DEALER, self.address, self._options, keys=self.keys)
            self._closed = close_with(self, self._socket)
        return self._socket

    def close(self) -> None:
        """Closes the socket; the next request opens another."""
        socket, self._socket = self._socket, None
        if socket is not None:
            close_socket(socket)
            self._closed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        with suppress(Exception):  # at the end of the interpreter, modules may be gone
            self.close()


def answers(reply: Reply, message_id: int) -> bool:
    """Returns whether this is the reply to the message with this id."""
    # An error with id 0 is the reply to a message that the server could not read.
    return reply.id == message_id or (reply.id == 0 and isinstance(reply, Error))


def is_other(instance: str, known: str) -> bool:
    """Returns whether ``instance`` names another server than ``known``."""
    # A server of an earlier version sends no instance.
    return bool(instance and known and instance != known)


R = TypeVar("R", bound=Reply)


def expect(reply: Reply, kind: type[R]) -> R:
    """Returns the reply if it is of this kind.

    Raises:
        ProtocolError: the reply is of another kind.
    """
    if not isinstance(reply, kind):
        raise ProtocolError(_other_kind(reply, kind))
    return reply


def _other_kind(reply: Reply, kind: type[Reply]) -> str:
    """Returns the error text for a reply of another kind, which names the kind of the server."""
    if isinstance(reply, ServiceWelcome):
        return (
            "the server is a policy service, without an arm. Fix: use PolicyClient or "
            "AsyncPolicyClient, or give the address of a server with an arm"
        )
    if isinstance(reply, Welcome):
        return (
            "the server has an arm, and is no policy service. Fix: use SkillClient or "
            "AsyncSkillClient, whose act() it answers, or give the address of a policy service"
        )
    return f"expected the reply {kind.__name__.lower()!r}, got {reply.type!r}"
