"""AsyncTelemetrySubscription: the newest state that a server has published, in an event loop."""

from __future__ import annotations

import asyncio

import zmq
import zmq.asyncio

from skill_proto.messages import Telemetry
from skill_runtime.client.aio.connection import open_aio_socket
from skill_runtime.client.errors import ResourceError
from skill_runtime.client.telemetry import (
    SUBSCRIBER_OPTIONS,
    TelemetrySubscription,
    to_telemetry,
)


class AsyncTelemetrySubscription(TelemetrySubscription):
    """A SUB socket of an event loop that keeps only the newest message."""

    def __init__(self) -> None:
        super().__init__()
        self._aio: zmq.asyncio.Socket | None = None

    def connect(self, address: str) -> None:
        """Connects to this address; has no effect if the socket is connected to it.

        Raises:
            InvalidAddressError: ZeroMQ cannot connect to the address.
            ResourceError: this process cannot open a socket.
        """
        if self._aio is not None and address == self._address:
            return
        self.close()
        socket = open_aio_socket(zmq.SUB, address, SUBSCRIBER_OPTIONS)
        socket.subscribe(b"")
        self._address, self._aio = address, socket

    def poll(self) -> Telemetry | None:
        """Reads the waiting state without a wait; returns None if there is no new one.

        Raises:
            ProtocolError: the message is not telemetry of this protocol version.
            ResourceError: the socket failed.
        """
        if self._aio is None:
            return None
        try:
            frame = asyncio.ensure_future(self._aio.recv(zmq.DONTWAIT)).result()
        except zmq.Again:
            return None
        except zmq.ZMQError as error:
            raise ResourceError(f"the telemetry socket failed: {error}") from None
        return to_telemetry(frame)

    async def arrival(self, timeout_s: float) -> None:
        """Waits until a message has arrived, at most ``timeout_s`` [s]."""
        if self._aio is not None:
            await self._aio.poll(max(1, round(1000 * timeout_s)))

    def close(self) -> None:
        """Closes the socket."""
        socket, self._aio = self._aio, None
        if socket is not None:
            socket.close()
