"""Floods of requests by 8 and by 32 connections whose replies are never read."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Sequence
from functools import cache

import zmq

from benchmarks.serving.hostile.attacks.attack import Attack, Target, attack, dealers

BURST = 20
"""Messages sent to one connection before the next."""

ACT_ROWS = 64
OBSERVATION_SIZE = 28

Frames = list[bytes]


@cache
def act() -> tuple[bytes, ...]:
    """Returns the frames of an ``act`` of 64 rows, which a policy of this project answers."""
    shapes = {"observation": [ACT_ROWS, OBSERVATION_SIZE], "skill": [ACT_ROWS, 2]}
    arrays = [{"name": n, "dtype": "float32", "shape": shape} for n, shape in shapes.items()]
    header = {"type": "act", "session": "flood", "episode": 0, "arrays": arrays}
    one = b"\0\0\x80\x3f"
    return (
        json.dumps(header).encode(),
        bytes(4 * ACT_ROWS * OBSERVATION_SIZE),
        one * (2 * ACT_ROWS),
    )


REQUESTS: dict[str, bytes] = {
    "hello": b'{"type":"hello"}',
    "junk": b"\xff\xfe not JSON {",
    "scene": b'{"type":"scene","mass":0.8,"friction":0.5}',
    "acquire": b'{"type":"acquire","holder":"flood","ttl_s":0.1}',
    "clear": b'{"type":"clear"}',
    "track": b'{"type":"track","object":"cube","captured":0,"position":[0.1,0,0.02]}',
    "token": b'{"type":"skill","lease":"guess","seq":1,"reference_time":0,"valid_for_s":1,'
    b'"skill":[1,0]}',
}
"""Requests of one frame, by kind."""


def flood(target: Target, address: str, number: int, requests: Sequence[Sequence[bytes]]) -> None:
    """Sends the requests in turns on ``number`` connections, as fast as they are accepted."""
    turns = itertools.cycle(requests)
    with dealers(address, number) as sockets:
        while target.running():
            for socket in sockets:
                with contextlib.suppress(zmq.Again):
                    for _ in range(BURST):
                        socket.send_multipart(next(turns), zmq.NOBLOCK)


@attack(burns=True)
def acts_8(target: Target) -> None:
    """Acts of 64 rows by 8 connections."""
    flood(target, target.commands, 8, [act()])


@attack(burns=True)
def acts_32(target: Target) -> None:
    """Acts of 64 rows by 32 connections."""
    flood(target, target.commands, 32, [act()])


@attack(burns=True, share=0.5)
def hellos_8(target: Target) -> None:
    """Hellos by 8 connections."""
    flood(target, target.commands, 8, [[REQUESTS["hello"]]])


@attack(burns=True, share=0.5)
def hellos_32(target: Target) -> None:
    """Hellos by 32 connections."""
    flood(target, target.commands, 32, [[REQUESTS["hello"]]])


@attack(burns=True, share=0.5)
def junk_32(target: Target) -> None:
    """Bytes that are not JSON by 32 connections."""
    flood(target, target.commands, 32, [[REQUESTS["junk"]]])


@attack(burns=True, share=0.5)
def scenes_32(target: Target) -> None:
    """Changes of the scene by 32 connections."""
    flood(target, target.commands, 32, [[REQUESTS["scene"]]])


@attack(burns=True, share=0.5)
def mixed_8(target: Target) -> None:
    """All requests in turns by 8 connections."""
    flood(target, target.commands, 8, [*([frame] for frame in REQUESTS.values()), act()])


@attack(burns=True, share=0.5)
def mixed_32(target: Target) -> None:
    """Requests for the lease, clears, poses and wrong tokens in turns by 32 connections."""
    kinds = ("acquire", "clear", "track", "token")
    flood(target, target.commands, 32, [[REQUESTS[kind]] for kind in kinds])


@attack(arm="either", burns=True, share=0.5)  # a flooded stop socket stops the arm
def junk_on_stop_32(target: Target) -> None:
    """Messages without a stop by 32 connections to the stop socket."""
    flood(target, target.stop, 32, [[REQUESTS["hello"]]])


ATTACKS: tuple[Attack, ...] = (
    acts_8,
    acts_32,
    hellos_8,
    hellos_32,
    junk_32,
    scenes_32,
    mixed_8,
    mixed_32,
    junk_on_stop_32,
)
