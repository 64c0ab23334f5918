"""The networks of every algorithm.

Raw observations go in, so that replay and exported files hold physical units.

Shapes: ``n`` samples, ``O`` observation, ``Z`` skill and ``A`` action entries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

LOG_STD_LOW = -5.0
LOG_STD_HIGH = 2.0
LOG_TWO_PI = math.log(2.0 * math.pi)


class ObservationNormalizer(nn.Module):
    """Divides a raw observation by the fixed typical magnitude of each entry.

    Fixed rather than running statistics: the same numbers hold in training, in the file and in
    every comparison between runs.

    Args:
        scale: ``(O,)`` typical magnitudes in the observation's own units, all positive.

    Raises:
        ValueError: a scale is not finite and positive.
    """

    scale: Tensor

    def __init__(self, scale: Sequence[float]) -> None:
        super().__init__()
        values = torch.as_tensor(scale, dtype=torch.float32).clone()
        if not bool((torch.isfinite(values) & (values > 0)).all()):
            raise ValueError(f"observation scales must be finite and > 0, got {values.tolist()}")
        self.register_buffer("scale", values)

    def forward(self, observation: Tensor) -> Tensor:
        """``(n, O)`` raw -> ``(n, O)`` of order one."""
        return observation / self.scale


def mlp(input_size: int, hidden: Sequence[int], output_size: int) -> nn.Sequential:
    """A ReLU network without normalisation layers."""
    sizes = (input_size, *hidden)
    layers: list[nn.Module] = []
    for inner, outer in pairwise(sizes):
        layers += [nn.Linear(inner, outer), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], output_size))


class TwinMlp(nn.Module):
    """Two independent ReLU networks of one shape, evaluated together as batched products.

    Initialised as ``torch.nn.Linear``: uniform within ``1 / sqrt(fan in)``.
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


class Critic(nn.Module):
    """Twin action values Q(s, z, a)."""

    def __init__(
        self,
        normalizer: ObservationNormalizer,
        *,
        skill_size: int,
        action_size: int,
        hidden: Sequence[int],
    ) -> None:
        super().__init__()
        self.normalizer = normalizer
        self.twins = TwinMlp(len(normalizer.scale) + skill_size + action_size, hidden, 1)

    def forward(self, observation: Tensor, action: Tensor, skill: Tensor) -> Tensor:
        """``(n, O)`` raw, ``(n, A)``, ``(n, Z)`` -> ``(2, n)``."""
        inputs = torch.cat((self.normalizer(observation), action, skill), dim=-1)
        return self.twins(inputs).squeeze(-1)


class SuccessorFeatures(nn.Module):
    """Twin successor features psi(s, z, a): expected discounted sum of representation steps."""

    def __init__(
        self,
        normalizer: ObservationNormalizer,
        *,
        skill_size: int,
        action_size: int,
        hidden: Sequence[int],
    ) -> None:
        super().__init__()
        self.normalizer = normalizer
        self.twins = TwinMlp(len(normalizer.scale) + skill_size + action_size, hidden, skill_size)

    def forward(self, observation: Tensor, action: Tensor, skill: Tensor) -> Tensor:
        """``(n, O)`` raw, ``(n, A)``, ``(n, Z)`` -> ``(2, n, Z)``."""
        inputs = torch.cat((self.normalizer(observation), action, skill), dim=-1)
        return self.twins(inputs)


class TanhGaussianActor(nn.Module):
    """A Gaussian squashed by tanh into [-1, 1] (Haarnoja et al. 2018, SAC, appendix C).

    The log standard deviation is clipped to [-5, 2]; it starts near 0, a wide first exploration.
    """

    def __init__(
        self,
        normalizer: ObservationNormalizer,
        *,
        skill_size: int,
        action_size: int,
        hidden: Sequence[int],
    ) -> None:
        super().__init__()
        self.normalizer = normalizer
        self.body = mlp(len(normalizer.scale) + skill_size, hidden, 2 * action_size)

    def forward(self, observation: Tensor, skill: Tensor) -> tuple[Tensor, Tensor]:
        """``(n, O)`` raw, ``(n, Z)`` -> mean and log standard deviation before tanh, ``(n, A)``."""
        mean, log_std = self.body(torch.cat((self.normalizer(observation), skill), dim=-1)).chunk(
            2, dim=-1
        )
        return mean, log_std.clamp(LOG_STD_LOW, LOG_STD_HIGH)

    def mode(self, observation: Tensor, skill: Tensor) -> Tensor:
        """The deterministic action tanh(mean), ``(n, A)``."""
        return self(observation, skill)[0].tanh()

    def sample(
        self, observation: Tensor, skill: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """A reparameterised action ``(n, A)`` and its log density ``(n,)``."""
        mean, log_std = self(observation, skill)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        unsquashed = mean + log_std.exp() * noise
        return unsquashed.tanh(), tanh_gaussian_log_prob(unsquashed, noise, log_std)


def tanh_gaussian_log_prob(unsquashed: Tensor, noise: Tensor, log_std: Tensor) -> Tensor:
    """Log density of ``tanh(unsquashed)``, summed over action entries; all ``(n, A)`` -> ``(n,)``.

    Subtracts log(1 - tanh(u)^2) in the form 2 (log 2 - u - softplus(-2u)), exact where tanh
    rounds to one.
    """
    gaussian = -0.5 * (noise.square() + LOG_TWO_PI) - log_std
    squash = 2.0 * (math.log(2.0) - unsquashed - functional.softplus(-2.0 * unsquashed))
    return (gaussian - squash).sum(-1)


class PositiveScalar(nn.Module):
    """A learned positive number, stored as its logarithm."""

    def __init__(self, initial: float) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(initial)))

    def forward(self) -> Tensor:
        """The number itself, a scalar."""
        return self.log.exp()


def update_moving_average(target: nn.Module, online: nn.Module, rate: float) -> None:
    """Moves every parameter of ``target`` by the share ``rate`` towards ``online``."""
    with torch.no_grad():
        for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
            slow.lerp_(fast, rate)
