"""Building blocks of all networks.

Networks take raw observations, so that replay and exported files use physical units.

Shapes: ``n`` samples, ``O`` observation, ``Z`` skill and ``A`` action entries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class ObservationNormalizer(nn.Module):
    """Subtracts a fixed offset from a raw observation and divides by fixed magnitudes.

    Unlike running statistics, fixed numbers are the same throughout training and in the exported
    file.

    Args:
        scale: ``(O,)`` typical magnitudes in the units of the observation, all positive.
        offset: ``(O,)``; None for zeros.

    Raises:
        ValueError: a scale is not finite and positive.
    """

    scale: Tensor
    offset: Tensor | None

    def __init__(self, scale: Sequence[float], offset: Sequence[float] | None = None) -> None:
        super().__init__()
        values = torch.as_tensor(scale, dtype=torch.float32).clone()
        if not bool((torch.isfinite(values) & (values > 0)).all()):
            raise ValueError(f"observation scales must be finite and > 0, got {values.tolist()}")
        self.register_buffer("scale", values)
        mean = None if offset is None else torch.as_tensor(offset, dtype=torch.float32).clone()
        self.register_buffer("offset", mean)

    def forward(self, observation: Tensor) -> Tensor:
        """``(n, O)`` raw -> ``(n, O)`` of order one."""
        if self.offset is not None:
            observation = observation - self.offset
        return observation / self.scale


def mlp(input_size: int, hidden: Sequence[int], output_size: int) -> nn.Sequential:
    """Returns a ReLU network without normalisation layers."""
    sizes = (input_size, *hidden)
    layers: list[nn.Module] = []
    for inner, outer in pairwise(sizes):
        layers += [nn.Linear(inner, outer), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], output_size))


class TwinMlp(nn.Module):
    """Two independent ReLU networks of equal shape, evaluated together as batched products.

    Initial weights are those of ``torch.nn.Linear``: uniform within ``1 / sqrt(fan in)``.
    """

    def __init__(self, input_size: int, hidden: Sequence[int], output_size: int) -> None:
        super().__init__()
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for inner, outer in pairwise((input_size, *hidden, output_size)):
            bound = 1.0 / math.sqrt(inner)
            self.weights.append(nn.Parameter(torch.empty(2, inner, outer).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(2, 1, outer).uniform_(-bound, bound)))

    def forward(self, inputs: Tensor) -> Tensor:
        """``(n, input_size)`` -> ``(2, n, output_size)``."""
        features = inputs.expand(2, *inputs.shape)
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            features = torch.baddbmm(bias, features, weight)
            if index < last:
                features = features.relu()
        return features


class PositiveScalar(nn.Module):
    """A learned positive number, stored as its logarithm."""

    def __init__(self, initial: float) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(initial)))

    def forward(self) -> Tensor:
        """Returns the number, a scalar."""
        return self.log.exp()
