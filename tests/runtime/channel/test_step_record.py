"""Policy steps as records, and back."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import FloatArray
from skill_runtime.channel.record_queue import CorruptRecordError
from skill_runtime.channel.step_record import StepRecord, pack_step, record_bytes, unpack_step

OBSERVATION = np.array([1.5, -0.1, 1e-12])
SKILL = np.array([0.6, 0.8])
ACTION = np.array([0.25, -1.0], np.float32)


def record(applied: FloatArray | None = None) -> StepRecord:
    return StepRecord(7, 120, 3, 52.25, False, OBSERVATION, SKILL, applied, ACTION)


@pytest.mark.parametrize("applied", [None, np.array([0.1, 0.2]), np.zeros(0)])
def test_a_record_is_read_back_in_single_precision(applied: FloatArray | None) -> None:
    given = record(applied)
    data = pack_step(given)
    found = unpack_step(data)
    assert (found.step, found.tick, found.age, found.time, found.by_goal) == (7, 120, 3, 52.25, 0)
    assert found.observation.tolist() == OBSERVATION.astype(np.float32).tolist()
    assert found.vector.tolist() == SKILL.astype(np.float32).tolist()
    assert found.action.tolist() == ACTION.tolist()
    if applied is None:
        assert found.applied is None
    else:
        assert found.applied is not None
        assert found.applied.tolist() == applied.astype(np.float32).tolist()
    assert len(data) == record_bytes((3, 2, 0 if applied is None else len(applied), 2))


@pytest.mark.parametrize("change", [-1, -20, 1], ids=["short", "shorter", "long"])
def test_other_bytes_are_no_record(change: int) -> None:
    data = pack_step(record())
    with pytest.raises(CorruptRecordError, match="policy step"):
        unpack_step(data[:change] if change < 0 else data + bytes(change))
    with pytest.raises(CorruptRecordError, match="no policy step"):
        unpack_step(data[:10])
