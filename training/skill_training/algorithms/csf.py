"""Contrastive successor features (CSF).

Zheng, Tuyls, Peng, Eysenbach, "Can a MISL Fly? Analysis and Ingredients for Mutual Information
Skill Learning", ICLR 2025, and its public code.

Notation: phi the representation, d = phi(s') - phi(s), z a skill on the unit sphere, psi_1 and
psi_2 the successor features, pi the actor.

Defaults as in the authors' code: xi 5 with 256 new negatives per gradient step, batches of 256,
discount .99, target rate .005, 32 environment steps per gradient step (the ratio of its state-based
environments), 1,000,000 transitions of replay, entropy coefficient from .01 with a target entropy
of -1/2 per action entry.

Differences from the paper or its code (there -> here), with the reason:
    - Representation of the full state -> of named observation entries, by default the cube's x and
      y. The skill space is therefore given, not discovered. With the full state the skills become
      motions of the end effector, which moves at every step, and the cube is not touched.
    - MLP representation -> a scaled rotation by default ('mlp' and 'linear' remain choices). An MLP
      is curved differently for each seed, and a free matrix can lose a dimension.
    - Two layers of 1024 -> two layers of 256. They fit one CPU core and suffice for the tabletop.
    - Actor with tanh hidden layers -> ReLU, as in every other network.
    - Xavier's initial weights, biases 0, the actor's last layer ten times smaller -> torch's
      defaults; a linear representation starts orthogonal and has no bias.
    - Log density of an action with a floor of 1e-6 under 1 - a^2 -> exact.
    - Log standard deviation clipped to [ln 1e-6, 2] -> to [-5, 2]. A converged skill keeps a
      standard deviation of at least .0067 before tanh.
    - Learning rate 1e-4 -> 3e-4, and 1e-3 for a 'rotation' or 'linear' representation. Runs take
      minutes (50,000 gradient steps) instead of days (2,000,000).
    - Untrained policy in the first steps -> uniform random actions in the first 10,000 environment
      steps (whole rounds), so that early data do not depend on the actor's initial weights.
    - Rounds of 8 episodes of 200 steps -> 32 episodes of 100, of 200 in the bodies. The scenes are
      stepped as one batch. At the same ratio a body's round has 200 gradient steps instead of 50.
    - One kind of start -> mixed starts: end effector low (half of the episodes), at any height (a
      quarter), or lowered beside the cube (a quarter). The last is an exploration aid: contact
      occurs early.
    - Observations normalised by statistics of random rollouts -> divided by fixed magnitudes, which
      are the same in training, in the policy file and in every run.
    - Log of the sum over the negatives -> log of their mean. The constant has no gradient.
    - float32 matrix products -> bfloat16 inputs on CPUs that support them, for speed. The setting
      is ``run.matmul``; run.json, manifest and card record the precision of a run.
    - Named entries, the rotation, the learning rates, the starts and the fixed magnitudes are those
      of the tabletop. In every other world the default is a linear representation of the whole
      observation, divided by the typical change of each entry in one step, observations normalised
      by statistics of random rollouts of whole episodes (in the papers of 50 steps), and a learning
      rate of 1e-3 throughout.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from skill_training.algorithms.actor_critic import Loss, Metrics, descend
from skill_training.algorithms.sac import SacConfig, SoftActorCritic
from skill_training.config import BatchSize, PositiveFloat
from skill_training.data.replay import Batch
from skill_training.nets.critic import SuccessorFeatures


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CsfConfig(SacConfig):
    """Settings of contrastive successor features."""

    name: ClassVar[str] = "csf"

    contrast_weight: PositiveFloat = 5.0
    """xi: weight of the contrastive term, which bounds the length of representation steps."""

    negatives: BatchSize = 256
    """Number of negative skills, drawn at each gradient step and shared by the whole batch."""


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
        """Returns the target d + gamma psi'_j(s', z, a') with j = argmin_j psi'_j . z, ``(n, Z)``.

        There is one j per sample: the target takes the whole vector of the twin with the smaller
        value along the skill, and so remains the successor features of one policy. It contains no
        entropy.
        """
        first, second = self.target_critic(batch.next_observation, next_action, batch.skill)
        first_is_smaller = ((first - second) * batch.skill).sum(-1, keepdim=True) <= 0
        features = torch.where(first_is_smaller, first, second)
        return step + self.config.discount * batch.continued(features)

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
        """Takes one gradient step: phi, psi, target, actor, entropy coefficient."""
        step = self.representation.step(*batch.seen)
        negatives = self.sample_skills(self.config.negatives, self.generator)
        loss, metrics = self.representation_loss(step, batch.skill, negatives)
        self.descend_representation(loss)

        with torch.no_grad():
            step = self.representation.step(*batch.seen)
        next_action = self.act(batch.next_observation, batch.skill)
        target = self.successor_target(batch, step, next_action)
        loss, critic_metrics = self.successor_loss(batch, target)
        descend(loss, self.critic_optimizer)

        self.update_target()
        return metrics | critic_metrics | self.update_actor(batch)
