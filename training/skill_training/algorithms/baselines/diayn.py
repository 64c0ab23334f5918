"""Diversity is all you need (DIAYN), a baseline.

Eysenbach, Gupta, Ibarz, Levine, "Diversity is All You Need: Learning Skills without a Reward
Function", ICLR 2019.

The representation is the discriminator q(z | s'): it tells the skill from the state that was
reached. The reward is log q(z | s') - log p(z).

- One-hot skills: phi's outputs are logits.
- Skills on the sphere: q is a von Mises-Fisher density around the direction of phi with
  concentration 1, whose logarithm is cos(phi, z) up to a constant. The paper has discrete skills.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional

from skill_training.algorithms.actor_critic import Metrics, descend
from skill_training.algorithms.sac import Sac, SacConfig
from skill_training.data.replay import Batch


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DiaynConfig(SacConfig):
    """Settings of DIAYN."""

    name: ClassVar[str] = "diayn"


class Diayn(Sac):
    """SAC on the discriminator's log density of the skill."""

    config: DiaynConfig

    def log_density(self, observation: Tensor, skill: Tensor) -> Tensor:
        """Log q(z | s) - log p(z), up to a constant for skills on the sphere, ``(n,)``."""
        outputs = self.representation(observation)
        if self.config.skills == "one_hot":
            known = (functional.log_softmax(outputs, dim=-1) * skill).sum(-1)
            return known + math.log(self.skill_size)
        return (functional.normalize(outputs, dim=-1) * skill).sum(-1)

    def update(self, batch: Batch) -> Metrics:
        """Takes one gradient step: discriminator, critic on new rewards, actor, entropy, target."""
        density = self.log_density(batch.next_observation, batch.skill)
        loss = -density.mean()
        self.descend_representation(loss)
        with torch.no_grad():
            reward = self.log_density(batch.next_observation, batch.skill)
        critic_loss, metrics = self.critic_loss(batch, reward)
        descend(critic_loss, self.critic_optimizer)
        metrics |= self.update_actor(batch)
        self.update_target()
        return metrics | {"representation/loss": loss.detach()}
