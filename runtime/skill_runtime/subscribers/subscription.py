"""Subscription: every message of the telemetry socket, across restarts of the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq

from skill_proto.messages import Welcome
from skill_runtime.client import ClientError, SkillClient
from skill_runtime.client.sockets.opening import open_socket

MAX_WAITING_MESSAGES = 20_000
"""Messages that wait in this process while it does other work: more than a minute of them."""

SUBSCRIBER_OPTIONS: dict[zmq.SocketOption, int] = {
    zmq.RCVHWM: MAX_WAITING_MESSAGES,
    # libzmq 4.3.5 aborts the process at a lost connection whose messages still wait, if its socket
    # sends heartbeats. With CONFLATE none wait; here they do.
    zmq.HEARTBEAT_IVL: 0,
    zmq.TCP_KEEPALIVE: 1,
}


class Subscription:
    """The telemetry of one server, and its description.

    Args:
        client: Client of the server; it only says ``hello``.
        topics: Topics beside telemetry.
        telemetry_address: Address for telemetry; that of the server if None.

    Attributes:
        welcome: Newest description of the server.

    Raises:
        ClientError: The server does not answer, or its address is not one.
    """

    def __init__(
        self,
        client: SkillClient,
        topics: Sequence[bytes] = (),
        telemetry_address: str | None = None,
    ) -> None:
        self._client = client
        self.welcome: Welcome = client.hello()
        self.address = telemetry_address or self.welcome.telemetry_address
        self._socket: zmq.Socket[Any] = open_socket(
            zmq.SUB, self.address, SUBSCRIBER_OPTIONS, keys=client.keys
        )
        for topic in (*topics, b""):  # with the first telemetry all of them are in force
            self._socket.subscribe(topic)

    def read(self, timeout_s: float) -> list[bytes] | None:
        """Returns the frames of the next message; None if none arrives within the timeout [s]."""
        if not self._socket.poll(round(1000 * timeout_s)):
            return None
        return self._socket.recv_multipart()

    def is_other(self, instance: str) -> bool:
        """Returns whether a message is of another run of the server than the description."""
        return instance != self.welcome.instance

    def describe_again(self) -> bool:
        """Asks for the description of a server that was started again; False without a reply."""
        try:
            self.welcome = self._client.hello()
        except ClientError:
            return False
        return True

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()
