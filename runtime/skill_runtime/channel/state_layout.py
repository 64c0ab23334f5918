"""The order of the numbers in a state record, from the sizes of arm, scene and policy.

The controller writes the state of the server as plain numbers; the gateway makes telemetry of it.
The layout is fixed when the server starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import repeat
from operator import itemgetter
from struct import Struct, error

from skill_runtime.channel.record_queue import CorruptRecordError
from skill_runtime.channel.text import pack_text, unpack_text

INTEGERS = (
    *("present", "seq", "tick", "mode", "fault", "command", "command_seq", "braking"),
    *("policy_steps", "goal_status", "overruns", "events", "outside"),
)
"""Integers of every state; ``mode``, ``fault``, ``command`` and ``goal_status`` are indices of the
tuples in ``state_record``, and -1 stands for none. ``outside`` is 0, 1, or -1 if it is unknown."""

TEXTS = ("lease", "lease_holder", "last_event", "last_reflex")
"""Texts of every state; '' stands for no lease, and for no reflex. ``lease`` is the token of the
lease in force, for the gateway alone."""

_integers_of = itemgetter(*INTEGERS[1:])


@dataclass(frozen=True, kw_only=True)
class StateLayout:
    """Sizes and names of everything in the state of one server."""

    dof: int
    objects: tuple[str, ...] = ()
    skill: int = 0
    goal: int = 0
    action: int = 0
    context: int = 0
    estimates: tuple[str, ...] = ()
    scene: tuple[str, ...] = ()
    """Names of the parameters of a simulated object; () for a real arm."""
    headroom: tuple[str, ...] = ()
    connection: tuple[str, ...] = ()
    """Names of the numbers that describe the connection to a real arm; () for a simulated one."""
    counters: tuple[str, ...] = ()
    latency_buckets: int = 0

    def __getstate__(self) -> dict[str, object]:
        """Leaves the computed properties out of a pickle."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def blocks(self) -> dict[str, int]:
        """Name and size of each block of numbers, in their order."""
        blocks = {"time": 1, "command_expires": 1}
        blocks |= dict.fromkeys(("joint_position", "joint_velocity", "joint_setpoint"), self.dof)
        blocks |= {"end_effector_position": 3, "end_effector_velocity": 3, "gripper_width": 1}
        for name in self.objects:
            blocks |= {f"{name}.position": 3, f"{name}.quaternion": 4, f"{name}.age": 1}
        return blocks | {
            "skill": self.skill,
            "goal": self.goal,
            "goal_distance": 1,
            "action": self.action,
            "context": self.context,
            "context_distance": 1,
            "context_estimate": len(self.estimates),
            "scene": len(self.scene),
            "headroom": len(self.headroom),
            "connection": len(self.connection),
            "timing": 4,
        }

    @cached_property
    def _numbers(self) -> Struct:
        integers = len(INTEGERS) + self.latency_buckets + len(self.counters)
        return Struct(f"<{integers}q{sum(self.blocks.values())}d")

    @cached_property
    def _zeros(self) -> dict[str, tuple[float, ...]]:
        return {name: (0.0,) * size for name, size in self.blocks.items()}

    def pack(
        self,
        integers: Mapping[str, int],
        latency_counts: Sequence[int],
        counters: Mapping[str, int],
        blocks: Mapping[str, Sequence[float]],
        texts: Mapping[str, str],
    ) -> bytes:
        """Returns the record of a state.

        Args:
            integers: A value for each of :data:`INTEGERS` but ``present``.
            latency_counts: Ticks per bucket of wake-up latency.
            counters: Values by name; a missing one is 0.
            blocks: The blocks that are present, by name.
            texts: A value for each of :data:`TEXTS`.
        """
        present, bit, numbers = 0, 1, list[float]()
        for name, zeros in self._zeros.items():
            block = blocks.get(name)
            if block is not None:
                present |= bit
            numbers += zeros if block is None else block
            bit <<= 1
        record = self._numbers.pack(
            present,
            *_integers_of(integers),
            *latency_counts,
            *map(counters.get, self.counters, repeat(0)),
            *numbers,
        )
        return record + b"".join(pack_text(texts[name]) for name in TEXTS)

    def unpack(self, record: bytes) -> State:
        """Returns the state of a record.

        Raises:
            CorruptRecordError: The record has another layout.
        """
        try:
            numbers = self._numbers.unpack_from(record)
            offset, texts = self._numbers.size, dict[str, str]()
            for name in TEXTS:
                texts[name], offset = unpack_text(record, offset)
        except error as problem:
            raise CorruptRecordError(f"a record is no state: {problem}") from None
        if offset != len(record):
            raise CorruptRecordError(f"a state of {offset} bytes expected, got {len(record)}")
        integers = dict(zip(INTEGERS, numbers, strict=False))
        start = len(INTEGERS)
        counts = numbers[start : start + self.latency_buckets]
        start += self.latency_buckets
        counters = dict(zip(self.counters, numbers[start:], strict=False))
        start += len(self.counters)
        blocks: dict[str, tuple[float, ...]] = {}
        for bit, (name, size) in enumerate(self.blocks.items()):
            if integers["present"] >> bit & 1:
                blocks[name] = numbers[start : start + size]
            start += size
        return State(integers, counts, counters, blocks, texts)


@dataclass(frozen=True)
class State:
    """The content of a state record."""

    integers: dict[str, int]
    latency_counts: tuple[int, ...]
    counters: dict[str, int]
    blocks: dict[str, tuple[float, ...]]
    """The blocks that are present."""
    texts: dict[str, str]

    def number(self, name: str) -> float | None:
        """Returns the number of a block of size 1; None if it is absent."""
        block = self.blocks.get(name)
        return None if block is None else block[0]
