"""The entropy coefficient and the state of every soft actor-critic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from skill_training.nets.mlp import PositiveScalar
from skill_training.seeding import restore_generator

Metrics = dict[str, Tensor]
"""Detached scalars by name, left on their device. Reading a value waits for the device."""

Loss = tuple[Tensor, Metrics]


def descend(loss: Tensor, optimizer: Optimizer) -> None:
    """Takes one optimiser step, with gradients of the optimiser's own parameters only."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=optimizer.param_groups[0]["params"])
    optimizer.step()


def adam(module: nn.Module, learning_rate: float) -> Adam:
    """Returns Adam as one fused kernel, on CPU and CUDA."""
    return Adam(module.parameters(), lr=learning_rate, fused=True)


class ActorCritic(ABC):
    """Learns the entropy coefficient, and saves and restores all parts."""

    entropy_coefficient: PositiveScalar
    target_entropy: float
    """Entropy of the policy to which the coefficient is adjusted [nat]."""
    generator: torch.Generator

    @abstractmethod
    def stateful(self) -> dict[str, nn.Module | Optimizer]:
        """Returns all modules and optimisers with state, by name."""

    def entropy_loss(self, log_prob: Tensor) -> Loss:
        """-log alpha mean(log pi + target entropy): alpha rises while the entropy is too low."""
        gap = (log_prob + self.target_entropy).mean().detach()
        loss = -self.entropy_coefficient.log * gap
        return loss, {"actor/entropy_coefficient": self.entropy_coefficient().detach()}

    def lower_learning_rates(self, half_life: int | None) -> None:
        """Lowers all learning rates by the decay of one gradient step; None keeps them.

        The rates are part of the optimisers' state, so a run that continues has them too.

        Args:
            half_life: Gradient steps in which the rates fall to half.
        """
        if half_life is None:
            return
        for part in self.stateful().values():
            if isinstance(part, Optimizer):
                for group in part.param_groups:
                    group["lr"] *= 0.5 ** (1.0 / half_life)

    def state_dict(self) -> dict[str, Any]:
        """Returns the state from which training continues exactly: tensors and containers only."""
        state: dict[str, Any] = {name: part.state_dict() for name, part in self.stateful().items()}
        return state | {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`.

        Raises:
            KeyError: a part is missing.
            RuntimeError: a network has another shape.
        """
        for name, part in self.stateful().items():
            part.load_state_dict(state[name])
        restore_generator(self.generator, state["generator"])
