"""Phi of frames, and the choice between the kinds of phi."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skill_training.nets.inputs import FrameScale, NetworkInputs
from skill_training.nets.pixels.encoder import PixelConfig, convolutional
from skill_training.nets.representation import RepresentationConfig, StateRepresentation


class PixelRepresentation(nn.Module):
    """phi: frames ``(n, 3 stack, size, size)`` -> ``(n, d)``.

    Args:
        config: Frames, convolutions and size of phi.
        scale: Offset and magnitude of each value of a frame; None: all values are divided by 255.

    Raises:
        ValueError: the frames are too small for the convolutions.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, config: RepresentationConfig, scale: FrameScale | None = None) -> None:
        super().__init__()
        self.config = config
        if scale is None:
            offset, magnitude = torch.zeros(1), torch.full((1,), 255.0)
        else:
            offset, magnitude = (
                _stacked(values, config.pixels) for values in (scale.mean, scale.change)
            )
        self.register_buffer("offset", offset)
        self.register_buffer("scale", magnitude)
        self.map = convolutional(config.pixels, config.hidden, config.size)

    @property
    def size(self) -> int:
        """Number of dimensions d of phi."""
        return self.config.size

    def forward(self, frames: Tensor) -> Tensor:
        """``(n, 3 stack, size, size)`` of values from 0 to 255 -> ``(n, d)``."""
        return self.map((frames.to(self.scale.dtype) - self.offset) / self.scale)

    def step(self, frames: Tensor, next_frames: Tensor) -> Tensor:
        """phi(s') - phi(s), ``(n, d)``."""
        before, after = self(torch.cat((frames, next_frames))).chunk(2)
        return after - before


def _stacked(values: Sequence[float], pixels: PixelConfig) -> Tensor:
    """Returns values ``(size size 3)`` of one frame for each frame of a stack, channels first."""
    frame = torch.tensor(values, dtype=torch.float32).view(pixels.size, pixels.size, 3)
    return frame.permute(2, 0, 1).repeat(pixels.stack, 1, 1)


def build_representation(
    config: RepresentationConfig, inputs: NetworkInputs
) -> StateRepresentation | PixelRepresentation:
    """Returns phi at its start.

    Raises:
        ValueError: the form cannot map its inputs.
    """
    if config.sees_pixels:
        return PixelRepresentation(config, inputs.frame)
    return StateRepresentation(
        config, indices=inputs.seen, scale=inputs.seen_scale, offset=inputs.seen_offset
    )
