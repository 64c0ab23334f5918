"""Controllability-aware skill discovery (CSD), a baseline.

Park, Lee, Lee, Abbeel, "Controllability-Aware Unsupervised Skill Discovery", ICML 2023, and its
public code.

As METRA, with another constraint: a step of phi may be the longer, the less likely the transition
is under a learned density q(s'|s): what is hard to control counts most.

    D(s, s')^2 = mean_i ((delta_i - mu_i(s)) / sigma_i(s))^2, normalised

with delta the change of the state. As in the authors' code, 1/sigma is divided by its geometric
mean over the entries, so that the distance measures how unusual a change is, not how sure q is.

Differences from the code (there -> here), with the reason:
    - Reward times 500 and a fixed entropy coefficient -> the unscaled reward with a learned
      coefficient, as in every algorithm here.
    - No bound of the distance -> at most 50, so that one transition does not decide a batch.
    - Raw states -> the entries that phi sees, divided by their scale.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_training.algorithms.actor_critic import Metrics, adam, descend
from skill_training.algorithms.metra import Metra, MetraConfig
from skill_training.data.replay import Batch
from skill_training.nets.dynamics import StepDensity
from skill_training.nets.representation import StateRepresentation
from skill_training.seeding import seeded_weights

LARGEST = 50.0
"""Largest squared distance: one transition must not decide a batch."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CsdConfig(MetraConfig):
    """Settings of CSD."""

    name: ClassVar[str] = "csd"


class Csd(Metra):
    """METRA's algorithm with a distance of controllability."""

    representation: StateRepresentation

    def add_parts(self, seed: int) -> None:
        """Builds the dual variable and the density."""
        super().add_parts(seed)
        size = len(self.inputs.seen)
        with seeded_weights(seed, "density"):
            self.density = StepDensity(size, size, self.config.hidden).to(self.device)
        self.density_optimizer = adam(self.density, self.config.learning_rate)

    @torch.no_grad()
    def squared_distance(self, batch: Batch) -> Tensor:
        """D(s, s')^2, ``(n,)``."""
        here, change = self.representation.scaled_change(batch.observation, batch.next_observation)
        mean, log_std = self.density(here)
        relative = log_std - log_std.mean(-1, keepdim=True)
        error = (change - mean) * torch.exp(-relative)
        return error.square().mean(-1).clamp(max=LARGEST)

    def update(self, batch: Batch) -> Metrics:
        """Takes one gradient step of the density, and one of METRA."""
        loss = -self.density.log_density(
            *self.representation.scaled_change(batch.observation, batch.next_observation)
        ).mean()
        descend(loss, self.density_optimizer)
        return super().update(batch) | {"density/loss": loss.detach()}

    def stateful(self) -> dict[str, nn.Module | Optimizer]:
        """Adds the density."""
        own = {"density": self.density, "density_optimizer": self.density_optimizer}
        return super().stateful() | own
