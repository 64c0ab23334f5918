"""Imitation of demonstrated actions."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.algorithms.transitions import Transitions
from skill_training.nets.actor import TanhGaussianActor
from skill_training.nets.critic import Critic


class Imitator(Protocol):
    """An actor-critic with a context that imitates."""

    config: ContextSacConfig
    actor: TanhGaussianActor
    critic: Critic

    def command(self, observation: Tensor, goal: Tensor, context: Tensor) -> Tensor:
        """Returns the input of actor and critic beside the observation."""
        ...


def imitation_loss(algorithm: Imitator, batch: Transitions, context: Tensor) -> Tensor:
    """Returns the squared distance of the policy's mode from the demonstrator's action.

    With the filter, only transitions count in which that action has a higher value than the
    policy's own (Nair et al. 2018, "Overcoming exploration in reinforcement learning with
    demonstrations").

    Args:
        algorithm: The networks.
        batch: Transitions, some of them with a label.
        context: ``(n, C)``, with or without the encoder's gradient.
    """
    command = algorithm.command(batch.observation, batch.goal, context)
    mode = algorithm.actor.mode(batch.observation, command)
    chosen = batch.imitate
    if algorithm.config.imitation_filter:
        with torch.no_grad():
            demonstrated = algorithm.critic(batch.observation, batch.label, command).amin(0)
            own = algorithm.critic(batch.observation, mode, command).amin(0)
        chosen = chosen & (demonstrated > own)
    distance = (mode - batch.label).square().sum(-1)
    return (distance * chosen).sum() / batch.imitate.sum().clamp_min(1)
