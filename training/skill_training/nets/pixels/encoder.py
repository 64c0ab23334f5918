"""A convolutional network for small frames."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import nn

from skill_training.config import LayerSize, PositiveInt
from skill_training.nets.mlp import mlp

KERNEL, STRIDE = 4, 2


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PixelConfig:
    """Frames as inputs of the representation; without effect for other inputs."""

    camera: str = ""
    """Name of the camera; '' for the first of the world. On the tabletop 'overhead' shows the
    whole scene and 'cube' the cube alone; bodies have 'side' and 'above'."""

    size: LayerSize = 64
    """Height and width of a frame [pixel]."""

    stack: PositiveInt = 1
    """Number of successive frames that phi sees together; 3 in METRA and CSF."""

    every: PositiveInt = 4
    """One of so many control steps is rendered and stored in replay. All networks learn from the
    stored steps alone."""

    capacity: PositiveInt = 50_000
    """Number of frames in replay, each of 3 size^2 bytes: 0.6 GB with 64 pixels. New ones replace
    the oldest, together with their transitions."""

    channels: Annotated[tuple[LayerSize, ...], Field(min_length=1)] = (16, 32, 32, 32)
    """Channels of the convolutions, each with kernel 4 and stride 2; 48 96 192 384 in METRA and
    CSF."""


def feature_size(size: int, layers: int) -> int:
    """Returns height and width after so many convolutions.

    Raises:
        ValueError: a frame of that size is too small for them.
    """
    left = size
    for _ in range(layers):
        left = (left - KERNEL) // STRIDE + 1 if left >= KERNEL else 0
    if left < 1:
        raise ValueError(
            f"a frame of {size} x {size} pixels is too small for {layers} convolutions with kernel "
            f"{KERNEL} and stride {STRIDE}; give a larger size, or fewer channels"
        )
    return left


def convolutional(config: PixelConfig, hidden: Sequence[int], output_size: int) -> nn.Sequential:
    """Returns convolutions with ReLU, and a ReLU network of their features.

    It maps ``(n, 3 stack, size, size)`` to ``(n, output_size)``.

    Raises:
        ValueError: the frames are too small for the convolutions.
    """
    left = feature_size(config.size, len(config.channels))
    layers: list[nn.Module] = []
    for inner, outer in pairwise((3 * config.stack, *config.channels)):
        layers += [nn.Conv2d(inner, outer, KERNEL, STRIDE), nn.ReLU()]
    layers += [nn.Flatten(), mlp(config.channels[-1] * left * left, hidden, output_size)]
    return nn.Sequential(*layers)
