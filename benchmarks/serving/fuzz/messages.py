"""Random messages: valid ones, changed in their values, their structure, their bytes or frames.

A message that no parser gets past tests little, so most are changes of valid messages of all types.
"""

from __future__ import annotations

import json
import random
import struct
from typing import Any

from benchmarks.serving.hostile.zmtp import COMMAND, frame

LEASE = "9f1c03a27be64d55"

UNDER_LEASE = {"lease": LEASE, "seq": 1, "reference_time": 1.0}

VALID: tuple[dict[str, Any], ...] = (
    {"type": "hello", "client": "fuzz"},
    {"type": "acquire", "holder": "fuzz", "ttl_s": 1.0, "priority": 0},
    {"type": "renew", "lease": LEASE},
    {"type": "release", "lease": LEASE},
    {"type": "hold", **UNDER_LEASE},
    {"type": "reset", **UNDER_LEASE, "seed": 3},
    {"type": "scene", "mass": 1.0, "friction": 0.5},
    {"type": "clear"},
    *(
        {
            "type": kind,
            "lease": LEASE,
            "seq": 1,
            "reference_time": 1.0,
            "valid_for_s": 0.3,
            **fields,
        }
        for kind, fields in (
            ("skill", {"skill": [1.0, 0.0]}),
            ("goal", {"goal": [0.1, 0.0]}),
            ("servo_joint", {"joint_position": [0.0, 0.9, 0.0, -1.5, 0.0, 2.4, 0.78]}),
            ("servo_pose", {"end_effector_position": [0.05, 0.0, 0.15], "gripper_width": 0.04}),
        )
    ),
    {
        **{"type": "track", "object": "cube", "captured": 1.0},
        **{"position": [0.1, 0.0, 0.02], "quaternion": [1.0, 0.0, 0.0, 0.0]},
    },
    {
        **{"type": "act", "session": "fuzz", "episode": 1},
        "arrays": [{"name": "observation", "dtype": "float32", "shape": [1, 28]}],
    },
)

STOP: dict[str, Any] = {"type": "stop", "reason": "fuzz", "instance": "another server"}

SCALARS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**53, 2**53 + 1, 2**63, -(2**63), 10**400),
    *(0.0, -0.0, 1e-320, 1e308, float("nan"), float("inf"), -float("inf"), 0.5, 3.0),
    *("", "x", "\0", "\u202e", "\ud83d", "é" * 300, "a" * 5000, "stop", "act", "../../etc", "%s%n"),
    *([], {}, [[]], [0.0] * 1025, [None] * 8, [{"a": 1}], {"type": "stop"}),
)
"""Values in place of others."""

MAX_FRAME = 40_000
"""Longest random frame, a little above the limit of a header [bytes]."""


class Fuzzer:
    """Makes messages; the same seed makes the same ones.

    Args:
        seed: Seed.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def command(self) -> list[bytes]:
        """Returns a message for the commands socket: one frame or several."""
        message = dict(self._random.choice(VALID))
        if self._random.random() < 0.2:  # no id: the reply cannot be matched, only counted
            message["id"] = self._random.randrange(2**40)
        frames = self._frames(message)
        if message.get("type") == "act":
            frames += [self._bytes(112) for _ in range(self._random.choice((0, 1, 1, 1, 2)))]
        return frames

    def stop(self) -> list[bytes]:
        """Returns a message for the stop socket."""
        return self._frames(dict(STOP))

    def subscription(self) -> bytes:
        """Returns a message for the telemetry socket: a subscription, its end, or neither."""
        first = self._random.choice((b"\0", b"\1", b"\1", b"\2", b"", b"\xff"))
        return first + self._bytes(self._random.choice((0, 1, 8, 200)))

    def stream(self) -> bytes:
        """Returns bytes of a TCP connection: a greeting and commands of a handshake, changed."""
        mechanism = self._random.choice((b"NULL", b"CURVE", b"CURVE", b"PLAIN"))
        greeting = b"\xff" + bytes(8) + b"\x7f" + bytes([3, 1]) + mechanism.ljust(20, b"\0")
        hello = b"\x05HELLO" + bytes([1, 0]) + bytes(72) + self._bytes(32) + struct.pack(">Q", 1)
        initiate = b"\x08INITIATE" + self._bytes(300)
        commands = frame(hello + self._bytes(80), COMMAND) + frame(initiate, COMMAND)
        return self._damaged(greeting.ljust(64, b"\0") + commands)

    def _frames(self, message: dict[str, Any]) -> list[bytes]:
        for _ in range(self._random.choice((0, 1, 1, 2, 4))):
            self._change(message)
        text = json.dumps(message).encode("utf-8", "surrogatepass")
        if self._random.random() < 0.3:
            text = self._damaged(text)
        frames = [text]
        if self._random.random() < 0.1:
            surplus = self._random.choice((1, 1, 2, 8, 9, 40))
            frames += [self._bytes(self._random.choice((0, 1, 16))) for _ in range(surplus)]
        if self._random.random() < 0.02:
            frames[0] = self._bytes(self._random.randrange(MAX_FRAME))
        return frames

    def _change(self, message: dict[str, Any]) -> None:
        """Changes one field of a message: its value, its name, or its presence."""
        kind, name = self._random.random(), self._random.choice([*message, "unknown", "v", "id"])
        if kind < 0.15:
            message.pop(name, None)
        elif kind < 0.25:
            message[str(self._random.choice(SCALARS))[:100]] = self._random.choice(SCALARS)
        elif kind < 0.35 and isinstance(message.get(name), list):
            message[name] = [*message[name], self._random.choice(SCALARS)]
        elif kind < 0.4:
            deep: Any = 0
            for _ in range(self._random.choice((5, 100, 900))):
                deep = [deep]
            message[name] = deep
        else:
            message[name] = self._random.choice(SCALARS)

    def _damaged(self, content: bytes) -> bytes:
        """Returns bytes of which some are changed, removed, or repeated."""
        damaged = bytearray(content)
        for _ in range(self._random.choice((1, 1, 2, 8))):
            place = self._random.randrange(len(damaged) + 1)
            kind = self._random.random()
            if kind < 0.5 and place < len(damaged):
                damaged[place] = self._random.randrange(256)
            elif kind < 0.7:
                del damaged[place:]
            elif kind < 0.85:
                damaged[place:place] = damaged[max(0, place - 20) : place]
            else:
                del damaged[max(0, place - 3) : place]
        return bytes(damaged)

    def _bytes(self, length: int) -> bytes:
        return self._random.randbytes(length)
