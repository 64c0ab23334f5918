"""A small client of the Franka Control Interface, for tests of a control box.

It speaks both versions of the protocol without a vendor's library, so that it records the replies
that a library hides: status codes, unknown modes, times. It is not a driver: it has no real-time
thread and no impedance law.
"""

from __future__ import annotations

import socket
import struct
import time
from types import TracebackType
from typing import NamedTuple

from skill_robots.arm import ArmError
from skill_robots.control_box.wire.protocol import (
    FER_PROTOCOL,
    FR3_PROTOCOL,
    ROBOT_PORT,
    Protocol,
    Request,
)

PROTOCOLS = {protocol.version: protocol for protocol in (FER_PROTOCOL, FR3_PROTOCOL)}
"""Versions that the client speaks."""

TIMEOUT_S = 2.0
"""Longest wait for a reply [s]; a recovery has its own."""

CONNECT_ID = 0
MAX_REPLY = 16 << 20
"""Longest reply that is read [bytes]; a model library has about 100 kB."""

LARGEST_DATAGRAM = 1 << 16
_TIMESTAMP = 35
"""SO_TIMESTAMPNS and SCM_TIMESTAMPNS of Linux, socket(7): the kernel's time of arrival."""
_TIMESPEC = struct.Struct("@ll")
_TIMESTAMP_SPACE = socket.CMSG_SPACE(_TIMESPEC.size)

_HEADER = struct.Struct("<III")
_CONNECT = struct.Struct("<HH")
_CONNECT_REPLY = struct.Struct("<BH")


class ControlBoxError(ArmError):
    """A control box cannot be reached, or does not keep its protocol."""


class Reply(NamedTuple):
    """A reply of the robot's TCP service."""

    status: int
    """Code of the status; -1 for an empty reply."""
    body: bytes
    """After the status."""
    seconds: float
    """From the request to the reply [s]."""


class ConnectReply(NamedTuple):
    """The reply to Connect."""

    status: int
    version: int
    """Protocol version of the robot."""
    seconds: float
    """From the request to the reply [s]."""


class RobotClient:
    """A connection to the robot's service on TCP port 1337, and to its states.

    Args:
        host: address or name of the robot.
        timeout_s: longest wait for a reply [s].

    Attributes:
        arrived_s: when the kernel received the last state, by the clock of ``time.time()`` [s].

    Raises:
        ControlBoxError: nobody answers at that address.
    """

    def __init__(self, host: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._next_id = 0
        self._received = bytearray()
        self._replies: dict[int, list[bytes]] = {}
        try:
            self._tcp = socket.create_connection((host, ROBOT_PORT), timeout_s)
        except OSError as error:
            raise ControlBoxError(
                f"no robot answers at {host}, TCP port {ROBOT_PORT}: {error.strerror or error}. "
                "Check the address and the cable, and activate FCI in Desk"
            ) from None
        self._tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
        self._udp.bind((self._tcp.getsockname()[0], 0))
        self.arrived_s = 0.0
        self._sender: tuple[str, int] | None = None

    def __enter__(self) -> RobotClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._tcp.close()
        self._udp.close()

    # Requests -----------------------------------------------------------------------------------

    def connect(self, version: int) -> ConnectReply:
        """Sends Connect with a protocol version; if the robot has it, its states arrive.

        Raises:
            ControlBoxError: no valid reply.
        """
        port: int = self._udp.getsockname()[1]
        began = time.monotonic()
        number = self.send(CONNECT_ID, _CONNECT.pack(version, port))
        body = self._wait(number, self._timeout_s)
        if len(body) != _CONNECT_REPLY.size:
            raise ControlBoxError(f"the reply to Connect has {len(body)} bytes, expected 3")
        status, own = _CONNECT_REPLY.unpack(body)
        return ConnectReply(status, own, time.monotonic() - began)

    def request(
        self, protocol: Protocol, request: Request, payload: bytes = b"", timeout_s: float = 0.0
    ) -> Reply:
        """Sends a request and waits for its first reply.

        Args:
            protocol: version of the robot.
            request: one that the version has.
            payload: after the header.
            timeout_s: longest wait [s]; 0 takes that of the client.

        Raises:
            ControlBoxError: no valid reply.
        """
        began = time.monotonic()
        number = self.send(request_id(protocol, request), payload)
        return self.reply(number, began, timeout_s)

    def send(self, command: int, payload: bytes) -> int:
        """Sends a request and returns its number, for :meth:`reply`."""
        number, self._next_id = self._next_id, self._next_id + 1
        header = _HEADER.pack(command, number, _HEADER.size + len(payload))
        try:
            self._tcp.sendall(header + payload)
        except OSError as error:
            raise ControlBoxError(f"the robot closed the connection: {error.strerror}") from None
        return number

    def reply(self, number: int, began_s: float, timeout_s: float = 0.0) -> Reply:
        """Waits for the next reply to a request.

        Args:
            number: of the request.
            began_s: monotonic time of the request [s].
            timeout_s: longest wait [s]; 0 takes that of the client.

        Raises:
            ControlBoxError: no valid reply.
        """
        body = self._wait(number, timeout_s or self._timeout_s)
        return Reply(body[0] if body else -1, body[1:], time.monotonic() - began_s)

    def replied(self, number: int) -> bytes | None:
        """Returns the next reply to a request if it has arrived, without waiting."""
        if not self._replies.get(number):
            self._read(0.0)
        waiting = self._replies.get(number)
        return waiting.pop(0) if waiting else None

    def _wait(self, number: int, timeout_s: float) -> bytes:
        end = time.monotonic() + timeout_s
        while not self._replies.get(number):
            left = end - time.monotonic()
            if left <= 0.0:
                raise ControlBoxError(f"the robot did not reply within {timeout_s:g} s")
            self._read(left)
        return self._replies[number].pop(0)

    def _read(self, timeout_s: float) -> None:
        """Reads the replies that arrive within a time [s]; returns after the first bytes."""
        self._tcp.settimeout(timeout_s)
        try:
            data = self._tcp.recv(1 << 16)
        except (TimeoutError, BlockingIOError):
            return
        except OSError as error:
            raise ControlBoxError(f"the robot closed the connection: {error.strerror}") from None
        finally:
            self._tcp.settimeout(self._timeout_s)
        if not data:
            raise ControlBoxError("the robot closed the connection")
        self._received += data
        while len(self._received) >= _HEADER.size:
            _, number, size = _HEADER.unpack_from(self._received)
            if not _HEADER.size <= size <= MAX_REPLY:
                raise ControlBoxError(f"a reply of the robot claims a size of {size} bytes")
            if len(self._received) < size:
                return
            self._replies.setdefault(number, []).append(bytes(self._received[_HEADER.size : size]))
            del self._received[:size]

    # States and commands ------------------------------------------------------------------------

    def receive(self, timeout_s: float = 1.0) -> bytes:
        """Returns the next state.

        Raises:
            ControlBoxError: none arrived in time.
        """
        self._udp.settimeout(timeout_s)
        try:
            return self._read_state()
        except TimeoutError:
            raise ControlBoxError(
                f"no state arrived within {timeout_s:g} s. A firewall may block UDP from the robot"
            ) from None

    def newest(self) -> bytes:
        """Returns the newest state that has arrived; waits for the next one if none has.

        Raises:
            ControlBoxError: none arrived in time.
        """
        datagram = self.receive()
        self._udp.settimeout(0.0)
        try:
            while True:
                datagram = self._read_state()
        except BlockingIOError:
            return datagram

    def _read_state(self) -> bytes:
        datagram, ancillary, _, self._sender = self._udp.recvmsg(LARGEST_DATAGRAM, _TIMESTAMP_SPACE)
        for _, kind, data in ancillary:
            if kind == _TIMESTAMP:
                seconds, nanoseconds = _TIMESPEC.unpack(data)
                self.arrived_s = seconds + 1e-9 * nanoseconds
        return datagram

    def discard(self) -> None:
        """Drops the states that wait."""
        self._udp.settimeout(0.0)
        try:
            while True:
                self._udp.recv(LARGEST_DATAGRAM)
        except BlockingIOError:
            return

    def command(self, datagram: bytes) -> None:
        """Answers the last state."""
        if self._sender is not None:
            self._udp.sendto(datagram, self._sender)


def request_id(protocol: Protocol, request: Request) -> int:
    """Returns the id of a request in one version.

    Raises:
        ControlBoxError: the version does not have the request.
    """
    for number, each in protocol.requests.items():
        if each is request:
            return number
    raise ControlBoxError(f"version {protocol.version} has no request {request.name}")
