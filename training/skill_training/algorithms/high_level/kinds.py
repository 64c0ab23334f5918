"""High levels for skills on the sphere and for one-hot skills."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from skill_training.algorithms.high_level.high_level import HighLevel
from skill_training.algorithms.skills import SkillKind
from skill_training.nets.actor import TanhGaussianActor
from skill_training.nets.critic import Critic
from skill_training.nets.mlp import ObservationNormalizer
from skill_training.nets.one_hot import OneHotActor, OneHotCritic


class SphereHighLevel(HighLevel[TanhGaussianActor, Critic]):
    """Chooses unit vectors."""

    def build(self, normalizer: ObservationNormalizer) -> None:
        """Makes a tanh-Gaussian actor, and a critic that takes the choice."""
        config, size = self.config, self.skill_size
        sizes = {"skill_size": 0, "action_size": size}
        self.actor = TanhGaussianActor(normalizer, **sizes, hidden=config.hidden)
        self.critic = Critic(normalizer, **sizes, hidden=config.hidden)
        self.target_entropy = config.target_entropy_per_entry * size

    def expect(self, critic: Critic, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Value and log density of one sampled choice."""
        choice, log_prob = self.actor.sample(observation, no_skill(observation), self.generator)
        return critic(observation, choice, no_skill(observation)).amin(0), log_prob

    def values(self, observation: Tensor, choice: Tensor) -> Tensor:
        """Q_1 and Q_2, ``(2, n)``."""
        return self.critic(observation, choice, no_skill(observation))

    @torch.no_grad()
    def choose(self, observation: Tensor, *, deterministic: bool = False) -> Tensor:
        """``(n, O)`` raw -> ``(n, Z)`` in [-1, 1]."""
        if deterministic:
            return self.actor.mode(observation, no_skill(observation))
        return self.actor.sample(observation, no_skill(observation), self.generator)[0]

    def skill(self, choice: Tensor) -> Tensor:
        """Returns the choices divided by their norms."""
        return functional.normalize(choice, dim=-1)


class OneHotHighLevel(HighLevel[OneHotActor, OneHotCritic]):
    """Chooses one of Z skills."""

    def build(self, normalizer: ObservationNormalizer) -> None:
        """Makes a categorical actor, and a critic that values all skills."""
        size, hidden = self.skill_size, self.config.hidden
        self.actor = OneHotActor(normalizer, choices=size, hidden=hidden)
        self.critic = OneHotCritic(normalizer, choices=size, hidden=hidden)
        self.target_entropy = self.config.target_entropy_share * math.log(self.skill_size)

    def expect(self, critic: OneHotCritic, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Expectations of value and log probability over all skills."""
        log_probs = self.actor(observation)
        probs = log_probs.exp()
        value = (probs * critic(observation).amin(0)).sum(-1)
        return value, (probs * log_probs).sum(-1)

    def values(self, observation: Tensor, choice: Tensor) -> Tensor:
        """Q_1 and Q_2 of the chosen skills, ``(2, n)``."""
        return (self.critic(observation) * choice).sum(-1)

    @torch.no_grad()
    def choose(self, observation: Tensor, *, deterministic: bool = False) -> Tensor:
        """``(n, O)`` raw -> one-hot ``(n, Z)``."""
        if deterministic:
            return self.actor.mode(observation)
        return self.actor.sample(observation, self.generator)

    def skill(self, choice: Tensor) -> Tensor:
        """Returns the choices."""
        return choice


def no_skill(observation: Tensor) -> Tensor:
    """Returns the skill input ``(n, 0)`` of networks that take none."""
    return observation[..., :0]


AnyHighLevel = SphereHighLevel | OneHotHighLevel

KINDS: dict[SkillKind, type[AnyHighLevel]] = {"sphere": SphereHighLevel, "one_hot": OneHotHighLevel}
"""Class of the high level by the kind of the skills."""
