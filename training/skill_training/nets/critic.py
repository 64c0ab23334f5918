"""Twin critics: values and successor features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skill_training.nets.mlp import ObservationNormalizer, TwinMlp


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


def update_moving_average(target: nn.Module, online: nn.Module, rate: float) -> None:
    """Moves every parameter of ``target`` by the share ``rate`` towards ``online``."""
    with torch.no_grad():
        for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
            slow.lerp_(fast, rate)
