"""The UDP side of a connection: states go out, commands come back."""

from __future__ import annotations

import socket

_LONGEST = 512
"""Bytes read of each datagram; a longer one has a wrong size in any case."""


class StateStream:
    """Datagrams to and from the port that the client named in Connect. It never blocks.

    Args:
        address: IP address of the control box; the port is a free one.
        peer: IP address of the client.
        port: UDP port of the client.

    Raises:
        OSError: the client cannot be reached by UDP.
    """

    def __init__(self, address: str, peer: str, port: int) -> None:
        if not port:
            raise OSError("UDP port 0 cannot receive states")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((address, 0))
            self._socket.connect((peer, port))  # other senders are ignored
            self._socket.setblocking(False)
        except OSError:
            self._socket.close()
            raise

    def send(self, datagram: memoryview | bytes) -> None:
        """Sends one datagram; it is lost if the network has no room or the port is closed.

        A closed UDP port is no reason to end the connection: TCP says when the client is gone.
        """
        try:
            self._socket.send(datagram)
        except OSError:
            return

    def receive(self) -> bytes | None:
        """Returns the oldest datagram that waits, None if there is none."""
        try:
            return self._socket.recv(_LONGEST)
        except OSError:  # none waits, or the client's port was closed for an earlier state
            return None

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()
