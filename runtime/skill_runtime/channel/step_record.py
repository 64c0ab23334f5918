"""The record of one policy step: its inputs and its action, as plain numbers.

The controller writes records into a queue, and the gateway publishes them. Each record has its
sizes, so that the gateway needs no layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, error
from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Float32Array, FloatArray
from skill_runtime.channel.record_queue import CorruptRecordError

_HEAD = Struct("<qqqd?4h")
"""Step, tick, age, time, whether the command is a goal; sizes of the four vectors."""

_ABSENT = -1
"""Size of a vector that is absent."""


class StepRecord(NamedTuple):
    """One inference; the vectors are in single precision, as the policy takes them."""

    step: int
    """Number of the inference since the start."""
    tick: int
    age: int
    """Inferences since the last reset of the recurrent state."""
    time: float
    """Server time of the tick [s]."""
    by_goal: bool
    """Whether ``vector`` is a goal."""
    observation: FloatArray
    """``(O,)``."""
    vector: FloatArray
    """``(Z,)`` skill or ``(G,)`` goal."""
    applied: FloatArray | None
    """``(A,)`` action that was applied since the last step; None if it is that of the policy."""
    action: FloatArray
    """``(A,)``."""


def record_bytes(sizes: Sequence[int]) -> int:
    """Returns the length of a record with vectors of these sizes [bytes]."""
    return _HEAD.size + 4 * sum(sizes)


def pack_step(record: StepRecord) -> bytes:
    """Returns the bytes of a record."""
    applied = record.applied
    head = _HEAD.pack(
        record.step,
        record.tick,
        record.age,
        record.time,
        record.by_goal,
        len(record.observation),
        len(record.vector),
        _ABSENT if applied is None else len(applied),
        len(record.action),
    )
    vectors = [record.observation, record.vector, record.action]
    if applied is not None:
        vectors.insert(2, applied)
    return head + np.concatenate(vectors).astype("<f4").tobytes()


def unpack_step(data: bytes) -> StepRecord:
    """Returns the record of these bytes.

    Raises:
        CorruptRecordError: the bytes are no record of a step.
    """
    try:
        step, tick, age, time, by_goal, *sizes = _HEAD.unpack_from(data)
    except error as problem:
        raise CorruptRecordError(f"a record is no policy step: {problem}") from None
    offset, vectors = _HEAD.size, list[Float32Array | None]()
    for size in sizes:
        ends = offset + 4 * max(size, 0)
        if ends > len(data):
            raise CorruptRecordError(f"a policy step of {ends} bytes expected, got {len(data)}")
        absent = size == _ABSENT
        vectors.append(None if absent else np.frombuffer(data[offset:ends], "<f4"))
        offset = ends
    observation, vector, applied, action = vectors
    if offset != len(data) or observation is None or vector is None or action is None:
        raise CorruptRecordError(f"a policy step of {offset} bytes expected, got {len(data)}")
    return StepRecord(step, tick, age, time, by_goal, observation, vector, applied, action)
