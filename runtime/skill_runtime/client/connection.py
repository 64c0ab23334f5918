"""Connection: requests and replies over one DEALER socket; every wait has a timeout.

A connection belongs to one thread. An exception during a request closes the socket, and the next
request opens a new one, so that no partial message and no late reply remains in it. A stream posts
its messages without waiting and reads the replies later.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Self, TypeVar

import zmq

from skill_proto.arrays import FloatArray
from skill_proto.messages import REPLY, Error, Message, Reply
from skill_proto.printable import printable
from skill_proto.wire import MAX_FRAME_BYTES, WireError, pack, unpack
from skill_runtime.client.errors import (
    CommandRefusedError,
    InvalidAddressError,
    ProtocolError,
    ResourceError,
    ServerUnreachableError,
    from_reply,
)

HEARTBEAT_MS = 1000
"""Interval of ZeroMQ's own heartbeat [ms]. A subscriber never sends, so only the heartbeat detects
that its connection died silently. A DEALER has no heartbeat: its requests time out, and libzmq
4.3.5 aborts the *server* if a connection is reset while a heartbeat is among its unread messages
(``Assertion failed: !_io_error``)."""

COMMAND_OPTIONS: dict[zmq.SocketOption, int] = {
    zmq.IMMEDIATE: 1,  # no message is queued for a server that starts later
    zmq.SNDHWM: 16,
    zmq.RCVHWM: 16,
}
"""Options of a DEALER socket."""

MAX_REPLIES_AT_ONCE = 256
"""Most replies that :meth:`Connection.replies` reads in one call: a peer that never pauses must not
keep the caller."""

FREE_FILES = 8
"""Files that a process must be able to open before it opens a socket: libzmq aborts the process if
it cannot start its threads."""

_contexts: dict[int, zmq.Context[zmq.Socket[bytes]]] = {}


def process_context() -> zmq.Context[zmq.Socket[bytes]]:
    """Returns the ZeroMQ context of all clients of this process.

    It is not ``zmq.Context.instance()``, which other parts of the program may terminate. A process
    that was forked gets its own.
    """
    pid = os.getpid()
    context = _contexts.get(pid)
    if context is None or context.closed:
        context = _contexts[pid] = zmq.Context()
    return context


def open_socket(
    kind: int,
    address: str,
    options: Mapping[zmq.SocketOption, int],
    context: zmq.Context[Any] | None = None,
) -> zmq.Socket[Any]:
    """Returns a connected socket that never delays the end of the program.

    Args:
        kind: Type of the socket.
        address: Endpoint to connect to.
        options: Options beyond those of every socket.
        context: Context to use; that of the process if None.

    Raises:
        InvalidAddressError: ZeroMQ cannot connect to ``address``.
        ResourceError: this process cannot open another socket.
    """
    common = {zmq.LINGER: 0, zmq.IPV6: int("[" in str(address)), zmq.MAXMSGSIZE: MAX_FRAME_BYTES}
    heartbeat = {zmq.HEARTBEAT_IVL: HEARTBEAT_MS, zmq.HEARTBEAT_TIMEOUT: 3 * HEARTBEAT_MS}
    if kind == zmq.SUB:
        common |= heartbeat
    if not _can_open_files():
        raise _too_many_files()
    try:
        socket = (context or process_context()).socket(kind)
    except zmq.ZMQError as error:
        raise _too_many_files(zmq.strerror(error.errno or 0)) from None
    try:
        for option, value in {**common, **options}.items():
            socket.setsockopt(option, value)
        socket.connect(address)
    except (zmq.ZMQError, TypeError, ValueError) as error:
        socket.close()
        reason = zmq.strerror(error.errno or 0) if isinstance(error, zmq.ZMQError) else str(error)
        raise InvalidAddressError(address, reason) from None
    return socket


def close_with(owner: object, socket: zmq.Socket[Any]) -> Callable[[], object]:
    """Closes the socket when the program no longer refers to its owner.

    Returns:
        A function that cancels this, for a socket that was closed.
    """
    closing = weakref.finalize(owner, socket.close)
    closing.atexit = False  # at the end of the program another thread may be using it
    return closing.detach


def _can_open_files() -> bool:
    opened: list[int] = []
    try:
        while len(opened) < FREE_FILES:
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    finally:
        for file in opened:
            os.close(file)
    return True


def _too_many_files(reason: str = "too many open files") -> ResourceError:
    return ResourceError(
        f"this process cannot open another socket: {reason}. Fix: close clients that are no longer "
        "used, or raise the limit of open files (ulimit -n)"
    )


def unanswered(address: str, timeout_s: float) -> ServerUnreachableError | ResourceError:
    """Returns the error for a request without a reply."""
    # libzmq retries in silence if it cannot open the file of a connection.
    return ServerUnreachableError(address, timeout_s) if _can_open_files() else _too_many_files()


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
        return unpack(frames, REPLY, max_header_bytes=MAX_FRAME_BYTES)
    except WireError as error:
        raise ProtocolError(
            f"the reply from {address} is not of this protocol: {printable(str(error))}"
        ) from None


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
    ) -> tuple[Reply, dict[str, FloatArray]]:
        """Sends one message and returns its reply, which may be an error.

        Args:
            message: The request.
            arrays: Its arrays.
            timeout_s: Longest wait [s]; that of the connection if None.

        Raises:
            ServerUnreachableError, ProtocolError, ResourceError: as :meth:`ask`.
        """
        self._count += 1
        message = message.model_copy(update={"id": self._count})
        frames = to_frames(message, arrays)
        try:
            reply, results = self._send(
                frames, message.id, self.timeout_s if timeout_s is None else timeout_s
            )
        except BaseException:
            self.close()
            raise
        self.time = reply.time
        return reply, results

    def _send(
        self, frames: list[bytes], message_id: int, timeout_s: float
    ) -> tuple[Reply, dict[str, FloatArray]]:
        deadline = time.monotonic() + timeout_s
        socket = self._connected()
        try:
            socket.sndtimeo = max(1, round(1000 * timeout_s))
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
        raise unanswered(self.address, timeout_s)

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

    def _connected(self) -> zmq.Socket[bytes]:
        if self._socket is None:
            self._socket = open_socket(zmq.DEALER, self.address, COMMAND_OPTIONS)
            self._closed = close_with(self, self._socket)
        return self._socket

    def close(self) -> None:
        """Closes the socket; the next request opens another."""
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()
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
        raise ProtocolError(f"expected the reply {kind.__name__.lower()!r}, got {reply.type!r}")
    return reply
