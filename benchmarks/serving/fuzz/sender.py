"""The process that sends: ``python -m benchmarks.serving.fuzz.sender``, a JSON object on its input.

Each line of its input is a segment; each line of its output says how many messages it sent and how
many replies it read.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import zmq

from benchmarks.serving.fuzz.messages import STOP, Fuzzer
from benchmarks.serving.hostile.zmtp import endpoint
from skill_runtime.security.client_keys import ClientKeys

LINES = 4
"""Connections to each socket with replies."""

WINDOW = 32
"""Messages without a reply on one connection; the server keeps 64 replies per connection."""

TOPICS_PER_CONNECTION = 2000
"""Subscriptions of one connection; libzmq keeps them until the connection is closed."""

PATIENCE_S = 1.0
"""A window without any reply for this long is given up: the connection is gone [s]."""

STREAMS_HZ = 50.0
"""Connections with a damaged handshake per second."""

HARMLESS = [json.dumps({"type": "hello"}).encode()]
HARMLESS_STOP = [json.dumps(STOP).encode()]


@dataclass
class Counts:
    """Messages of one segment."""

    commands: int = 0
    stop: int = 0
    telemetry: int = 0
    streams: int = 0
    replies: int = 0
    reopened: int = 0
    """Connections that the server closed, or that gave no reply for ``PATIENCE_S``."""


@dataclass
class Line:
    """One socket that gets replies."""

    address: str
    socket: zmq.Socket[bytes]
    open: int = 0
    """Messages without a reply."""
    heard: float = field(default_factory=time.monotonic)


class Sender:
    """Sends to one server.

    Args:
        addresses: Of the sockets for commands, telemetry and stop.
        keys: Keys of client and server; None without keys.
        seed: Seed of the messages.
    """

    def __init__(self, addresses: list[str], keys: ClientKeys | None, seed: int) -> None:
        self._addresses, self._keys = addresses, keys
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._fuzzer = Fuzzer(seed)
        commands, _, stop = addresses
        self._commands = [Line(commands, self._open(zmq.DEALER, commands)) for _ in range(LINES)]
        self._stops = [Line(stop, self._open(zmq.DEALER, stop)) for _ in range(LINES)]
        self._telemetry = self._open(zmq.XSUB, addresses[1])
        self._topics = 0
        self._next_stream = 0.0

    def _open(self, kind: int, address: str) -> zmq.Socket[bytes]:
        opened = self._context.socket(kind)
        opened.linger, opened.immediate, opened.sndhwm = 0, 1, 64
        if self._keys is not None:
            self._keys.apply(opened)
        opened.connect(address)
        return opened

    def segment(self, limits: dict[str, int], seconds: float, *, harmless: bool) -> Counts:
        """Sends up to so many messages to each socket, for at most so long.

        Args:
            limits: Largest numbers of ``commands``, ``stop`` and ``telemetry``.
            seconds: Longest duration [s].
            harmless: Whether the messages are valid and change nothing.
        """
        counts, ends = Counts(), time.monotonic() + seconds
        while time.monotonic() < ends:
            before = counts.commands + counts.stop
            if counts.commands < limits["commands"]:
                make = self._fuzzer.command if not harmless else lambda: HARMLESS
                counts.commands += sum(self._fill(line, counts, make) for line in self._commands)
            if counts.stop < limits["stop"]:
                make = self._fuzzer.stop if not harmless else lambda: HARMLESS_STOP
                counts.stop += sum(self._fill(line, counts, make) for line in self._stops)
            if counts.telemetry < limits["telemetry"]:
                counts.telemetry += self._subscribe(harmless=harmless)
            if counts.commands + counts.stop == before:
                if all(vars(counts)[kind] >= limit for kind, limit in limits.items()):
                    break
                time.sleep(0.001)
            if not harmless and time.monotonic() > self._next_stream:
                self._next_stream = time.monotonic() + 1 / STREAMS_HZ
                counts.streams += self._connect()
        return counts

    def _fill(self, line: Line, counts: Counts, make: Callable[[], list[bytes]]) -> int:
        """Reads the replies that wait, and sends as many messages."""
        with contextlib.suppress(zmq.Again):
            while True:
                line.socket.recv_multipart(zmq.NOBLOCK)
                line.open, line.heard = max(0, line.open - 1), time.monotonic()
                counts.replies += 1
        sent = 0
        with contextlib.suppress(zmq.Again):
            while line.open < WINDOW:
                line.socket.send_multipart(make(), zmq.NOBLOCK)
                line.open += 1
                sent += 1
        if line.open and time.monotonic() > line.heard + PATIENCE_S:
            line.socket.close()
            line.socket, line.open = self._open(zmq.DEALER, line.address), 0
            line.heard = time.monotonic()
            counts.reopened += 1
        return sent

    def _subscribe(self, *, harmless: bool) -> int:
        """Sends subscriptions, and reads the telemetry that waits."""
        sent = 0
        if self._topics > TOPICS_PER_CONNECTION:
            self._telemetry.close()
            self._telemetry, self._topics = self._open(zmq.XSUB, self._addresses[1]), 0
        with contextlib.suppress(zmq.Again):
            for _ in range(WINDOW):
                subscription = b"\1no topic" if harmless else self._fuzzer.subscription()
                self._telemetry.send(subscription, zmq.NOBLOCK)
                sent += 1
        with contextlib.suppress(zmq.Again):
            while True:
                self._telemetry.recv_multipart(zmq.NOBLOCK)
        self._topics += sent
        return sent

    def _connect(self) -> int:
        """Opens a connection to each socket, sends damaged bytes, and closes it."""
        for address in self._addresses:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(endpoint(address), timeout=0.2) as peer,
            ):
                peer.sendall(self._fuzzer.stream())
        return len(self._addresses)


def main() -> None:
    """Sends segments until its input ends."""
    given: dict[str, Any] = json.loads(sys.stdin.readline())
    keys = None if given["keys"] is None else ClientKeys(*given["keys"])
    sender = Sender(given["addresses"], keys, given["seed"])
    for line in sys.stdin:
        print(json.dumps(asdict(sender.segment(**json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
