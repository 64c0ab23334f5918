"""Soft actor-critic with skills: the parts that all skill algorithms share.

Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications", with the skill as an
additional input of actor and critic. A time limit is no terminal: the critic bootstraps there.
"""

from __future__ import annotations

import copy
import dataclasses
from abc import abstractmethod
from typing import Annotated, ClassVar

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_training.algorithms.actor_critic import ActorCritic, Loss, Metrics, adam, descend
from skill_training.algorithms.skills import SkillKind, sample_skills
from skill_training.config import BatchSize, Discount, LayerSize, PositiveFloat, PositiveInt, Rate
from skill_training.data.replay import Batch
from skill_training.nets.actor import TanhGaussianActor
from skill_training.nets.critic import Critic, SuccessorFeatures, update_moving_average
from skill_training.nets.inputs import NetworkInputs
from skill_training.nets.mlp import ObservationNormalizer, PositiveScalar
from skill_training.nets.pixels.representation import build_representation
from skill_training.nets.representation import RepresentationConfig
from skill_training.seeding import seeded_weights, torch_generator


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SacConfig:
    """Settings of actor, critic, entropy coefficient and representation."""

    hidden: tuple[LayerSize, ...] = (256, 256)
    """Sizes of the hidden layers of actor and critic. ReLU, no layer normalisation."""

    batch_size: BatchSize = 256
    """Number of transitions in one gradient step."""

    learning_rate: PositiveFloat = 3e-4
    """Learning rate of Adam for every network but the representation."""

    learning_rate_half_life: PositiveInt | None = None
    """Gradient steps in which all learning rates fall to half; None keeps them constant."""

    discount: Discount = 0.99
    """Discount factor per control step."""

    target_rate: Rate = 0.005
    """Share by which the target critic moves towards the critic at each gradient step."""

    initial_entropy_coefficient: PositiveFloat = 0.01
    """Entropy coefficient alpha at the start of training, which then learns it."""

    learn_entropy_coefficient: bool = True
    """Whether alpha is learned. METRA fixes it in some tasks (Kitchen)."""

    target_entropy_per_action: Annotated[float, Field(allow_inf_nan=False)] = -0.5
    """Target entropy per action entry, to which training adjusts alpha [nat]."""

    skills: SkillKind = "sphere"
    """Kind of the skills: unit vectors, or one of as many as the representation has dimensions."""

    representation: RepresentationConfig = dataclasses.field(default_factory=RepresentationConfig)
    """The state representation, in which skills are directions."""


class SoftActorCritic(ActorCritic):
    """Actor, twin critic with its target network, entropy coefficient and representation phi.

    A subclass defines the critic's values and trains critic and representation.

    Args:
        config: Settings.
        inputs: Normalisation of the observation, and the entries that phi sees.
        action_size: A.
        device: Device of networks and batches.
        seed: Seed of initial weights and noise.
    """

    critic_kind: ClassVar[type[Critic] | type[SuccessorFeatures]]
    """Class of the twin critic: values, or features whose product with the skill is the value."""

    def __init__(
        self,
        config: SacConfig,
        *,
        inputs: NetworkInputs,
        action_size: int,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        self.config = config
        self.skill_size = config.representation.size
        self.device = torch.device(device)
        self.generator = torch_generator(seed, "noise", self.device)
        self.inputs = inputs
        normalizer = ObservationNormalizer(inputs.scale, inputs.offset)
        # Drawn on the CPU, so that a seed gives the same initial weights on every device.
        with seeded_weights(seed, "weights"):
            sizes = {"skill_size": self.skill_size, "action_size": action_size}
            actor = TanhGaussianActor(normalizer, **sizes, hidden=config.hidden)
            critic = self.critic_kind(normalizer, **sizes, hidden=config.hidden)
            phi = build_representation(config.representation, inputs)
        self.actor, self.critic = actor.to(device), critic.to(device)
        self.representation = phi.to(device)
        self.target_critic = copy.deepcopy(self.critic).requires_grad_(False)
        self.entropy_coefficient = PositiveScalar(config.initial_entropy_coefficient).to(device)
        self.target_entropy = config.target_entropy_per_action * action_size
        self.actor_optimizer = adam(self.actor, config.learning_rate)
        self.critic_optimizer = adam(self.critic, config.learning_rate)
        self.entropy_optimizer = adam(self.entropy_coefficient, config.learning_rate)
        self.representation_optimizer = adam(
            self.representation, config.representation.resolved_learning_rate
        )
        self.add_parts(seed)

    def add_parts(self, seed: int) -> None:
        """Builds the further networks and optimisers of a subclass; by default there are none.

        Args:
            seed: Seed of initial weights.
        """
        del seed

    @abstractmethod
    def twin_values(self, observation: Tensor, action: Tensor, skill: Tensor) -> Tensor:
        """Returns the values of the online critic, ``(2, n)``."""

    @abstractmethod
    def update(self, batch: Batch) -> Metrics:
        """Takes one gradient step of all networks."""

    def actor_loss(self, batch: Batch, action: Tensor, log_prob: Tensor) -> Loss:
        """mean(alpha log pi - min_i Q_i) for a reparameterised ``action`` and its ``log_prob``."""
        alpha = self.entropy_coefficient().detach()
        value = self.twin_values(batch.observation, action, batch.skill).amin(0).mean()
        entropy = -log_prob.mean()
        loss = -alpha * entropy - value
        return loss, {
            "actor/loss": loss.detach(),
            "actor/value": value.detach(),
            "actor/entropy": entropy.detach(),
        }

    def update_actor(self, batch: Batch) -> Metrics:
        """Takes one step of actor and entropy coefficient, on the same sampled actions."""
        action, log_prob = self.actor.sample(batch.observation, batch.skill, self.generator)
        loss, metrics = self.actor_loss(batch, action, log_prob)
        descend(loss, self.actor_optimizer)
        if not self.config.learn_entropy_coefficient:
            return metrics
        loss, entropy_metrics = self.entropy_loss(log_prob)
        descend(loss, self.entropy_optimizer)
        return metrics | entropy_metrics

    def sample_skills(self, n: int, generator: torch.Generator) -> Tensor:
        """Draws ``n`` skills from the prior, ``(n, Z)``, on the generator's device."""
        return sample_skills(n, self.skill_size, generator, self.config.skills)

    def descend_representation(self, loss: Tensor) -> None:
        """Takes one step of phi, unless phi is frozen at its random start."""
        if not self.config.representation.frozen:
            descend(loss, self.representation_optimizer)

    def update_target(self) -> None:
        """Moves the target critic towards the critic by the target rate."""
        update_moving_average(self.target_critic, self.critic, self.config.target_rate)

    @torch.no_grad()
    def act(self, observation: Tensor, skill: Tensor, *, deterministic: bool = False) -> Tensor:
        """``(n, O)`` raw, ``(n, Z)`` -> ``(n, A)`` in [-1, 1], sampled or the policy's mode."""
        if deterministic:
            return self.actor.mode(observation, skill)
        return self.actor.sample(observation, skill, self.generator)[0]

    def decay_learning_rates(self) -> None:
        """Lowers all learning rates by the decay of one gradient step."""
        self.lower_learning_rates(self.config.learning_rate_half_life)

    def stateful(self) -> dict[str, nn.Module | Optimizer]:
        """Returns all modules and optimisers with state, by name. Subclasses add their own."""
        return {
            "actor": self.actor,
            "critic": self.critic,
            "target_critic": self.target_critic,
            "entropy_coefficient": self.entropy_coefficient,
            "representation": self.representation,
            "actor_optimizer": self.actor_optimizer,
            "critic_optimizer": self.critic_optimizer,
            "entropy_optimizer": self.entropy_optimizer,
            "representation_optimizer": self.representation_optimizer,
        }


class Sac(SoftActorCritic):
    """SAC with a scalar twin critic."""

    critic_kind = Critic
    critic: Critic
    target_critic: Critic

    def twin_values(self, observation: Tensor, action: Tensor, skill: Tensor) -> Tensor:
        """Q_1 and Q_2, ``(2, n)``."""
        return self.critic(observation, action, skill)

    @torch.no_grad()
    def soft_target(self, batch: Batch, reward: Tensor) -> Tensor:
        """Returns r + gamma (min_j Q'_j(s', z, a') - alpha log pi(a'|s', z)), ``(n,)``."""
        action, log_prob = self.actor.sample(batch.next_observation, batch.skill, self.generator)
        values = self.target_critic(batch.next_observation, action, batch.skill).amin(0)
        soft_values = values - self.entropy_coefficient() * log_prob
        return reward + self.config.discount * batch.continued(soft_values)

    def critic_loss(self, batch: Batch, reward: Tensor) -> Loss:
        """sum_i 0.5 mean((Q_i - y)^2) for rewards ``(n,)``."""
        target = self.soft_target(batch, reward)
        values = self.twin_values(batch.observation, batch.action, batch.skill)
        loss = 0.5 * (values - target).square().mean(-1).sum()
        return loss, {
            "critic/loss": loss.detach(),
            "critic/value": values.detach().mean(),
            "critic/reward": reward.mean(),
        }
