"""METRA: metric-aware abstraction.

Park, Rybkin, Levine, "METRA: Scalable Unsupervised RL with Metric-Aware Abstraction", ICLR 2024,
and its public code.

Notation: phi the representation, d = phi(s') - phi(s), z a skill on the unit sphere, lambda the
dual variable of the constraint |d| <= 1, eps its slack.

Differences from the paper or its code (there -> here), with the reason:
    - Mean of the squared entries in the authors' constraint, which loosens it to |d|^2 <= dim(z) ->
      sum of squares |d|^2, as in the paper and in the METRA baseline of the CSF code.
    - Terminal at the time limit -> no terminal, as in the METRA baseline of the CSF code. The
      episode continues beyond the limit, and the observation contains no clock.
    - As in CSF, for the reasons in csf.py: representation of named observation entries, by default
      a scaled rotation of the cube's x and y; two layers of 256 with torch's initial weights; ReLU
      in the actor; log standard deviation clipped to [-5, 2]; learning rate 3e-4 (1e-3 for a
      'rotation' or 'linear' representation); uniform random actions in the first 10,000 environment
      steps; rounds of 32 episodes of 100 steps; mixed starts; fixed observation scales; bfloat16
      inputs of matrix products on CPUs that support them. Worlds other than the tabletop have the
      defaults that csf.py names.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_training.algorithms.actor_critic import Loss, Metrics, adam, descend
from skill_training.algorithms.sac import Sac, SacConfig
from skill_training.algorithms.skills import zero_mean_code
from skill_training.config import PositiveFloat
from skill_training.data.replay import Batch
from skill_training.nets.mlp import PositiveScalar


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class MetraConfig(SacConfig):
    """Settings of METRA."""

    name: ClassVar[str] = "metra"

    slack: PositiveFloat = 1e-3
    """eps: upper bound of the constraint's slack, which a step shorter than 1 reaches."""

    initial_dual: PositiveFloat = 30.0
    """Dual variable lambda at the start of training, which then learns its logarithm."""


class Metra(Sac):
    """METRA with a scalar twin critic."""

    config: MetraConfig

    def add_parts(self, seed: int) -> None:
        """Builds the dual variable."""
        del seed
        self.dual = PositiveScalar(self.config.initial_dual).to(self.device)
        self.dual_optimizer = adam(self.dual, self.config.learning_rate)

    def squared_distance(self, batch: Batch) -> Tensor | float:
        """Returns the square of the longest step of phi that is allowed: 1 in one time step.

        Another distance between successive states gives another algorithm (LSD, CSD).
        """
        del batch
        return 1.0

    def constraint(self, step: Tensor, squared_distance: Tensor | float = 1.0) -> Tensor:
        """Returns the slack c = min(eps, D^2 - |d|^2), ``(n,)``, negative if a step is too long."""
        return (squared_distance - step.square().sum(-1)).clamp(max=self.config.slack)

    def representation_loss(
        self, step: Tensor, skill: Tensor, squared_distance: Tensor | float = 1.0
    ) -> Loss:
        """-mean(d . z + lambda c) for steps d ``(n, Z)`` with gradient and skills ``(n, Z)``."""
        alignment = (step * skill).sum(-1).mean()
        constraint = self.constraint(step, squared_distance).mean()
        loss = -(alignment + self.dual().detach() * constraint)
        return loss, {
            "representation/loss": loss.detach(),
            "representation/alignment": alignment.detach(),
            "representation/constraint": constraint.detach(),
            "representation/step_norm": step.detach().norm(dim=-1).mean(),
        }

    def dual_loss(self, step: Tensor, squared_distance: Tensor | float = 1.0) -> Loss:
        """Returns the dual loss log lambda mean(c): lambda rises while the constraint is violated.

        The gradient is taken on log lambda, as in the authors' code.
        """
        loss = self.dual.log * self.constraint(step, squared_distance).detach().mean()
        return loss, {"representation/dual": self.dual().detach()}

    def update(self, batch: Batch) -> Metrics:
        """Takes one gradient step: phi, lambda, critic on new rewards, actor, entropy, target."""
        code = zero_mean_code(batch.skill) if self.config.skills == "one_hot" else batch.skill
        step = self.representation.step(*batch.seen)
        distance = self.squared_distance(batch)
        loss, metrics = self.representation_loss(step, code, distance)
        self.descend_representation(loss)
        loss, dual_metrics = self.dual_loss(step, distance)
        descend(loss, self.dual_optimizer)

        with torch.no_grad():
            step = self.representation.step(*batch.seen)
        loss, critic_metrics = self.critic_loss(batch, reward=(step * code).sum(-1))
        descend(loss, self.critic_optimizer)

        metrics |= dual_metrics | critic_metrics | self.update_actor(batch)
        self.update_target()
        return metrics

    def stateful(self) -> dict[str, nn.Module | Optimizer]:
        """Adds the dual variable."""
        return super().stateful() | {"dual": self.dual, "dual_optimizer": self.dual_optimizer}
