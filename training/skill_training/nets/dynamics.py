"""A learned density of the next state, for baselines that need one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skill_training.nets.mlp import mlp

LOG_STD_LOW, LOG_STD_HIGH = -5.0, 2.0

LOG_TWO_PI = math.log(2.0 * math.pi)


class StepDensity(nn.Module):
    """A diagonal Gaussian q(change | inputs), in scaled entries.

    Args:
        input_size: Size of the inputs.
        size: Number k of entries whose change is predicted.
        hidden: Sizes of the hidden layers.
    """

    def __init__(self, input_size: int, size: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.body = mlp(input_size, hidden, 2 * size)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """``(n, input_size)`` -> mean and log standard deviation ``(n, k)``."""
        mean, log_std = self.body(inputs).chunk(2, dim=-1)
        return mean, log_std.clamp(LOG_STD_LOW, LOG_STD_HIGH)

    def log_density(self, inputs: Tensor, change: Tensor) -> Tensor:
        """Log density of changes ``(n, k)``, ``(n,)``."""
        mean, log_std = self(inputs)
        return gaussian_log_density(change, mean, log_std)


def gaussian_log_density(value: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Log density of a diagonal Gaussian, summed over the last axis."""
    error = (value - mean) * torch.exp(-log_std)
    return -(0.5 * error.square() + log_std + 0.5 * LOG_TWO_PI).sum(-1)
