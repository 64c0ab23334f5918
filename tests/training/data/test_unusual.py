"""Unusual transitions of a ring buffer."""

from __future__ import annotations

import pytest
import torch

from skill_training.data.replay import ReplayBuffer
from skill_training.data.unusual import UnusualRows


def rows() -> UnusualRows:
    return UnusualRows(6, step_scale=(1.0, 2.0), threshold=2.0)


def note(unusual: UnusualRows, places: list[int], changes: list[list[float]]) -> None:
    before = torch.zeros(len(places), 2)
    unusual.note(torch.tensor(places), before, torch.tensor(changes))


def drawn(unusual: UnusualRows) -> set[int]:
    generator = torch.Generator().manual_seed(0)
    return set(unusual.sample(200, generator).tolist())


def test_the_mean_square_of_the_scaled_change_counts() -> None:
    """(2^2 + 0) / 2 = 2 is not above 2; (0 + (4.1 / 2)^2) / 2 is; (1.5^2 + (3 / 2)^2) / 2 is."""
    unusual = rows()
    note(unusual, [0, 1, 2, 3], [[2.0, 0.0], [0.0, 4.1], [1.5, 3.0], [0.1, 0.1]])
    assert len(unusual) == 2
    assert drawn(unusual) == {1, 2}


def test_overwritten_rows_are_forgotten() -> None:
    unusual = rows()
    large, small = [9.0, 0.0], [0.0, 0.0]
    note(unusual, [0, 1, 2], [large, small, large])
    note(unusual, [3, 4, 5], [small, large, small])
    assert drawn(unusual) == {0, 2, 4}
    note(unusual, [0, 1, 2], [small, large, small])
    assert drawn(unusual) == {4, 1}
    note(unusual, [3, 4, 5], [small, small, small])
    assert drawn(unusual) == {1}


def test_without_an_unusual_row_nothing_can_be_drawn() -> None:
    with pytest.raises(ValueError, match="no transition is unusual"):
        rows().sample(1, torch.Generator())


def test_a_replay_draws_the_share_of_unusual_rows() -> None:
    unusual = UnusualRows(100, step_scale=(1.0,), threshold=1.0)
    replay = ReplayBuffer(
        100, observation_size=1, action_size=1, skill_size=1, unusual=unusual, unusual_share=0.25
    )
    before = torch.zeros(100, 1)
    after = torch.zeros(100, 1)
    after[:2] = 5.0
    replay.add(before, before, after, before)
    batch = replay.sample(1000, torch.Generator().manual_seed(0))
    share = float((batch.next_observation > 1).float().mean())
    assert share == pytest.approx(0.25 + 0.75 * 0.02, abs=0.02)
    other = ReplayBuffer(
        100,
        observation_size=1,
        action_size=1,
        skill_size=1,
        unusual=UnusualRows(100, step_scale=(1.0,), threshold=1.0),
        unusual_share=0.25,
    )
    other.load_state_dict(replay.state_dict())
    again = other.sample(1000, torch.Generator().manual_seed(0))
    assert torch.equal(again.next_observation, batch.next_observation)
