"""A forward model that trains the encoder: the context must help to predict what follows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skill_training.data.episodes import Episodes
from skill_training.nets.mlp import ObservationNormalizer, mlp

HIDDEN = (256, 256)
"""Hidden layers of the network."""

SAMPLES = 1024
"""Transitions of one loss."""

LARGEST = 10.0
"""Bound on a predicted change, in typical changes: one that a collision causes is no outlier."""


class ForwardModel(nn.Module):
    """Predicts the next change of the observation from context, observation and action.

    The objective of CaDM (Lee et al. 2020, "Context-aware dynamics model", without its backward
    model), and of VariBAD's decoder (Zintgraf et al. 2020) without its prior. It needs no tasks, no
    pairs and no returns.

    Args:
        context_size: C.
        scale: ``(O,)`` typical magnitude of each observation entry.
        step_scale: ``(O,)`` typical change of each entry in one control step.
        action_size: A.

    Raises:
        ValueError: there is not one typical change for each entry.
    """

    step_scale: Tensor

    def __init__(
        self,
        context_size: int,
        *,
        scale: Sequence[float],
        step_scale: Sequence[float],
        action_size: int,
    ) -> None:
        super().__init__()
        if len(step_scale) != len(scale):
            raise ValueError(
                f"a forward model needs {len(scale)} typical changes, got {len(step_scale)}"
            )
        self.normalizer = ObservationNormalizer(scale)
        self.body = mlp(len(scale) + action_size + context_size, HIDDEN, len(scale))
        self.register_buffer("step_scale", torch.tensor(step_scale, dtype=torch.float32))

    def forward(self, context: Tensor, observation: Tensor, action: Tensor) -> Tensor:
        """``(n, C)``, ``(n, O)`` raw, ``(n, A)`` -> ``(n, O)``, change over ``step_scale``."""
        inputs = (self.normalizer(observation), action, context)
        return self.body(torch.cat(inputs, dim=-1))

    def loss(self, episodes: Episodes, contexts: Tensor, generator: torch.Generator) -> Tensor:
        """Returns the mean squared error of the standardised change, over drawn transitions.

        Args:
            episodes: ``B`` episodes of ``T`` steps.
            contexts: ``(B, T + 1, C)``, with the encoder's gradient.
            generator: Generator on the CPU.
        """
        counted, device = episodes.counted, contexts.device
        share = counted.cpu().float()
        rows = torch.multinomial(share, SAMPLES, replacement=True, generator=generator).to(device)
        drawn = torch.rand(SAMPLES, generator=generator).to(device)
        times = (drawn * counted[rows]).long().minimum(counted[rows] - 1)
        before, after = episodes.observation[rows, times], episodes.observation[rows, times + 1]
        change = ((after - before) / self.step_scale).clamp(-LARGEST, LARGEST)
        predicted = self(contexts[rows, times], before, episodes.action[rows, times])
        return (predicted - change).square().mean()
