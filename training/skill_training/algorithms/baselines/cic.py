"""Contrastive intrinsic control (CIC), a baseline.

Laskin, Liu, Peng, Yarats, Rajeswaran, Abbeel, "Unsupervised Reinforcement Learning with Contrastive
Intrinsic Control", NeurIPS 2022, and its public code.

phi embeds states. A query of (phi(s), phi(s')) and a key of the skill are trained to match by a
noise-contrastive loss; the reward is a particle estimate of the entropy of phi(s'): the mean
distance to its nearest neighbours in the batch.

Differences from the code (there -> here), with the reason:
    - DDPG with n-step returns -> SAC, as every algorithm here.
    - Skills uniform in a cube of 64 dimensions -> on the sphere of phi's size, as every algorithm
      here.
    - Negatives alone in the denominator of the contrastive loss -> a cross-entropy, whose
      denominator contains the positive too.
    - Reward by a running mean of the neighbour distance -> by the mean of the batch.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from skill_training.algorithms.actor_critic import Metrics, adam, descend
from skill_training.algorithms.sac import Sac, SacConfig
from skill_training.config import PositiveFloat, PositiveInt
from skill_training.data.replay import Batch
from skill_training.nets.mlp import mlp
from skill_training.seeding import seeded_weights


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CicConfig(SacConfig):
    """Settings of CIC."""

    name: ClassVar[str] = "cic"

    temperature: PositiveFloat = 0.5
    """Temperature of the noise-contrastive loss."""

    neighbours: PositiveInt = 16
    """Number of nearest neighbours in the estimate of the entropy."""


class Cic(Sac):
    """SAC on the entropy of embedded states."""

    config: CicConfig

    def add_parts(self, seed: int) -> None:
        """Builds query and key."""
        size, hidden = self.skill_size, self.config.hidden
        with seeded_weights(seed, "contrast"):
            self.query = mlp(2 * size, hidden, size).to(self.device)
            self.key = mlp(size, hidden, size).to(self.device)
        parts = nn.ModuleList([self.query, self.key])
        self.contrast_optimizer = adam(parts, self.config.learning_rate)

    def contrastive_loss(self, batch: Batch) -> Tensor:
        """Returns the noise-contrastive loss of queries (phi(s), phi(s')) and keys of skills.

        The cosine of query i and key j over the temperature is the logit of skill j for transition
        i; the loss is the cross-entropy of the right skill.
        """
        embedded = torch.cat(
            (self.representation(batch.observation), self.representation(batch.next_observation)),
            dim=-1,
        )
        query = functional.normalize(self.query(embedded), dim=-1)
        key = functional.normalize(self.key(batch.skill), dim=-1)
        logits = query @ key.T / self.config.temperature
        return functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))

    @torch.no_grad()
    def reward(self, batch: Batch) -> Tensor:
        """Returns log(1 + mean distance of phi(s') to its nearest neighbours), ``(n,)``.

        Distances are relative to their mean in the batch.
        """
        embedded = self.representation(batch.next_observation)
        count = min(self.config.neighbours, len(embedded) - 1)
        # The nearest one is the point itself.
        nearest = torch.cdist(embedded, embedded).topk(count + 1, largest=False).values[:, 1:]
        return torch.log1p((nearest / nearest.mean().clamp_min(1e-8)).mean(-1))

    def update(self, batch: Batch) -> Metrics:
        """Takes one gradient step: contrast, critic on new rewards, actor, entropy, target."""
        loss = self.contrastive_loss(batch)
        self.contrast_optimizer.zero_grad(set_to_none=True)
        self.representation_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.contrast_optimizer.step()
        if not self.config.representation.frozen:
            self.representation_optimizer.step()
        critic_loss, metrics = self.critic_loss(batch, self.reward(batch))
        descend(critic_loss, self.critic_optimizer)
        metrics |= self.update_actor(batch)
        self.update_target()
        return metrics | {"representation/loss": loss.detach()}

    def stateful(self) -> dict[str, nn.Module | Optimizer]:
        """Adds query, key and their optimiser."""
        own = {"query": self.query, "key": self.key, "contrast_optimizer": self.contrast_optimizer}
        return super().stateful() | own
