"""A ZeroMQ peer (ZMTP 3) made of bytes, for frames that libzmq does not send."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Self

MORE, LONG, COMMAND = 1, 2, 4
"""Flags of a frame."""

GREETING_BYTES = 64

HANDSHAKE_S = 5.0
"""Longest wait for the handshake of the server [s]."""

CHUNK_BYTES = 1 << 18


class PeerClosedError(ConnectionError):
    """The server closed the connection, or accepts no more bytes in time."""


def endpoint(address: str) -> tuple[str, int]:
    """Returns host and port of an address such as ``tcp://127.0.0.1:5555``."""
    host, port = address.removeprefix("tcp://").rsplit(":", 1)
    return host, int(port)


def connect_tcp(address: str, timeout_s: float = HANDSHAKE_S) -> socket.socket:
    """Opens a TCP connection to an address of ZeroMQ.

    Raises:
        OSError: the server accepts no connection.
    """
    return socket.create_connection(endpoint(address), timeout=timeout_s)


def greeting(minor: int = 0) -> bytes:
    """Returns the greeting of ZMTP 3.``minor`` without security."""
    signature = b"\xff" + bytes(8) + b"\x7f"
    return signature + bytes([3, minor]) + b"NULL".ljust(20, b"\0") + bytes(32)


def frame(body: bytes, flags: int = 0) -> bytes:
    """Returns one frame.

    Args:
        body: Content of the frame.
        flags: :data:`MORE` if another frame of the message follows.
    """
    if len(body) > 255:
        return struct.pack(">BQ", flags | LONG, len(body)) + body
    return bytes([flags, len(body)]) + body


def message(*bodies: bytes) -> bytes:
    """Returns the frames of one message."""
    return b"".join(frame(body, MORE) for body in bodies[:-1]) + frame(bodies[-1])


def command(name: bytes, body: bytes = b"") -> bytes:
    """Returns a command of the protocol, such as ``PING``."""
    return frame(bytes([len(name)]) + name + body, COMMAND)


def ready(socket_type: str, identity: bytes = b"") -> bytes:
    """Returns the command that ends the handshake."""
    fields = {b"Socket-Type": socket_type.encode(), b"Identity": identity}
    return command(
        b"READY",
        b"".join(
            bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
            for name, value in fields.items()
        ),
    )


class RawPeer:
    """A connection after the handshake; it reads no frame.

    Args:
        address: Address of the server's socket.
        socket_type: Type that the peer claims to have.
        identity: ZeroMQ identity; empty for none.
        minor: Minor version of the protocol; 1 adds heartbeats.

    Raises:
        OSError: the server accepts no connection, or ends the handshake.
    """

    def __init__(
        self, address: str, socket_type: str = "DEALER", *, identity: bytes = b"", minor: int = 0
    ) -> None:
        self._socket = connect_tcp(address)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(greeting(minor) + ready(socket_type, identity))
            self._skip(GREETING_BYTES)
            self._skip(self._skip(2)[1])
        except BaseException:
            self._socket.close()
            raise

    def _skip(self, size: int) -> bytes:
        """Reads exactly ``size`` bytes."""
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise PeerClosedError("the server closed the connection during the handshake")
            data += more
        return data

    def send(self, data: bytes, running: Callable[[], bool] = lambda: True) -> int:
        """Sends bytes while ``running``.

        Returns:
            The number of bytes that the system accepted.

        Raises:
            PeerClosedError: the server closed the connection.
        """
        self._socket.setblocking(False)
        view, sent = memoryview(data), 0
        try:
            while sent < len(view) and running():
                if select.select([], [self._socket], [], 0.02)[1]:
                    with contextlib.suppress(BlockingIOError):
                        sent += self._socket.send(view[sent : sent + CHUNK_BYTES])
        except OSError as error:
            raise PeerClosedError(str(error)) from None
        return sent

    def has_frames(self, seconds: float) -> bool:
        """Returns whether bytes of the server wait to be read, or arrive in time."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def ended_within(self, seconds: float) -> bool:
        """Reads and drops bytes; returns whether the server closes the connection in time."""
        ends = time.monotonic() + seconds
        self._socket.setblocking(False)
        while (left_s := ends - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left_s)[0]:
                try:
                    if not self._socket.recv(CHUNK_BYTES):
                        return True
                except OSError:
                    return True
        return False

    def reset(self) -> None:
        """Closes the connection with a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
