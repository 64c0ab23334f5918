"""Sockets that connect to a server, with keys if there are any, or the reason of a refusal."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from skill_proto.wire import MAX_FRAME_BYTES
from skill_runtime.client.errors import (
    HandshakeError,
    InvalidAddressError,
    ResourceError,
    ServerUnreachableError,
)
from skill_runtime.security.client_keys import ClientKeys
from skill_runtime.security.handshake import Handshake

HEARTBEAT_MS = 1000
"""Interval of ZeroMQ's own heartbeat [ms]. A subscriber never sends, so only the heartbeat detects
that its connection died silently. A DEALER has no heartbeat: its requests time out, and libzmq
4.3.5 aborts the *server* if a connection is reset while a heartbeat is among its unread messages
(``Assertion failed: !_io_error``)."""

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
        # A connection takes three sockets, and ZeroMQ's default of 1,023 ends at 341 clients.
        context.set(zmq.MAX_SOCKETS, int(context.get(zmq.SOCKET_LIMIT)))
    return context


def open_socket(
    kind: int,
    address: str,
    options: Mapping[zmq.SocketOption, int],
    context: zmq.Context[Any] | None = None,
    keys: ClientKeys | None = None,
) -> zmq.Socket[Any]:
    """Returns a connected socket that never delays the end of the program.

    Args:
        kind: Type of the socket.
        address: Endpoint to connect to.
        options: Options beyond those of every socket.
        context: Context to use; that of the process if None.
        keys: Keys of client and server; None to connect without keys.

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
        if keys is not None:
            keys.apply(socket)
        _handshakes[socket] = Handshake(socket, process_context(), keyed=keys is not None)
        socket.connect(address)
    except (zmq.ZMQError, TypeError, ValueError) as error:
        close_socket(socket)
        reason = zmq.strerror(error.errno or 0) if isinstance(error, zmq.ZMQError) else str(error)
        raise InvalidAddressError(address, reason) from None
    return socket


_handshakes: weakref.WeakKeyDictionary[zmq.Socket[Any], Handshake] = weakref.WeakKeyDictionary()


def handshake_of(socket: zmq.Socket[Any]) -> Handshake:
    """Returns the handshake of a socket that :func:`open_socket` has opened."""
    return _handshakes[socket]


def close_socket(socket: zmq.Socket[Any]) -> None:
    """Closes a socket that :func:`open_socket` has opened."""
    socket.close()
    handshake = _handshakes.pop(socket, None)
    if handshake is not None:
        handshake.close()


def close_with(owner: object, socket: zmq.Socket[Any]) -> Callable[[], object]:
    """Closes the socket when the program no longer refers to its owner.

    Returns:
        A function that cancels this, for a socket that was closed.
    """
    closing = weakref.finalize(owner, close_socket, socket)
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


def unanswered(
    address: str, timeout_s: float, socket: zmq.Socket[Any] | None = None
) -> ServerUnreachableError | ResourceError:
    """Returns the error for a request without a reply.

    Args:
        address: Endpoint of the server.
        timeout_s: Time for which the client has waited [s].
        socket: The socket, if it is known; the reason may be in its handshake.
    """
    if socket is not None and not socket.closed:
        handshake = handshake_of(socket)
        reason = handshake.likely_refusal()
        if reason:
            return HandshakeError(address, reason, is_certain=bool(handshake.refusal()))
    # libzmq retries in silence if it cannot open the file of a connection.
    return ServerUnreachableError(address, timeout_s) if _can_open_files() else _too_many_files()
