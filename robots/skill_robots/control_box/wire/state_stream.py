"""The UDP side of a connection: states go out, commands come back."""

from __future__ import annotations

import socket
from contextlib import suppress

DATAGRAMS_PER_CYCLE = 64
"""Datagrams that one call of :meth:`StateStream.receive` reads at most, against floods."""

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

    def receive(self) -> list[bytes]:
        """Returns the datagrams that wait, the oldest first."""
        datagrams: list[bytes] = []
        # An OSError: no further one, or the client's port was closed for an earlier state.
        with suppress(OSError):
            while len(datagrams) < DATAGRAMS_PER_CYCLE:
                datagrams.append(self._socket.recv(_LONGEST))
        return datagrams

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()
