"""Mutual information skill learning (MISL) with a scalar critic: the ablations of CSF.

Zheng, Tuyls, Peng, Eysenbach, "Can a MISL Fly? Analysis and Ingredients for Mutual Information
Skill Learning", ICLR 2025, section 6. CSF learns phi by a contrastive loss on the energy
f(s, s', z) and rewards the energy of the right skill. Its ablations change one part at a time:

- ``kernel inner``: f = d . z with d = phi(s') - phi(s). With this, the algorithm is METRA with the
  contrastive loss in place of the dual variable.
- ``kernel gaussian``: f = -|d - z|^2. ``kernel laplacian``: f = -|d - z|.
- ``kernel mlp``: f is a network of phi(s), phi(s') and z.
- ``no-bottleneck``: the reward is the whole lower bound of the mutual information,
  f(s, s', z) - log mean_k exp f(s, s', z'_k), and not its first term alone.

CSF's successor features need a reward that is linear in the skill, so the critic here is scalar.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_training.algorithms.actor_critic import Metrics, adam, descend
from skill_training.algorithms.sac import Sac, SacConfig
from skill_training.config import PositiveFloat, PositiveInt
from skill_training.data.replay import Batch
from skill_training.nets.mlp import mlp
from skill_training.seeding import seeded_weights

Kernel = Literal["inner", "gaussian", "laplacian", "mlp"]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class MislConfig(SacConfig):
    """Settings of MISL."""

    name: ClassVar[str] = "misl"

    kernel: Kernel = "inner"
    """Form of the energy f(s, s', z)."""

    bottleneck: bool = True
    """Whether the reward is the energy alone, an information bottleneck on phi."""

    contrast_weight: PositiveFloat = 5.0
    """xi: weight of the contrastive term."""

    negatives: PositiveInt = 256
    """Number of negative skills, drawn at each gradient step and shared by the whole batch."""


class Misl(Sac):
    """SAC on a contrastive lower bound of the information between transitions and skills."""

    config: MislConfig

    def add_parts(self, seed: int) -> None:
        """Builds the network of the energy."""
        with seeded_weights(seed, "energy"):
            self.energy_network = mlp(3 * self.skill_size, self.config.hidden, 1).to(self.device)
        self.energy_optimizer = adam(self.energy_network, self.config.learning_rate)

    def energies(self, batch: Batch, skills: Tensor) -> Tensor:
        """Returns f of each transition with each of the skills ``(k, Z)``, ``(n, k)``."""
        here = self.representation(batch.observation)
        there = self.representation(batch.next_observation)
        step = there - here
        if self.config.kernel == "inner":
            return step @ skills.T
        if self.config.kernel == "mlp":
            n, k = len(here), len(skills)
            state = torch.cat((here, there), dim=-1).repeat_interleave(k, 0)
            pairs = torch.cat((state, skills.repeat(n, 1)), dim=-1)
            return self.energy_network(pairs).view(n, k)
        distance = torch.cdist(step, skills)
        return -distance if self.config.kernel == "laplacian" else -distance.square()

    def energy(self, batch: Batch) -> Tensor:
        """Returns f of each transition with its own skill, ``(n,)``."""
        here = self.representation(batch.observation)
        there = self.representation(batch.next_observation)
        if self.config.kernel == "mlp":
            return self.energy_network(torch.cat((here, there, batch.skill), dim=-1)).squeeze(-1)
        if self.config.kernel == "inner":
            return ((there - here) * batch.skill).sum(-1)
        squared = (there - here - batch.skill).square().sum(-1)
        return -squared if self.config.kernel == "gaussian" else -(squared + 1e-12).sqrt()

    def contrast(self, batch: Batch, negatives: Tensor) -> Tensor:
        """Returns log mean_k exp f(s, s', z'_k) with skills ``(k, Z)``, ``(n,)``."""
        return self.energies(batch, negatives).logsumexp(-1) - math.log(len(negatives))

    @torch.no_grad()
    def reward(self, batch: Batch, negatives: Tensor) -> Tensor:
        """Returns the reward ``(n,)``."""
        energy = self.energy(batch)
        return energy if self.config.bottleneck else energy - self.contrast(batch, negatives)

    def update(self, batch: Batch) -> Metrics:
        """Takes one gradient step: phi, energy, critic on new rewards, actor, entropy, target."""
        negatives = self.sample_skills(self.config.negatives, self.generator)
        alignment = self.energy(batch).mean()
        contrast = self.contrast(batch, negatives).mean()
        loss = self.config.contrast_weight * contrast - alignment
        self._descend(loss)
        critic_loss, metrics = self.critic_loss(batch, self.reward(batch, negatives))
        descend(critic_loss, self.critic_optimizer)
        metrics |= self.update_actor(batch)
        self.update_target()
        return metrics | {
            "representation/loss": loss.detach(),
            "representation/alignment": alignment.detach(),
            "representation/contrast": contrast.detach(),
        }

    def stateful(self) -> dict[str, nn.Module | Optimizer]:
        """Adds the network of the energy."""
        own = {
            "energy_network": self.energy_network,
            "energy_optimizer": self.energy_optimizer,
        }
        return super().stateful() | own

    def _descend(self, loss: Tensor) -> None:
        """Takes one step of phi and of the energy's network."""
        learns_energy = self.config.kernel == "mlp"
        if not learns_energy:
            self.descend_representation(loss)
            return
        optimizers = [self.energy_optimizer]
        if not self.config.representation.frozen:
            optimizers.append(self.representation_optimizer)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
