"""A TCP port that serves requests of one client at a time and never blocks.

Both services of the control box use it: their requests differ only in the layout of the header.
"""

from __future__ import annotations

import logging
import select
import socket
import struct
import time
from dataclasses import dataclass
from typing import Protocol

from skill_robots.control_box.wire.poller import Poller
from skill_robots.control_box.wire.state_stream import StateStream

MAX_REQUEST = 1024
"""Longest request with its header [bytes]; the longest one of the protocol has 428."""

MAX_UNSENT = 1 << 20
"""Bytes that may wait for a client that does not read; with more, its connection is closed."""

REQUESTS_PER_CYCLE = 4
"""Requests that one call of :meth:`RequestServer.serve` answers at most: a client that sends
many of them must not delay the cycle."""

CONNECT_TIMEOUT_S = 2.0
"""A client that has not sent a valid Connect after this time is disconnected [s]. libfranka sends
Connect at once; the time-out of a real robot is unknown."""

KEEPALIVE_S = 1
"""Silence after which the kernel probes a client, and time between two probes [s]. Three probes
without an answer end the connection: libfranka sets the same values on its side."""

_log = logging.getLogger(__name__)


class AddressInUseError(OSError):
    """A port of the control box cannot be bound; the text names the address and the fix."""


@dataclass(frozen=True, kw_only=True)
class Port:
    """A TCP port of a control box, and the layout of its messages."""

    name: str
    """For log lines."""
    number: int
    version: int
    """Version that a client must speak."""
    header: struct.Struct
    """Command, command id, and size of the message including the header."""
    connected: struct.Struct
    """Payload of the reply to Connect: status and version."""


class RequestHandler(Protocol):
    """The service behind a :class:`RequestServer`."""

    def request(self, command: int, command_id: int, payload: bytes) -> None:
        """Handles one request of a connected client, Connect aside.

        It may call ``reply`` and ``drop`` of the server.
        """
        ...

    def disconnected(self) -> None:
        """The connected client is gone."""
        ...


class RequestServer:
    """One TCP port.

    A second client is refused: its connection is closed at once. A real robot also serves one
    client only, and its way to refuse another one is undocumented; a takeover would let any
    program end a running motion by connecting.

    Attributes:
        peer: IP address of the client; "" without a client.
        stream: States to the client and commands from it; None before a valid Connect.
        connections: Clients so far.
        refused: Second clients that were refused so far.
    """

    def __init__(self, port: Port, handler: RequestHandler, poller: Poller, address: str) -> None:
        """Binds the port.

        Args:
            port: The port.
            handler: The service.
            poller: Poller of the control box.
            address: IP address to bind.

        Raises:
            AddressInUseError: the port cannot be bound.
        """
        self.peer = ""
        self.stream: StateStream | None = None
        self.connections = 0
        self.refused = 0
        self._port = port
        self._handler = handler
        self._poller = poller
        self._address = address
        self._client: socket.socket | None = None
        self._received = bytearray()
        self._unsent = bytearray()
        self._waits_for_reader = False
        self._deadline = 0.0
        self._listener = _listen(address, port.number)
        poller.add(self._listener, self._accept)

    def serve(self) -> None:
        """Handles the requests that the poller has received; call it once a cycle after the poll.

        Requests beyond :data:`REQUESTS_PER_CYCLE` wait for the next call.
        """
        for _ in range(REQUESTS_PER_CYCLE):
            if not self._received or not self._handle_one():
                break
        if self._client is not None and self.stream is None and time.monotonic() > self._deadline:
            self.drop(f"it sent no valid Connect within {CONNECT_TIMEOUT_S:g} s")

    def reply(self, command: int, command_id: int, payload: bytes) -> None:
        """Puts a reply in line for :meth:`flush`; without a client the call has no effect."""
        if self._client is None:
            return
        size = self._port.header.size + len(payload)
        self._unsent += self._port.header.pack(command, command_id, size) + payload
        if len(self._unsent) > MAX_UNSENT:
            self.drop(f"it did not read {len(self._unsent):,} bytes of replies")

    def flush(self) -> None:
        """Sends the replies of this cycle; call it after the state has been sent.

        A client that reads a state after a reply then finds the effect of its request in it.
        """
        if self._unsent and not self._waits_for_reader:
            self._send()

    def drop(self, reason: str) -> None:
        """Closes the connection to the client, with a log line."""
        client, self._client = self._client, None
        if client is None:
            return
        _log.log(
            logging.INFO if reason in (_CLOSED, _ENDS) else logging.WARNING,
            "%s: client %s disconnected: %s",
            self._port.name,
            self.peer,
            reason,
        )
        self._poller.remove(client)
        client.close()
        self._received.clear()
        self._unsent.clear()
        self.peer, self._waits_for_reader = "", False
        if self.stream is not None:
            self.stream.close()
            self.stream = None
            self._handler.disconnected()

    def close(self) -> None:
        """Closes port and connection."""
        self.drop(_ENDS)
        self._poller.remove(self._listener)
        self._listener.close()

    def _accept(self, events: int) -> None:
        del events
        try:
            client, (peer, _) = self._listener.accept()
        except OSError:  # the client is gone already
            return
        if self._client is not None:
            self._receive()  # a last request of the old client may wait,
            self._receive()  # and behind it the end of its connection
        if self._client is not None:
            self.refused += 1
            _log.warning(
                "%s: a second client, %s, is refused while %s is connected",
                self._port.name,
                peer,
                self.peer,
            )
            client.close()
            return
        client.setblocking(False)
        _set_options(client)
        self._client, self.peer = client, peer
        self.connections += 1
        self._deadline = time.monotonic() + CONNECT_TIMEOUT_S
        self._poller.add(client, self._ready)
        _log.info("%s: client %s connected", self._port.name, peer)

    def _ready(self, events: int) -> None:
        if events & select.EPOLLOUT:
            self._send()
        if events & ~select.EPOLLOUT:
            self._receive()

    def _receive(self) -> None:
        # A full buffer has a whole request: the next call of serve makes room.
        if self._client is None or len(self._received) >= MAX_REQUEST:
            return
        try:
            data = self._client.recv(MAX_REQUEST)
        except BlockingIOError:
            return
        except OSError as error:
            self.drop(error.strerror or str(error))
            return
        if data:
            self._received += data
        else:
            self.drop(_CLOSED)

    def _handle_one(self) -> bool:
        """Handles the first request in the buffer; returns whether another one may follow."""
        if len(self._received) < self._port.header.size:
            return False
        command, command_id, size = self._port.header.unpack_from(self._received)
        if not self._port.header.size <= size <= MAX_REQUEST:
            self.drop(f"a request of {size:,} bytes; requests have at most {MAX_REQUEST}")
            return False
        if len(self._received) < size:
            return False
        payload = bytes(self._received[self._port.header.size : size])
        del self._received[:size]
        if command == _CONNECT_ID:
            self._connect(command_id, payload)
        elif self.stream is None:
            self.drop(f"it sent request {command} before Connect")
        else:
            self._handler.request(command, command_id, payload)
        return True

    def _connect(self, command_id: int, payload: bytes) -> None:
        if len(payload) != _CONNECT.size or self.stream is not None:
            self.drop("it sent a malformed or a second Connect")
            return
        version, udp_port = _CONNECT.unpack(payload)
        own = self._port.version
        compatible = version == own
        if compatible:
            try:
                self.stream = StateStream(self._address, self.peer, udp_port)
            except OSError as error:
                self.drop(f"states cannot be sent to its UDP port {udp_port}: {error}")
                return
        else:
            _log.warning(
                "%s: the client speaks version %d, this side %d", self._port.name, version, own
            )
        status = 0 if compatible else _INCOMPATIBLE
        self.reply(_CONNECT_ID, command_id, self._port.connected.pack(status, own))

    def _send(self) -> None:
        if self._client is None:
            return
        try:
            sent = self._client.send(self._unsent)
            del self._unsent[:sent]
        except BlockingIOError:
            pass  # the rest waits until the client has read
        except OSError as error:
            self.drop(error.strerror or str(error))
            return
        if self._waits_for_reader != bool(self._unsent):
            self._waits_for_reader = bool(self._unsent)
            self._poller.watch_writable(self._client, self._waits_for_reader)


_CLOSED = "it closed the connection"
_ENDS = "the control box ends"
_CONNECT_ID = 0
_CONNECT = struct.Struct("<HH")
"""Payload of Connect: version and UDP port of the client."""
_INCOMPATIBLE = 1


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(4)
    except OSError as error:
        listener.close()
        raise AddressInUseError(
            f"cannot bind {address}:{port}: {error.strerror}; end the program that has the port, "
            "or choose another loopback address, for example 127.0.0.2"
        ) from None
    listener.setblocking(False)
    return listener


def _set_options(client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
