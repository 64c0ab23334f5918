"""Transitions with frames: none outlives its frames."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from skill_training.data.frame_store import FrameStore
from skill_training.data.pixel_replay import PixelReplay
from skill_training.data.replay import Batch, ReplayBuffer


def make(*, rows: int = 100, frames: int = 100, stack: int = 1) -> PixelReplay:
    buffer = ReplayBuffer(rows, observation_size=1, action_size=1, skill_size=1)
    return PixelReplay(buffer, FrameStore(frames, 1), stack=stack)


def fill(replay: PixelReplay, steps: int, *, first: int = 0, scenes: int = 2) -> None:
    """Adds steps of scenes. Observation and frame of scene i at time t are 10 t + i.

    A frame is shared by the steps that end and begin there.
    """
    before = shoot(replay, first, scenes)
    for time in range(first, first + steps):
        after = shoot(replay, time + 1, scenes)
        here = torch.arange(scenes)[:, None] + 10.0 * time
        replay.add(here, here, here + 10, here, None, (before[:, None], after[:, None]))
        before = after


def shoot(replay: PixelReplay, time: int, scenes: int) -> torch.Tensor:
    values = np.arange(scenes, dtype=np.uint8) + 10 * time
    return replay.add_frames(np.tile(values[:, None, None, None], (1, 1, 1, 3)))


def drawn(replay: PixelReplay, seed: int = 0) -> Batch:
    return replay.sample(400, torch.Generator().manual_seed(seed))


def check(batch: Batch) -> set[int]:
    """Compares the frames with the observations; returns the latter."""
    assert batch.frames is not None
    assert batch.next_frames is not None
    assert batch.frames.shape == (400, 3, 1, 1)
    assert torch.equal(batch.frames[:, 0, 0].float(), batch.observation)
    assert torch.equal(batch.next_frames[:, 2, 0].float(), batch.next_observation)
    return {int(value) for value in batch.observation[:, 0]}


def test_a_transition_has_the_frames_of_its_states() -> None:
    replay = make()
    fill(replay, 3)
    assert replay.frames.first == 0
    assert len(replay) == 6
    assert check(drawn(replay)) == {0, 1, 10, 11, 20, 21}


def test_transitions_without_frames_are_dropped() -> None:
    """Five steps of two scenes have twelve frames; the eight newest are those of times 2 to 5."""
    replay = make(frames=8)
    fill(replay, 5)
    assert len(replay) == 6
    assert check(drawn(replay)) == {20, 21, 30, 31, 40, 41}


def test_the_capacity_of_rows_holds_too() -> None:
    replay = make(rows=4)
    fill(replay, 5)
    assert len(replay) == 4
    assert check(drawn(replay)) == {30, 31, 40, 41}


def test_frames_alone_drop_the_transitions_that_they_overwrite() -> None:
    """Of six frames, those of time 0 are overwritten; no transition follows them."""
    replay = make(frames=6)
    fill(replay, 2)
    shoot(replay, 9, scenes=2)
    assert check(drawn(replay)) == {10, 11}


def test_a_gap_between_episodes_drops_no_more_than_it_must() -> None:
    """The frames of time 0 to 2 and 5 to 6 are ten; with nine kept, one scene's first is lost."""
    replay = make(frames=9)
    fill(replay, 2)
    fill(replay, 1, first=5)
    assert check(drawn(replay)) == {1, 10, 11, 50, 51}


def test_a_restored_replay_draws_the_same() -> None:
    replay, other = make(rows=7, frames=9), make(rows=7, frames=9)
    fill(replay, 5)
    other.load_state_dict(copy.deepcopy(replay.state_dict()))
    for each in (replay, other):
        fill(each, 2, first=7)
    assert len(other) == len(replay)
    one, two = drawn(replay, 3), drawn(other, 3)
    assert torch.equal(one.action, two.action)
    assert check(one) == check(two)


def test_what_cannot_be_stored_or_drawn_is_explained() -> None:
    with pytest.raises(ValueError, match="needs the numbers of the frames"):
        make().add(*(torch.zeros(1, 1),) * 4)
    with pytest.raises(ValueError, match="empty replay"):
        drawn(make())


def test_a_batch_without_frames_is_seen_by_its_observations() -> None:
    rows = torch.ones(2, 1)
    batch = Batch(observation=rows, action=rows, next_observation=2 * rows, skill=rows)
    assert batch.seen == (batch.observation, batch.next_observation)
