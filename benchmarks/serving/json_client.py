"""A client that sends and reads JSON alone, without the fields that newer revisions added.

It works with servers of several revisions, and its own part of a round trip is small.
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

import zmq

from skill_proto.messages import Telemetry

Fields = dict[str, Any]


class NoReplyError(Exception):
    """The server did not answer as expected; the text gives the reason."""


class JsonClient:
    """One connection for commands and one for telemetry, until the end of the block.

    Args:
        address: Address for commands, ``tcp://HOST:PORT``.
        telemetry_address: Address for telemetry.
        timeout_s: Longest wait for a reply [s].

    Attributes:
        time: Newest server time received [s].
    """

    def __init__(self, address: str, telemetry_address: str, timeout_s: float) -> None:
        self.time = 0.0
        self._timeout_ms = round(1e3 * timeout_s)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._commands = self._open(zmq.DEALER, address)
        self._telemetry = self._open(zmq.SUB, telemetry_address)
        self._telemetry.subscribe(b"")
        self._id = self._seq = 0
        self._lease = ""

    def _open(self, kind: int, address: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.reconnect_ivl = 20  # [ms]: a server that starts is found soon
        socket.connect(address)
        return socket

    def ask(self, kind: str, **fields: object) -> Fields:
        """Sends a message and returns the reply.

        Raises:
            NoReplyError: No reply arrived in time, or the server refused the message.
        """
        self._id += 1
        message = {"v": 1, "type": kind, "id": self._id, **fields}
        self._commands.send(json.dumps(message).encode())
        if not self._commands.poll(self._timeout_ms):
            raise NoReplyError(f"no reply to {kind!r}")
        reply: Fields = json.loads(self._commands.recv())
        if reply["type"] == "error":
            raise NoReplyError(f"{kind!r} was refused: {reply['message']}")
        self.time = reply["time"]
        return reply

    def acquire(self, holder: str, ttl_s: float) -> None:
        """Acquires the lease.

        Raises:
            NoReplyError: The server refused it, as in all calls below.
        """
        granted = self.ask("acquire", holder=holder, ttl_s=ttl_s)
        self._lease, self._seq = granted["lease"], granted["seq"]

    def renew(self) -> None:
        """Renews the lease."""
        self.ask("renew", lease=self._lease)

    def command(self, kind: str, **fields: object) -> None:
        """Sends a command under the lease."""
        self._seq += 1
        header = {"lease": self._lease, "seq": self._seq, "reference_time": self.time}
        self.ask(kind, **header, **fields)

    def release(self) -> None:
        """Gives the lease back."""
        self.ask("release", lease=self._lease)

    def newest_state(self, wait_s: float) -> Telemetry | None:
        """Drops the states that wait, and returns the next one; None if it does not arrive in time.

        Args:
            wait_s: Longest wait [s].
        """
        while self._telemetry.poll(0):
            self._telemetry.recv()
        if not self._telemetry.poll(round(1e3 * wait_s)):
            return None
        state = Telemetry.model_validate_json(self._telemetry.recv())
        self.time = max(self.time, state.time)
        return state

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._context.destroy(linger=0)
