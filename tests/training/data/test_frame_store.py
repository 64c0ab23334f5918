"""Frames by their numbers."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from skill_training.data.frame_store import FrameStore
from skill_training.errors import ConfigError


def frames(*values: int) -> np.ndarray:
    """Frames of 2 x 2 pixels; each channel of a frame is its value plus the channel's number."""
    made = np.zeros((len(values), 2, 2, 3), dtype=np.uint8)
    made[:] = np.array(values)[:, None, None, None] + np.arange(3)
    return made


def test_numbers_count_on_and_the_newest_frames_are_kept() -> None:
    store = FrameStore(4, 2)
    assert store.add(frames(10, 20, 30)).tolist() == [0, 1, 2]
    assert store.first == 0
    assert store.add(frames(40, 50)).tolist() == [3, 4]
    assert store.first == 1
    stacks = store.stacks(torch.tensor([[1], [4]]))
    assert stacks.dtype == torch.uint8
    assert stacks.shape == (2, 3, 2, 2)
    assert stacks[:, :, 0, 0].tolist() == [[20, 21, 22], [50, 51, 52]]


def test_a_stack_has_the_oldest_frame_first() -> None:
    store = FrameStore(4, 2)
    store.add(frames(10, 20, 30))
    stack = store.stacks(torch.tensor([[0, 0, 2]]))
    assert stack[0, :, 1, 1].tolist() == [10, 11, 12, 10, 11, 12, 30, 31, 32]


def test_rows_and_columns_keep_their_places() -> None:
    store = FrameStore(1, 2)
    frame = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    stack = store.stacks(store.add(frame)[:, None])
    assert np.array_equal(stack[0].permute(1, 2, 0).numpy(), frame[0])


def test_a_frame_takes_three_bytes_a_pixel() -> None:
    assert FrameStore(10, 64)._frames.nbytes == 10 * 12_288


def test_a_state_survives_a_file() -> None:
    store = FrameStore(4, 2)
    store.add(frames(*range(3)))
    store.add(frames(*range(100, 103)))
    file = io.BytesIO()
    torch.save(store.state_dict(), file)
    file.seek(0)
    other = FrameStore(4, 2)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.add(frames(200)).tolist() == store.add(frames(200)).tolist() == [6]
    kept = torch.arange(3, 7)[:, None]
    assert torch.equal(other.stacks(kept), store.stacks(kept))


def test_too_many_frames_and_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot store 5 frames; the capacity is 4"):
        FrameStore(4, 2).add(frames(*range(5)))
    with pytest.raises(ValueError, match="the saved replay has 0 frames of"):
        FrameStore(4, 3).load_state_dict(FrameStore(4, 2).state_dict())


def test_frames_beyond_the_memory_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"--csf\.x 1000000000000 needs 12,000\.0 GB of memory"):
        FrameStore(10**12, 2, flag="--csf.x")
