"""The stochastic actor."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from skill_training.nets.mlp import ObservationNormalizer, mlp

LOG_STD_LOW = -5.0
LOG_STD_HIGH = 2.0

LOG_TWO_PI = math.log(2.0 * math.pi)


class TanhGaussianActor(nn.Module):
    """A Gaussian squashed by tanh into [-1, 1] (Haarnoja et al. 2018, SAC, appendix C).

    The log standard deviation is clipped to [-5, 2]. It starts near 0, which gives wide exploration
    at first.
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

    Subtracts log(1 - tanh(u)^2) in the form 2 (log 2 - u - softplus(-2u)), which is exact even if
    tanh rounds to one.
    """
    gaussian = -0.5 * (noise.square() + LOG_TWO_PI) - log_std
    squash = 2.0 * (math.log(2.0) - unsquashed - functional.softplus(-2.0 * unsquashed))
    return (gaussian - squash).sum(-1)
