"""AsyncTelemetrySubscription: the newest state that a server has published, in an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import zmq

from skill_runtime.client.aio.connection import open_aio_socket
from skill_runtime.client.sockets.opening import handshake_of
from skill_runtime.client.telemetry import SUBSCRIBER_OPTIONS, TelemetrySubscription

if TYPE_CHECKING:
    import asyncio


class AsyncTelemetrySubscription(TelemetrySubscription):
    """A SUB socket of an event loop that keeps only the newest message."""

    def _open(self, address: str) -> zmq.Socket[Any]:
        return open_aio_socket(zmq.SUB, address, SUBSCRIBER_OPTIONS, self._keys)

    def _receive(self, socket: zmq.Socket[Any]) -> bytes:
        # With DONTWAIT the future is done at once.
        return cast("asyncio.Future[bytes]", socket.recv(zmq.DONTWAIT)).result()

    async def arrival(self, timeout_s: float) -> None:
        """Waits until a message has arrived, at most ``timeout_s`` [s].

        Raises:
            HandshakeError: the server refuses the key.
        """
        socket = self._socket
        if socket is not None:
            wait_ms = max(1, round(1000 * timeout_s))
            arrived = await cast("asyncio.Future[int]", socket.poll(wait_ms))
            if not arrived and socket is self._socket:
                self._raise_if_refused(handshake_of(socket).likely_refusal())
