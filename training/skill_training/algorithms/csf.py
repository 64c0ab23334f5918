"""Contrastive successor features (CSF).

Zheng, Tuyls, Peng, Eysenbach, "Can a MISL Fly? Analysis and Ingredients for Mutual Information
Skill Learning", ICLR 2025, and its public code.

Notation: phi the representation, d = phi(s') - phi(s), z a skill on the unit sphere, psi_1 and
psi_2 the successor features, pi the actor.

As in the code, by default: xi 5 with 256 fresh negatives, batches of 256, discount .99, target
rate .005, 32 environment steps per gradient step (its state-based environments), 1,000,000
transitions of replay, entropy coefficient from .01 towards an entropy of -1/2 per action entry.

What differs from the paper or its code, and why:
    - Networks of two layers of 1024 -> 256: this fits one CPU core and suffices for the tabletop.
    - Actor with tanh hidden layers -> ReLU, one kind of network everywhere.
    - Learning rate 1e-4 -> 3e-4, and 1e-3 for a representation of few numbers: runs of minutes
      (50,000 gradient steps) rather than of days (2,000,000).
    - Representation of the full state -> of named observation entries (the cube's position): with
      the full state the skills become motions of the hand, which moves at every step, and the cube
      is left alone.
    - MLP representation -> a scaled rotation by default ('mlp' and 'linear' remain choices): an MLP
      bends from seed to seed, and a free matrix can lose a dimension.
    - log of the mean over the negatives rather than of their sum: a constant, it moves no gradient.
    - The first 10,000 environment steps (whole rounds of episodes) take uniform random actions, not
      the untrained policy's: what is learned first does not hang on how the actor happens to start.
    - Rounds of 32 episodes of 100 steps -> 8 episodes of 200: the scenes are stepped as one batch.
    - Observations divided by fixed typical magnitudes, not by statistics of random rollouts: the
      same numbers hold in training, in the file and between runs.
    - Weights start as torch.nn.Linear's; in the code the actor's last layer starts ten times
      smaller.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from skill_training.algorithms.sac import (
    Loss,
    Metrics,
    PositiveFloat,
    SacConfig,
    SoftActorCritic,
    descend,
)
from skill_training.algorithms.skills import sample_skills
from skill_training.data.replay import Batch
from skill_training.nets.critic import SuccessorFeatures


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CsfConfig(SacConfig):
    """Settings of contrastive successor features."""

    name: ClassVar[str] = "csf"

    contrast_weight: PositiveFloat = 5.0
    """xi: weight of the negative term, which holds the steps of the representation together."""

    negatives: Annotated[int, Field(ge=1)] = 256
    """Skills drawn afresh at each gradient step as negatives, shared by the whole batch."""


class Csf(SoftActorCritic):
    """Contrastive successor features."""

    critic_kind = SuccessorFeatures
    config: CsfConfig
    critic: SuccessorFeatures
    target_critic: SuccessorFeatures

    def representation_loss(self, step: Tensor, skill: Tensor, negatives: Tensor) -> Loss:
        """-mean(d . z) + xi mean_i log mean_k exp(d_i . z'_k).

        Args:
            step: d, ``(n, Z)``, with gradient.
            skill: z, ``(n, Z)``.
            negatives: z', ``(k, Z)``.
        """
        alignment = (step * skill).sum(-1).mean()
        contrast = (step @ negatives.T).logsumexp(-1).mean() - math.log(len(negatives))
        loss = self.config.contrast_weight * contrast - alignment
        return loss, {
            "representation/loss": loss.detach(),
            "representation/alignment": alignment.detach(),
            "representation/contrast": contrast.detach(),
            "representation/step_norm": step.detach().norm(dim=-1).mean(),
        }

    @torch.no_grad()
    def successor_target(self, batch: Batch, step: Tensor, next_action: Tensor) -> Tensor:
        """The target d + gamma psi'_j(s', z, a') with j = argmin_j psi'_j . z, ``(n, Z)``.

        One j per sample: the whole vector of the twin with the smaller value along the skill, so
        that the target stays a vector that some policy could have. No entropy in it.
        """
        first, second = self.target_critic(batch.next_observation, next_action, batch.skill)
        first_is_smaller = ((first - second) * batch.skill).sum(-1, keepdim=True) <= 0
        return step + self.config.discount * torch.where(first_is_smaller, first, second)

    def successor_loss(self, batch: Batch, target: Tensor) -> Loss:
        """mse(psi_1, y) + mse(psi_2, y) for targets y ``(n, Z)``."""
        features = self.critic(batch.observation, batch.action, batch.skill)
        loss = (features - target).square().mean((1, 2)).sum()
        value = (features.detach() * batch.skill).sum(-1).mean()
        return loss, {"critic/loss": loss.detach(), "critic/value": value}

    def twin_values(self, observation: Tensor, action: Tensor, skill: Tensor) -> Tensor:
        """psi_1 . z and psi_2 . z, ``(2, n)``."""
        return (self.critic(observation, action, skill) * skill).sum(-1)

    def update(self, batch: Batch) -> Metrics:
        """One gradient step: phi, psi, target, actor, entropy coefficient."""
        step = self.representation.step(batch.observation, batch.next_observation)
        negatives = sample_skills(self.config.negatives, self.skill_size, self.generator)
        loss, metrics = self.representation_loss(step, batch.skill, negatives)
        descend(loss, self.representation_optimizer)

        with torch.no_grad():
            step = self.representation.step(batch.observation, batch.next_observation)
        next_action = self.act(batch.next_observation, batch.skill)
        target = self.successor_target(batch, step, next_action)
        loss, critic_metrics = self.successor_loss(batch, target)
        descend(loss, self.critic_optimizer)

        self.update_target()
        return metrics | critic_metrics | self.update_actor(batch)
