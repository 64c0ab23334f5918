"""TelemetrySubscription: the newest state that a server has published."""

from __future__ import annotations

import time
from collections.abc import Callable

import zmq

from skill_proto.messages import TELEMETRY, Telemetry
from skill_proto.wire import MAX_FRAME_BYTES, WireError, unpack
from skill_runtime.client.connection import open_socket
from skill_runtime.client.errors import ProtocolError, ServerUnreachableError


class TelemetrySubscription:
    """A SUB socket that keeps only the newest message; the first use connects it.

    Args:
        find_address: Returns the server's telemetry address; called when it is needed.

    Attributes:
        latest: newest state read; None before the first.
    """

    def __init__(self, find_address: Callable[[], str]) -> None:
        self.latest: Telemetry | None = None
        self._find_address = find_address
        self._socket: zmq.Socket[bytes] | None = None

    def connect(self) -> zmq.Socket[bytes]:
        """Returns the socket, connected."""
        if self._socket is None:
            socket = open_socket(zmq.SUB, self._find_address(), {zmq.CONFLATE: 1})
            socket.subscribe(b"")
            self._socket = socket
        return self._socket

    def poll(self) -> Telemetry | None:
        """Reads the waiting state without blocking; returns None if there is no new one.

        Raises:
            ProtocolError: the message is not telemetry of this protocol version.
        """
        socket = self.connect()
        return self._read(socket) if socket.poll(0) else None

    def wait(self, since: float, timeout_s: float) -> Telemetry:
        """Waits for a state of server time ``since`` [s] or later; older states are dropped.

        Raises:
            ServerUnreachableError: no such state arrived within the timeout.
            ProtocolError: a message is not telemetry of this protocol version.
        """
        socket = self.connect()
        deadline = time.monotonic() + timeout_s
        while socket.poll(max(0, round(1000 * (deadline - time.monotonic())))):
            state = self._read(socket)
            if state.time >= since:
                return state
        raise ServerUnreachableError(self._find_address(), timeout_s)

    def _read(self, socket: zmq.Socket[bytes]) -> Telemetry:
        try:
            state, _ = unpack([socket.recv()], TELEMETRY, max_header_bytes=MAX_FRAME_BYTES)
        except WireError as error:
            raise ProtocolError(f"the telemetry is not of this protocol: {error}") from None
        self.latest = state
        return state

    def close(self) -> None:
        """Closes the socket; the next use opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
