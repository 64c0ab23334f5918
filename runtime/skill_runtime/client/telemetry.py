"""TelemetrySubscription: the newest state that a server has published."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import zmq

from skill_proto.messages import TELEMETRY, Telemetry
from skill_proto.printable import printable
from skill_proto.wire import MAX_FRAME_BYTES, WireError, unpack
from skill_runtime.client.errors import HandshakeError, ProtocolError, ResourceError
from skill_runtime.client.sockets.opening import close_socket, close_with, handshake_of, open_socket
from skill_runtime.security.client_keys import ClientKeys

SUBSCRIBER_OPTIONS: dict[zmq.SocketOption, int] = {zmq.CONFLATE: 1}
"""Options of a SUB socket: it keeps only the newest message."""


class TelemetrySubscription:
    """A SUB socket that keeps only the newest message.

    Args:
        keys: Keys of client and server; None to connect without keys.
    """

    def __init__(self, keys: ClientKeys | None = None) -> None:
        self._keys = keys
        self._address = ""
        self._socket: zmq.Socket[Any] | None = None
        self._closed: Callable[[], object] = bool

    def connect(self, address: str) -> None:
        """Connects to this address; has no effect if the socket is connected to it.

        Raises:
            InvalidAddressError: ZeroMQ cannot connect to the address.
            ResourceError: this process cannot open a socket.
        """
        if self._socket is not None and address == self._address:
            return
        self.close()
        socket = self._open(address)
        socket.subscribe(b"")
        self._address, self._socket = address, socket

    def _open(self, address: str) -> zmq.Socket[Any]:
        socket = open_socket(zmq.SUB, address, SUBSCRIBER_OPTIONS, keys=self._keys)
        self._closed = close_with(self, socket)
        return socket

    def poll(self) -> Telemetry | None:
        """Reads the waiting state without blocking; returns None if there is no new one.

        Raises:
            ProtocolError: the message is not telemetry of this protocol version.
            HandshakeError: the server refuses the key.
            ResourceError: the socket failed.
        """
        if self._socket is None:
            return None
        try:
            frame = self._receive(self._socket)
        except zmq.Again:
            self._raise_if_refused(handshake_of(self._socket).refusal())
            return None
        except zmq.ZMQError as error:
            raise ResourceError(f"the telemetry socket failed: {error}") from None
        return to_telemetry(frame)

    def _receive(self, socket: zmq.Socket[Any]) -> bytes:
        return socket.recv(zmq.DONTWAIT)

    def wait(self, timeout_s: float) -> None:
        """Waits until a message has arrived, at most ``timeout_s`` [s].

        Raises:
            HandshakeError: the server refuses the key.
        """
        if self._socket is None:
            return
        poller, handshake = zmq.Poller(), handshake_of(self._socket)
        poller.register(self._socket, zmq.POLLIN)
        poller.register(handshake.monitor, zmq.POLLIN)
        if not poller.poll(max(1, round(1000 * timeout_s))):
            self._raise_if_refused(handshake.likely_refusal())

    def _raise_if_refused(self, reason: str) -> None:
        if reason:
            address = self._address
            self.close()  # libzmq does not repeat a connection whose key was refused
            raise HandshakeError(address, reason)

    def close(self) -> None:
        """Closes the socket."""
        socket, self._socket = self._socket, None
        if socket is not None:
            close_socket(socket)
            self._closed()

    def __del__(self) -> None:
        with suppress(Exception):  # at the end of the interpreter, modules may be gone
            self.close()


def to_telemetry(frame: bytes) -> Telemetry:
    """Returns the state in this frame.

    Raises:
        ProtocolError: the frame is not telemetry of this protocol version.
    """
    try:
        return unpack([frame], TELEMETRY, max_header_bytes=MAX_FRAME_BYTES)[0]
    except WireError as error:
        raise ProtocolError(
            f"the telemetry is not of this protocol: {printable(str(error))}"
        ) from None
