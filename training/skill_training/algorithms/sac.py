"""Soft actor-critic: the parts that every skill algorithm shares.

Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications", with a skill as a further
input of actor and critic. There are no terminals: the critic always bootstraps.
"""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from skill_training.data.replay import Batch
from skill_training.nets.actor import TanhGaussianActor
from skill_training.nets.critic import Critic, SuccessorFeatures, update_moving_average
from skill_training.nets.mlp import ObservationNormalizer, PositiveScalar
from skill_training.nets.representation import RepresentationConfig, StateRepresentation
from skill_training.seeding import derive_seed, torch_generator

Metrics = dict[str, Tensor]
"""Scalars by name, detached and left on their device: reading one waits for it."""

Loss = tuple[Tensor, Metrics]

PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SacConfig:
    """Settings of actor, critic, entropy coefficient and representation."""

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (256, 256)
    """Hidden layers of actor and critic. ReLU, no layer normalisation."""

    batch_size: Annotated[int, Field(ge=1)] = 256
    """Transitions in one gradient step."""

    learning_rate: PositiveFloat = 3e-4
    """Adam's step size for everything but the representation."""

    discount: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Weight of the next control step against this one."""

    target_rate: Annotated[float, Field(gt=0, le=1)] = 0.005
    """Share by which the target critic moves towards the critic at each step."""

    initial_entropy_coefficient: PositiveFloat = 0.01
    """Weight of the policy's entropy at the start; learned from there."""

    target_entropy_per_action: Annotated[float, Field(allow_inf_nan=False)] = -0.5
    """Entropy, per action entry, that the entropy coefficient is learned to hold [nat]."""

    representation: RepresentationConfig = dataclasses.field(default_factory=RepresentationConfig)
    """What the skills are about."""


def descend(loss: Tensor, optimizer: Optimizer) -> None:
    """One optimiser step; the gradient is computed for the optimiser's own parameters only."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=optimizer.param_groups[0]["params"])
    optimizer.step()


def adam(module: nn.Module, learning_rate: float) -> Adam:
    """Adam as one fused kernel, on CPU as on CUDA."""
    return Adam(module.parameters(), lr=learning_rate, fused=True)


class SoftActorCritic(ABC):
    """Actor, twin critic with its slow target, entropy coefficient and representation phi.

    A subclass says what its critic's values are and how to train critic and representation.

    Args:
        config: settings.
        layout: where each observation field lies.
        scale: ``(O,)`` typical magnitude of each observation entry.
        action_size: A.
        device: where everything lives; batches must come from there.
        seed: of the networks' start and of all noise.
    """

    critic_kind: ClassVar[type[Critic] | type[SuccessorFeatures]]
    """What the twin critic gives: values, or features whose product with the skill is the value."""

    def __init__(
        self,
        config: SacConfig,
        *,
        layout: Mapping[str, slice],
        scale: Sequence[float],
        action_size: int,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        self.config = config
        self.skill_size = config.representation.size
        self.device = torch.device(device)
        self.generator = torch_generator(seed, "noise", self.device)
        normalizer = ObservationNormalizer(scale)
        # Drawn on the CPU, so that a seed gives the same start on every device.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            sizes = {"skill_size": self.skill_size, "action_size": action_size}
            actor = TanhGaussianActor(normalizer, **sizes, hidden=config.hidden)
            critic = self.critic_kind(normalizer, **sizes, hidden=config.hidden)
            phi = StateRepresentation(config.representation, layout=layout, scale=scale)
        self.actor, self.critic = actor.to(device), critic.to(device)
        self.representation = phi.to(device)
        self.target_critic = copy.deepcopy(self.critic).requires_grad_(False)
        self.entropy_coefficient = PositiveScalar(config.initial_entropy_coefficient).to(device)
        self.target_entropy = config.target_entropy_per_action * action_size
        self.actor_optimizer = adam(self.actor, config.learning_rate)
        self.critic_optimizer = adam(self.critic, config.learning_rate)
        self.entropy_optimizer = adam(self.entropy_coefficient, config.learning_rate)
        self.representation_optimizer = adam(self.representation, config.representation.step_size)

    @abstractmethod
    def twin_values(self, observation: Tensor, action: Tensor, skill: Tensor) -> Tensor:
        """Values of the online critic, ``(2, n)``."""

    @abstractmethod
    def update(self, batch: Batch) -> Metrics:
        """One gradient step on everything."""

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

    def entropy_loss(self, log_prob: Tensor) -> Loss:
        """-log alpha mean(log pi + target entropy): alpha rises while entropy is short."""
        gap = (log_prob + self.target_entropy).mean().detach()
        loss = -self.entropy_coefficient.log * gap
        return loss, {"actor/entropy_coefficient": self.entropy_coefficient().detach()}

    def update_actor(self, batch: Batch) -> Metrics:
        """One step of the actor, then of the entropy coefficient, on the same sampled actions."""
        action, log_prob = self.actor.sample(batch.observation, batch.skill, self.generator)
        loss, metrics = self.actor_loss(batch, action, log_prob)
        descend(loss, self.actor_optimizer)
        loss, entropy_metrics = self.entropy_loss(log_prob)
        descend(loss, self.entropy_optimizer)
        return metrics | entropy_metrics

    def update_target(self) -> None:
        """Moves the target critic a little towards the critic."""
        update_moving_average(self.target_critic, self.critic, self.config.target_rate)

    @torch.no_grad()
    def act(self, observation: Tensor, skill: Tensor, *, deterministic: bool = False) -> Tensor:
        """``(n, O)`` raw, ``(n, Z)`` -> ``(n, A)`` in [-1, 1]; sampled, or the policy's mode."""
        if deterministic:
            return self.actor.mode(observation, skill)
        return self.actor.sample(observation, skill, self.generator)[0]

    def stateful(self) -> dict[str, nn.Module | Optimizer]:
        """Everything with a state dictionary, by name; subclasses add theirs."""
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

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly; tensors and plain containers only."""
        state: dict[str, Any] = {name: part.state_dict() for name, part in self.stateful().items()}
        return state | {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what :meth:`state_dict` gave.

        Raises:
            KeyError: a part is missing.
            RuntimeError: a network has another shape, or the state is of another kind of device.
        """
        for name, part in self.stateful().items():
            part.load_state_dict(state[name])
        self.generator.set_state(state["generator"].cpu())


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
        """The target r + gamma (min_j Q'_j(s', z, a') - alpha log pi(a'|s', z)), ``(n,)``."""
        action, log_prob = self.actor.sample(batch.next_observation, batch.skill, self.generator)
        values = self.target_critic(batch.next_observation, action, batch.skill).amin(0)
        return reward + self.config.discount * (values - self.entropy_coefficient() * log_prob)

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
