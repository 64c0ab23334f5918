"""Connections that do not speak the protocol, do not go on, or come and go."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time

from benchmarks.serving.hostile.attacks.attack import RETRY_S, Attack, Target, attack, dealers
from benchmarks.serving.hostile.zmtp import (
    LONG,
    MORE,
    PeerClosedError,
    RawPeer,
    connect_tcp,
    greeting,
    message,
)

HALF_OPEN = 2_000
DEAF = 20

HTTP = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: scanner\r\n\r\n"
LENGTHS = (2**62, 2**63 - 1, 2**63, 2**64 - 1)
HUGE = tuple(struct.pack(">BQ", flags | LONG, n) for n in LENGTHS for flags in (0, MORE))
"""Beginnings of frames whose length no machine has."""


def addresses(target: Target) -> tuple[str, str, str]:
    """Returns the three addresses of the server."""
    return target.commands, target.telemetry, target.stop


@attack(share=0.125, lasts_s=1.0)
def half_open(target: Target) -> None:
    """2,000 TCP connections without a handshake on one of the sockets; the sockets in turns."""
    address = addresses(target)[target.repeat % 3]
    opened: list[socket.socket] = []
    try:
        with contextlib.suppress(OSError):
            while len(opened) < HALF_OPEN and target.running():
                opened.append(connect_tcp(address))
                if len(opened) % 2:
                    opened[-1].send(greeting()[:11])
        target.linger()
    finally:
        for connection in opened:
            connection.close()


@attack(arm="either", share=0.5)
def other_protocols(target: Target) -> None:
    """HTTP and random bytes on each socket."""
    dice = random.Random(target.repeat)
    while target.running():
        for address in addresses(target):
            for data in (HTTP, dice.randbytes(200), greeting() + dice.randbytes(300)):
                with contextlib.suppress(OSError), connect_tcp(address) as connection:
                    connection.sendall(data)
        time.sleep(RETRY_S)


@attack(arm="either", share=0.5)
def huge_lengths(target: Target) -> None:
    """Frames that announce 2^62 bytes and more, and random frames, on each socket."""
    dice = random.Random(target.repeat)
    while target.running():
        for address in addresses(target):
            for data in (dice.choice(HUGE) + b"x", dice.randbytes(300)):
                with contextlib.suppress(OSError), RawPeer(address) as peer:
                    peer.send(data, target.running)
        time.sleep(RETRY_S)


@attack(burns=True, share=0.5)
def churn(target: Target) -> None:
    """Connections that send one request and reset, one after the other, on each socket."""
    while target.running():
        for address in addresses(target):
            with contextlib.suppress(OSError):
                peer = RawPeer(address)
                with contextlib.suppress(PeerClosedError):
                    peer.send(message(b'{"type":"hello"}'))
                peer.reset()


@attack(burns=True, share=0.5)
def deaf_clients(target: Target) -> None:
    """Requests by 20 connections that never read a reply."""
    with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
        peers = [opened.enter_context(RawPeer(target.commands)) for _ in range(DEAF)]
        burst = message(b'{"type":"hello"}') * 50
        while target.running():
            for peer in peers:
                peer.send(burst, target.running)


@attack(share=0.5)
def idle_connections(target: Target) -> None:
    """200 connections to the commands and 200 to the stop socket that stay silent."""
    with dealers(target.commands, 200), dealers(target.stop, 200):
        target.linger()


ATTACKS: tuple[Attack, ...] = (
    half_open,
    other_protocols,
    huge_lengths,
    churn,
    deaf_clients,
    idle_connections,
)
