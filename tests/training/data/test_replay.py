"""The replay keeps the newest transitions complete, and survives a file."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skill_training.data.replay import Batch, ReplayBuffer

SIZES = {"observation_size": 3, "action_size": 2, "skill_size": 1}


def make(capacity: int = 5, **sizes: int) -> ReplayBuffer:
    return ReplayBuffer(capacity, **(SIZES | sizes))


def transitions(first: int, count: int) -> tuple[torch.Tensor, ...]:
    """Rows whose entries equal their number."""
    number = torch.arange(first, first + count, dtype=torch.float32)[:, None]
    return (
        number.expand(-1, 3),
        number.expand(-1, 2) + 0.25,
        number.expand(-1, 3) + 0.5,
        number + 0.75,
    )


def numbers(buffer: ReplayBuffer) -> list[int]:
    return sorted(int(row[0]) for row in buffer.state_dict()["rows"])


def sample(buffer: ReplayBuffer, n: int, seed: int = 0) -> Batch:
    return buffer.sample(n, torch.Generator().manual_seed(seed))


@given(chunks=st.lists(st.integers(0, 5), max_size=12))
def test_the_newest_transitions_are_kept(chunks: list[int]) -> None:
    buffer, total = make(5), 0
    for count in chunks:
        buffer.add(*transitions(total, count))
        total += count
    assert len(buffer) == min(total, 5)
    assert numbers(buffer) == list(range(max(0, total - 5), total))


def test_parts_of_a_transition_stay_together() -> None:
    buffer = make(5)
    buffer.add(*transitions(0, 4))
    buffer.add(*transitions(4, 4))
    batch = sample(buffer, 200)
    number = batch.observation[:, :1]
    assert set(number[:, 0].tolist()) == {3.0, 4.0, 5.0, 6.0, 7.0}
    assert torch.equal(batch.observation, number.expand(-1, 3))
    assert torch.equal(batch.action, number.expand(-1, 2) + 0.25)
    assert torch.equal(batch.next_observation, number.expand(-1, 3) + 0.5)
    assert torch.equal(batch.skill, number + 0.75)


def test_sampling_is_uniform_over_what_is_filled() -> None:
    buffer = make(100)
    buffer.add(*transitions(0, 10))
    counts = torch.bincount(sample(buffer, 10_000).observation[:, 0].long(), minlength=10)
    assert len(counts) == 10
    assert float(((counts - 1000).square() / 1000).sum()) < 27.9  # 99.9 % point, 9 dof


def test_numpy_rows_are_stored_as_float32() -> None:
    buffer = make()
    buffer.add(np.ones((2, 3)), np.zeros((2, 2)), np.full((2, 3), 0.1), np.ones((2, 1)))
    batch = sample(buffer, 3)
    assert batch.next_observation.dtype == torch.float32
    torch.testing.assert_close(batch.next_observation, torch.full((3, 3), 0.1))


def test_state_survives_a_file_and_continues_at_the_same_index() -> None:
    buffer = make()
    buffer.add(*transitions(0, 5))
    buffer.add(*transitions(5, 2))
    file = io.BytesIO()
    torch.save(buffer.state_dict(), file)
    file.seek(0)
    restored = make()
    restored.load_state_dict(torch.load(file, weights_only=True))
    for each in (buffer, restored):
        each.add(*transitions(7, 2))
    assert numbers(restored) == numbers(buffer) == [4, 5, 6, 7, 8]
    assert torch.equal(sample(restored, 50).action, sample(buffer, 50).action)


def test_state_is_a_copy() -> None:
    buffer = make()
    buffer.add(*transitions(0, 5))
    state = buffer.state_dict()
    buffer.add(*transitions(9, 5))
    assert state["rows"][:, 0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("other", [make(6), make(5, action_size=3)])
def test_state_of_another_buffer_is_refused(other: ReplayBuffer) -> None:
    other.add(*(torch.zeros(1, size) for size in other._sizes))
    with pytest.raises(ValueError, match="capacity and row width"):
        make(5).load_state_dict(other.state_dict())


def test_transitions_that_do_not_fit_are_refused_without_a_change() -> None:
    buffer = make()
    with pytest.raises(ValueError, match="6 transitions"):
        buffer.add(*transitions(0, 6))
    observation, action, after, skill = transitions(0, 1)
    with pytest.raises(ValueError, match=r"widths \[3, 3, 2, 1\]"):
        buffer.add(observation, after, action, skill)
    with pytest.raises(ValueError, match="empty replay"):
        sample(buffer, 1)
    assert len(buffer) == 0


def test_a_buffer_without_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="positive capacity"):
        make(0)
    with pytest.raises(ValueError, match="skill 0"):
        make(5, skill_size=0)
