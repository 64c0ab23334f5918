"""Stops that are hard to read: each must stop the arm, and none may forge the log."""

from __future__ import annotations

import contextlib

import zmq

from benchmarks.serving.hostile.attacks.attack import Attack, Target, attack, dealers
from benchmarks.serving.hostile.zmtp import RawPeer, message

CONTROL_CHARACTERS = (
    "ok\nskill-serve: cleared by operator\u001b[2K\u001b[2J\u0007\u009b31m\u202e\b\r"
)
"""A text that forges a line of the log and moves the cursor of a terminal."""

ESCAPED = CONTROL_CHARACTERS.encode("unicode_escape").replace(b"\\x", b"\\u00")
"""The same as the content of a string in JSON."""

STOPS: dict[str, bytes] = {
    "plain": b'{"v":1,"type":"stop","id":1,"reason":"plain"}',
    "reason of 10 kB": b'{"type":"stop","reason":"' + b"y" * 10_000 + b'"}',
    "half of a surrogate pair": b'{"type":"stop","reason":"cut \\ud83d"}',
    "trailing NUL": b'{"type":"stop","reason":"from C"}\0',
    "Latin-1": '{"type":"stop","reason":"Tür"}'.encode("latin-1"),
    "byte order mark": b'\xef\xbb\xbf{"type":"stop"}',
    "truncated": b'{"type":"stop","reason":"the sender di',
    "raw newline": b'{"type":"stop","reason":"two\nlines"}',
    "trailing comma": b'{"type":"stop","reason":"x",}',
    "nested 1000 deep": b'{"type":"stop","x":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "number of 5000 digits": b'{"type":"stop","id":' + b"9" * 5000 + b"}",
    "unknown field and version": b'{"v":7,"type":"stop","who":"?"}',
    "reason of another type": b'{"type":"stop","reason":[null]}',
    "UTF-16": '{"type":"stop"}'.encode("utf-16"),
}
"""Messages with a stop, by the difficulty."""

FRAMES: dict[str, tuple[bytes, ...]] = {
    "REQ socket": (b"", STOPS["plain"]),
    "second frame": (b"header", STOPS["plain"]),
}
"""Messages of more than one frame, one of which is a stop."""

VARIANTS: tuple[tuple[bytes, ...], ...] = (
    *((body,) for body in STOPS.values()),
    *FRAMES.values(),
)

HOSTILE_TEXTS: tuple[bytes, ...] = (
    b'{"type":"hello","client":"%s"}' % ESCAPED,
    b'{"type":"acquire","holder":"%s"}' % ESCAPED,
    b'{"type":"%s"}' % ESCAPED,
    b'{"type":"hello","%s":1}' % ESCAPED,
    b'{"type":"track","object":"%s","captured":0,"position":[0,0,0]}' % ESCAPED,
    b'{"type":"act","session":"%s","arrays":[{"name":"%s","dtype":"float32","shape":[0]}]}'
    % (ESCAPED, ESCAPED),
)
"""Requests with control characters in names."""


@attack(arm="stops")
def hard_stops(target: Target) -> None:
    """A stop that is over-long, badly encoded, truncated, or not quite JSON; one per repeat."""
    with contextlib.suppress(OSError), RawPeer(target.stop) as peer:
        peer.send(message(*VARIANTS[target.repeat % len(VARIANTS)]), target.running)
        target.linger()


@attack(arm="stops", share=0.5)
def forged_reason(target: Target) -> None:
    """A stop whose reason has newlines and escape sequences."""
    with contextlib.suppress(OSError), RawPeer(target.stop) as peer:
        peer.send(message(b'{"type":"stop","reason":"%s"}' % ESCAPED), target.running)
        target.linger()


@attack(share=0.5)
def forged_names(target: Target) -> None:
    """Requests with newlines and escape sequences in names, fields and types."""
    with contextlib.suppress(OSError), RawPeer(target.commands) as peer:
        for text in HOSTILE_TEXTS:
            peer.send(message(text), target.running)
        target.linger()


@attack(arm="stops", burns=True)
def stop_flood(target: Target) -> None:
    """Stops without a pause, each with another reason, from one connection."""
    with dealers(target.stop, 1) as sockets:
        number = 0
        while target.running():
            with contextlib.suppress(zmq.Again):
                sockets[0].send(b'{"type":"stop","reason":"flood %d"}' % number, zmq.NOBLOCK)
                number += 1


ATTACKS: tuple[Attack, ...] = (hard_stops, forged_reason, forged_names, stop_flood)
