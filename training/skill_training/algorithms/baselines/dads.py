"""Dynamics-aware discovery of skills (DADS), a baseline.

Sharma, Gu, Levine, Kumar, Hausman, "Dynamics-Aware Unsupervised Discovery of Skills", ICLR 2020.

Skill dynamics q(s' | s, z) are learned; the reward is

    log q(s' | s, z) - log (1/L) sum_i q(s' | s, z_i),  z_i from the prior.

Differences from the paper, with the reason:
    - A mixture of four Gaussians of fixed variance -> one diagonal Gaussian with learned variance.
    - On-policy batches -> replay, as the authors' later off-policy variant and METRA's code.
    - The whole state -> the entries that phi sees, divided by their scale.
    - 100 prior skills -> 32 (``prior_skills``), for speed.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_training.algorithms.actor_critic import Metrics, adam, descend
from skill_training.algorithms.sac import Sac, SacConfig
from skill_training.config import PositiveInt
from skill_training.data.replay import Batch
from skill_training.nets.dynamics import StepDensity
from skill_training.nets.representation import StateRepresentation
from skill_training.seeding import seeded_weights


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DadsConfig(SacConfig):
    """Settings of DADS."""

    name: ClassVar[str] = "dads"

    prior_skills: PositiveInt = 32
    """L: number of skills of the prior in the denominator of the reward."""


class Dads(Sac):
    """SAC on the information that a transition gives about its skill."""

    config: DadsConfig
    representation: StateRepresentation

    def add_parts(self, seed: int) -> None:
        """Builds the skill dynamics."""
        size, hidden = len(self.inputs.seen), self.config.hidden
        with seeded_weights(seed, "density"):
            self.density = StepDensity(size + self.skill_size, size, hidden).to(self.device)
        self.density_optimizer = adam(self.density, self.config.learning_rate)

    @torch.no_grad()
    def reward(self, batch: Batch, prior: Tensor) -> Tensor:
        """Returns the reward ``(n,)`` with skills of the prior ``(L, Z)``."""
        here, change = self.representation.scaled_change(batch.observation, batch.next_observation)
        n, count = len(here), len(prior)
        chosen = self.density.log_density(torch.cat((here, batch.skill), dim=-1), change)
        inputs = torch.cat((here.repeat_interleave(count, 0), prior.repeat(n, 1)), dim=-1)
        others = self.density.log_density(inputs, change.repeat_interleave(count, 0))
        return chosen - (others.view(n, count).logsumexp(-1) - math.log(count))

    def update(self, batch: Batch) -> Metrics:
        """Takes one gradient step: dynamics, critic on new rewards, actor, entropy, target."""
        here, change = self.representation.scaled_change(batch.observation, batch.next_observation)
        loss = -self.density.log_density(torch.cat((here, batch.skill), dim=-1), change).mean()
        descend(loss, self.density_optimizer)
        prior = self.sample_skills(self.config.prior_skills, self.generator)
        critic_loss, metrics = self.critic_loss(batch, self.reward(batch, prior))
        descend(critic_loss, self.critic_optimizer)
        metrics |= self.update_actor(batch)
        self.update_target()
        return metrics | {"density/loss": loss.detach()}

    def stateful(self) -> dict[str, nn.Module | Optimizer]:
        """Adds the skill dynamics."""
        own = {"density": self.density, "density_optimizer": self.density_optimizer}
        return super().stateful() | own
