"""Soft actor-critic whose actions are skills: the high level of hierarchical control.

Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications"; for one-hot skills
Christodoulou 2019, "Soft Actor-Critic for Discrete Action Settings". The hierarchy is that of METRA
(Park et al. 2024) and of CSF (Zheng et al. 2025) with its public code: a frozen low level executes
each skill for 25 control steps, and the reward of a choice is the sum of theirs.

Notation: pi the actor, Q_1 and Q_2 the twin critic, a choice z of the actor, alpha the entropy
coefficient. A choice for skills on the sphere is a vector in [-1, 1]; the skill is the choice
divided by its norm. A choice of a one-hot skill is the skill.

Defaults as in CSF's code: batches of 256, discount .99 per choice, target rate .005, entropy
coefficient from .1 with a target entropy of -1/2 per entry of the choice, 50 gradient steps for 8
episodes of 200 control steps, the end of an episode a terminal.

Differences from that code (there -> here), with the reason:
    - PPO for HalfCheetah -> SAC everywhere. One algorithm does both kinds of skills, and replay
      needs fewer control steps.
    - Target entropy of one-hot choices log D, the largest possible -> .2 log D. The largest one
      is reached only by ignoring the reward.
    - Two layers of 1024 -> two layers of 256, and a learning rate of 1e-4 -> 3e-4. They fit one CPU
      core.
    - Actor with tanh hidden layers -> ReLU, as in every other network.
    - Observations normalised by statistics of random actions, the entries of the task not at all ->
      all by statistics of episodes with random skills, which is the data that training begins with.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_training.algorithms.actor_critic import ActorCritic, Loss, Metrics, adam, descend
from skill_training.algorithms.high_level.config import HighLevelConfig
from skill_training.data.choices import Choices
from skill_training.nets.critic import update_moving_average
from skill_training.nets.mlp import ObservationNormalizer, PositiveScalar
from skill_training.seeding import seeded_weights, torch_generator

ActorT = TypeVar("ActorT", bound=nn.Module)
CriticT = TypeVar("CriticT", bound=nn.Module)


class HighLevel(ActorCritic, Generic[ActorT, CriticT]):
    """Actor, twin critic with its target network, and entropy coefficient.

    Args:
        config: Settings.
        scale: ``(O,)`` magnitudes by which observations are divided.
        offset: ``(O,)`` values that are subtracted first.
        skill_size: Z.
        device: Device of networks and batches.
        seed: Seed of initial weights and noise.
    """

    actor: ActorT
    critic: CriticT

    def __init__(
        self,
        config: HighLevelConfig,
        *,
        scale: Sequence[float],
        offset: Sequence[float],
        skill_size: int,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        self.config = config
        self.skill_size = skill_size
        self.device = torch.device(device)
        self.generator = torch_generator(seed, "noise", self.device)
        # Drawn on the CPU, so that a seed gives the same initial weights on every device.
        with seeded_weights(seed, "weights"):
            self.build(ObservationNormalizer(scale, offset))
        self.actor, self.critic = self.actor.to(device), self.critic.to(device)
        self.target_critic = copy.deepcopy(self.critic).requires_grad_(False)
        self.entropy_coefficient = PositiveScalar(config.initial_entropy_coefficient).to(device)
        self.actor_optimizer = adam(self.actor, config.learning_rate)
        self.critic_optimizer = adam(self.critic, config.learning_rate)
        self.entropy_optimizer = adam(self.entropy_coefficient, config.learning_rate)

    @abstractmethod
    def build(self, normalizer: ObservationNormalizer) -> None:
        """Makes ``actor``, ``critic`` and ``target_entropy``."""

    @abstractmethod
    def expect(self, critic: CriticT, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the value min_i Q_i and log pi of the actor's choices, each ``(n,)``.

        For skills on the sphere they are those of one sampled choice, for one-hot skills the
        expectations over all choices. The gradient flows to the actor.
        """

    @abstractmethod
    def values(self, observation: Tensor, choice: Tensor) -> Tensor:
        """Returns the values of choices by the online critic, ``(2, n)``."""

    @abstractmethod
    def choose(self, observation: Tensor, *, deterministic: bool = False) -> Tensor:
        """``(n, O)`` raw -> choices ``(n, Z)``, sampled or the mode; without gradient."""

    @abstractmethod
    def skill(self, choice: Tensor) -> Tensor:
        """Returns the skills ``(n, Z)`` of choices ``(n, Z)``."""

    @torch.no_grad()
    def target(self, batch: Choices) -> Tensor:
        """Returns r + gamma (min_j Q'_j - alpha log pi) at the next choice, ``(n,)``.

        It is r at the end of the task.
        """
        value, log_prob = self.expect(self.target_critic, batch.next_observation)
        following = (1.0 - batch.terminal) * (value - self.entropy_coefficient() * log_prob)
        return batch.reward + self.config.discount * following

    def critic_loss(self, batch: Choices) -> Loss:
        """sum_i 0.5 mean((Q_i - y)^2)."""
        target = self.target(batch)
        values = self.values(batch.observation, batch.choice)
        loss = 0.5 * (values - target).square().mean(-1).sum()
        return loss, {
            "critic/loss": loss.detach(),
            "critic/value": values.detach().mean(),
            "critic/reward": batch.reward.mean(),
        }

    def actor_loss(self, value: Tensor, log_prob: Tensor) -> Loss:
        """mean(alpha log pi - min_i Q_i)."""
        alpha = self.entropy_coefficient().detach()
        loss = (alpha * log_prob - value).mean()
        return loss, {"actor/loss": loss.detach(), "actor/entropy": -log_prob.detach().mean()}

    def update(self, batch: Choices) -> Metrics:
        """Takes one gradient step: critic, actor, entropy coefficient, target."""
        loss, metrics = self.critic_loss(batch)
        descend(loss, self.critic_optimizer)
        value, log_prob = self.expect(self.critic, batch.observation)
        loss, actor_metrics = self.actor_loss(value, log_prob)
        descend(loss, self.actor_optimizer)
        loss, entropy_metrics = self.entropy_loss(log_prob)
        descend(loss, self.entropy_optimizer)
        update_moving_average(self.target_critic, self.critic, self.config.target_rate)
        return metrics | actor_metrics | entropy_metrics

    def stateful(self) -> dict[str, nn.Module | Optimizer]:
        """Returns all modules and optimisers with state, by name."""
        return {
            "actor": self.actor,
            "critic": self.critic,
            "target_critic": self.target_critic,
            "entropy_coefficient": self.entropy_coefficient,
            "actor_optimizer": self.actor_optimizer,
            "critic_optimizer": self.critic_optimizer,
            "entropy_optimizer": self.entropy_optimizer,
        }
