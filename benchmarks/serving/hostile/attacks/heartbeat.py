"""A heartbeat behind more messages than the server reads at once, and then a reset.

libzmq 4.3.5 stops to read a connection whose queue is full. If the connection is reset then, and
the bytes that libzmq has already received contain a heartbeat, it writes the answer to the closed
connection, and aborts the process (``Assertion failed: !_io_error``, libzmq issue 4364).
"""

from __future__ import annotations

import contextlib
import itertools
import struct
import time

from benchmarks.serving.hostile.attacks.attack import Attack, Target, attack
from benchmarks.serving.hostile.zmtp import RawPeer, command, message

TTL_DECISECONDS = 10

NUMBERS = (100, 200, 400, 800)
"""Messages before the heartbeat: more than a queue takes, and at most as many as libzmq reads from
the connection at once (8 KiB)."""

PAUSES_S = (0.001, 0.002, 0.004)
"""Times between the messages and the reset [s]."""


def messages_and_ping(body: bytes, number: int) -> bytes:
    """Returns this many messages with a short body, and a heartbeat."""
    ping = command(b"PING", struct.pack(">H", TTL_DECISECONDS) + b"context")
    return message(body) * number + ping + message(body)


def ping_and_reset(target: Target, address: str, body: bytes) -> None:
    """Connects, sends messages and a heartbeat, and resets the connection; again and again."""
    for number, pause_s in itertools.cycle(itertools.product(NUMBERS, PAUSES_S)):
        if not target.running():
            break
        with contextlib.suppress(OSError):
            peer = RawPeer(address, minor=1)
            with contextlib.suppress(OSError):
                peer.send(messages_and_ping(body, number))
                time.sleep(pause_s)
            peer.reset()


@attack(share=0.25)
def heartbeat_on_commands(target: Target) -> None:
    """Requests and a heartbeat, then a reset, on the commands socket."""
    ping_and_reset(target, target.commands, b"{}")


@attack(arm="either", share=0.25)
def heartbeat_on_stop(target: Target) -> None:
    """Messages without a stop and a heartbeat, then a reset, on the stop socket."""
    ping_and_reset(target, target.stop, b"[]")


ATTACKS: tuple[Attack, ...] = (heartbeat_on_commands, heartbeat_on_stop)
