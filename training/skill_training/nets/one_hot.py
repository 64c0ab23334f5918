"""Actor and twin critic for actions of which exactly one of D is chosen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from skill_training.nets.mlp import ObservationNormalizer, TwinMlp, mlp


class OneHotActor(nn.Module):
    """A categorical distribution over D choices."""

    def __init__(
        self, normalizer: ObservationNormalizer, *, choices: int, hidden: Sequence[int]
    ) -> None:
        super().__init__()
        self.normalizer = normalizer
        self.body = mlp(len(normalizer.scale), hidden, choices)

    def forward(self, observation: Tensor) -> Tensor:
        """``(n, O)`` raw -> log probabilities ``(n, D)``."""
        return self.body(self.normalizer(observation)).log_softmax(-1)

    def mode(self, observation: Tensor) -> Tensor:
        """The most probable choice, one-hot ``(n, D)``."""
        scores = self.body(self.normalizer(observation))
        return functional.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)

    def sample(self, observation: Tensor, generator: torch.Generator) -> Tensor:
        """A random choice, one-hot ``(n, D)``."""
        log_probs = self(observation)
        index = torch.multinomial(log_probs.exp(), 1, generator=generator)[:, 0]
        return functional.one_hot(index, log_probs.shape[-1]).to(log_probs.dtype)


class OneHotCritic(nn.Module):
    """Twin values of all D choices."""

    def __init__(
        self, normalizer: ObservationNormalizer, *, choices: int, hidden: Sequence[int]
    ) -> None:
        super().__init__()
        self.normalizer = normalizer
        self.twins = TwinMlp(len(normalizer.scale), hidden, choices)

    def forward(self, observation: Tensor) -> Tensor:
        """``(n, O)`` raw -> ``(2, n, D)``."""
        return self.twins(self.normalizer(observation))
