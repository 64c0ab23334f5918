"""Single requests that cost much to read, inside the limits of a frame or just beyond them."""

from __future__ import annotations

import contextlib
import json
from functools import cache

from benchmarks.serving.hostile.attacks.attack import Attack, Target, attack, send_once
from benchmarks.serving.hostile.attacks.frames import one_byte_frames
from benchmarks.serving.hostile.zmtp import RawPeer, message

FRAME_BYTES = 4 * 2**20
FRAMES = 8
EMPTY_ARRAYS = 10_900
KEYS = 2_500

PERIOD_S = 0.05
"""Time between two messages [s]."""


@cache
def empty_arrays() -> bytes:
    """Returns an ``act`` of 33 kB whose every array has three faults."""
    arrays = b",".join([b"{}"] * EMPTY_ARRAYS)
    return message(b'{"type":"act","session":"s","arrays":[%s]}' % arrays)


@cache
def large_act(dtype: str) -> bytes:
    """Returns an ``act`` with eight frames of 4 MiB, as large as the limits permit."""
    spec = {"dtype": dtype, "shape": [65536, 16]}
    header = {
        "type": "act",
        "session": "large",
        "arrays": [{"name": f"array {i}", **spec} for i in range(FRAMES)],
    }
    return message(json.dumps(header).encode(), *[bytes(FRAME_BYTES)] * FRAMES)


@cache
def unknown_keys() -> bytes:
    """Returns a ``hello`` with 2,500 unknown fields."""
    keys = b",".join(b'"k%d":1' % i for i in range(KEYS))
    return message(b'{"type":"hello",%s}' % keys)


@cache
def nested() -> bytes:
    """Returns a command of 32 kB whose skill is a deep nest of lists."""
    return message(b'{"type":"skill","skill":' + b"[" * 16_000 + b"]" * 16_000 + b"}")


def spaced(target: Target, data: bytes) -> None:
    """Sends a message to the commands socket every 50 ms."""
    with contextlib.suppress(OSError), RawPeer(target.commands) as peer:
        while target.running():
            peer.send(data, target.running)
            peer.ended_within(PERIOD_S)


@attack()
def act_10900_arrays(target: Target) -> None:
    """An act of 33 kB with 10,900 empty arrays, every 50 ms."""
    spaced(target, empty_arrays())


@attack(lasts_s=0.5, share=0.5, burns=True)
def act_32_mib(target: Target) -> None:
    """An act with eight frames of 4 MiB that its header describes."""
    send_once(target, target.commands, large_act("float32"))


@attack(lasts_s=0.5, share=0.5, burns=True)
def act_32_mib_malformed(target: Target) -> None:
    """An act with eight frames of 4 MiB that its header does not describe."""
    send_once(target, target.commands, large_act("float64"))


@attack()
def frames_20000(target: Target) -> None:
    """A message of 20,000 one-byte frames, every 50 ms."""
    spaced(target, one_byte_frames(20_000))


@attack()
def unknown_fields(target: Target) -> None:
    """A hello with 2,500 unknown fields, every 50 ms."""
    spaced(target, unknown_keys())


@attack()
def nested_lists(target: Target) -> None:
    """A command of 32 kB with lists 16,000 deep, every 50 ms."""
    spaced(target, nested())


ATTACKS: tuple[Attack, ...] = (
    act_10900_arrays,
    act_32_mib,
    act_32_mib_malformed,
    frames_20000,
    unknown_fields,
    nested_lists,
)
