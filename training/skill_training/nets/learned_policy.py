"""The networks of a policy with a context, and their running average."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from skill_training.nets.actor import TanhGaussianActor
from skill_training.nets.critic import update_moving_average
from skill_training.nets.encoder import ContextEncoder
from skill_training.nets.mlp import mlp


class EstimationHead(nn.Module):
    """A small network from context to standardised hidden quantities."""

    def __init__(self, context_size: int, quantities: int = 2) -> None:
        super().__init__()
        self.body = mlp(context_size, (64,), quantities)

    def forward(self, context: Tensor) -> Tensor:
        """``(..., C)`` -> ``(..., K)``."""
        return self.body(context)


class LearnedPolicy(nn.Module):
    """Running average of actor, encoder and head: the policy that is evaluated and exported."""

    def __init__(
        self, actor: TanhGaussianActor, encoder: ContextEncoder, head: EstimationHead
    ) -> None:
        super().__init__()
        self.actor, self.encoder, self.head = copy.deepcopy((actor, encoder, head))
        self.requires_grad_(False)

    def follow(
        self, actor: TanhGaussianActor, encoder: ContextEncoder, head: EstimationHead, rate: float
    ) -> None:
        """Moves by the share ``rate`` towards the networks in training; 1 copies them."""
        for slow, fast in ((self.actor, actor), (self.encoder, encoder), (self.head, head)):
            update_moving_average(slow, fast, rate)
