"""A client of the Franka Control Interface made of plain sockets, for tests of the control box.

It knows no more than headers and versions: tests build payloads and commands byte by byte.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

HEADERS = {1337: struct.Struct("<III"), 1338: struct.Struct("<HII")}
STATUS = {1337: struct.Struct("<B"), 1338: struct.Struct("<H")}
NUMBERS = {5: "<d", 10: "<f"}
POSITION_OFFSETS = {5: 1184, 10: 596}
MODE_OFFSETS = {5: 2280, 10: 1288}
"""First byte of ``q``, and of the two modes, in the state of each version."""


class Reply(NamedTuple):
    """One reply to a request."""

    command: int
    command_id: int
    payload: bytes

    @property
    def status(self) -> int:
        """First byte of the payload."""
        return self.payload[0]


class FciClient:
    """One TCP connection and its UDP socket; :meth:`connect` sends Connect."""

    def __init__(self, address: str, version: int, port: int = 1337) -> None:
        self.version = version
        self.tcp = socket.create_connection((address, port), timeout=2.0)
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.setblocking(False)
        self._header = HEADERS[port]
        self._last_id = 0
        self._buffer = b""
        self._source: tuple[str, int] | None = None

    def close(self) -> None:
        """Closes both sockets."""
        self.tcp.close()
        self.udp.close()

    def request(self, command: int, payload: bytes = b"") -> int:
        """Sends a request; returns its id."""
        self._last_id += 1
        size = self._header.size + len(payload)
        self.tcp.sendall(self._header.pack(command, self._last_id, size) + payload)
        return self._last_id

    def connect(self) -> int:
        """Sends Connect; returns its id."""
        return self.request(0, struct.pack("<HH", self.version, self.udp.getsockname()[1]))

    def replies(self) -> list[Reply]:
        """Returns the replies that have arrived.

        Raises:
            ConnectionResetError: the control box has closed the connection.
        """
        self.tcp.setblocking(False)
        try:
            while True:
                data = self.tcp.recv(1 << 16)
                if not data:
                    raise ConnectionResetError
                self._buffer += data
        except BlockingIOError:
            pass
        finally:
            self.tcp.setblocking(True)
        replies: list[Reply] = []
        while len(self._buffer) >= self._header.size:
            command, command_id, size = self._header.unpack_from(self._buffer)
            if len(self._buffer) < size:
                break
            replies.append(Reply(command, command_id, self._buffer[self._header.size : size]))
            self._buffer = self._buffer[size:]
        return replies

    def is_closed(self) -> bool:
        """Returns whether the control box has closed the connection."""
        try:
            self.replies()
        except ConnectionError:
            return True
        return False

    def states(self) -> list[bytes]:
        """Returns the states that have arrived, the oldest first."""
        states: list[bytes] = []
        try:
            while True:
                data, self._source = self.udp.recvfrom(4096)
                states.append(data)
        except BlockingIOError:
            return states

    def send_command(
        self,
        message_id: int,
        *,
        q: list[float] | None = None,
        torque: list[float] | None = None,
        finished: bool = False,
    ) -> None:
        """Answers a state with joint positions or torques."""
        motion = [*(q or [0.0] * 7), *[0.0] * 31]
        data = struct.pack("<Q38d2B7d", message_id, *motion, 0, finished, *(torque or [0.0] * 7))
        self.send_datagram(data + (bytes([finished]) if self.version == 10 else b""))

    def send_datagram(self, data: bytes) -> None:
        """Sends any datagram to the source of the last state."""
        assert self._source is not None
        self.udp.sendto(data, self._source)

    def message_id(self, state: bytes) -> int:
        """Returns the message id of a state."""
        return struct.unpack_from("<Q", state)[0]

    def position(self, state: bytes) -> list[float]:
        """Returns the joint position of a state [rad]."""
        number = NUMBERS[self.version][1]
        return list(struct.unpack_from(f"<7{number}", state, POSITION_OFFSETS[self.version]))

    def modes(self, state: bytes) -> tuple[int, int, int]:
        """Returns generator, controller and robot mode of a state."""
        first = MODE_OFFSETS[self.version]
        return state[first], state[first + 1], state[first + 84]

    def errors(self, state: bytes) -> list[int]:
        """Returns the bits of the active errors of a state."""
        first = MODE_OFFSETS[self.version] + 2
        return [bit for bit in range(41) if state[first + bit]]
