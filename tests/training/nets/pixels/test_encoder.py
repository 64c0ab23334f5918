"""Sizes of the convolutional network."""

from __future__ import annotations

import pytest
import torch

from skill_training.nets.pixels.encoder import PixelConfig, convolutional, feature_size


@pytest.mark.parametrize(
    ("size", "layers", "left"), [(64, 4, 2), (64, 3, 6), (84, 4, 3), (46, 4, 1), (4, 1, 1)]
)
def test_sides_after_the_convolutions(size: int, layers: int, left: int) -> None:
    """64 -> 31 -> 14 -> 6 -> 2, as in METRA's encoder."""
    assert feature_size(size, layers) == left


def test_a_frame_that_is_too_small_is_explained() -> None:
    with pytest.raises(ValueError, match="45 x 45 pixels is too small for 4 convolutions"):
        feature_size(45, 4)


def test_the_network_maps_stacks_of_frames() -> None:
    config = PixelConfig(size=22, stack=2, channels=(3, 5))
    network = convolutional(config, (7,), 4)
    assert network(torch.zeros(6, 6, 22, 22)).shape == (6, 4)
    shapes = [tuple(part.shape) for part in network.parameters()]
    assert shapes[0] == (3, 6, 4, 4)
    assert shapes[2] == (5, 3, 4, 4)
    assert shapes[4] == (7, 5 * 4 * 4)
