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

from skill_training.algorithms.sac import Metrics, Sac, SacConfig, adam, descend
from skill_training.config import PositiveInt
from skill_training.data.replay import Batch
from skill_training.nets.dynamics import StepDensity
from skill_training.nets.inputs import NetworkInputs
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

    def __init__(
        self,
        config: DadsConfig,
        *,
        inputs: NetworkInputs,
        action_size: int,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        super().__init__(config, inputs=inputs, action_size=action_size, device=device, seed=seed)
        size = len(inputs.seen)
        with seeded_weights(seed, "density"):
            self.density = StepDensity(size + self.skill_size, size, config.hidden).to(device)
        self.density_optimizer = adam(self.density, config.learning_rate)

    @torch.no_grad()
    def reward(self, batch: Batch, prior: Tensor) -> Tensor:
        """Returns the reward ``(n,)`` with skills of the prior ``(L, Z)``."""
        here, change = self._change(batch)
        n, count = len(here), len(prior)
        chosen = self.density.log_density(torch.cat((here, batch.skill), dim=-1), change)
        inputs = torch.cat((here.repeat_interleave(count, 0), prior.repeat(n, 1)), dim=-1)
        others = self.density.log_density(inputs, change.repeat_interleave(count, 0))
        return chosen - (others.view(n, count).logsumexp(-1) - math.log(count))

    def update(self, batch: Batch) -> Metrics:
        """Takes one gradient step: dynamics, critic on new rewards, actor, entropy, target."""
        here, change = self._change(batch)
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

    def _change(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Returns state and change in phi's scaled inputs, ``(n, k)`` each."""
        here = self.representation.scaled(batch.observation)
        return here, self.representation.scaled(batch.next_observation) - here
