"""Imitation of a demonstrator's actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.algorithms.transitions import Transitions
from skill_training.data.episodes import Episodes
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """Steps to imitate; ``n`` rows."""

    observation: Tensor
    """``(n, O)``, raw."""
    goal: Tensor
    """``(n, G)``, the goal that the demonstrator pursued."""
    context: Tensor
    """``(n, C)``, with or without the encoder's gradient."""
    label: Tensor
    """``(n, A)`` the demonstrator's action."""


def labelled_rows(batch: Transitions) -> Labelled:
    """Returns the transitions to imitate, without the encoder's gradient."""
    rows = batch.imitate
    return Labelled(
        observation=batch.observation[rows],
        goal=batch.goal[rows],
        context=batch.context[rows].detach(),
        label=batch.label[rows],
    )


def labelled_steps(episodes: Episodes, contexts: Tensor) -> Labelled:
    """Returns all steps to imitate of unrolled episodes, with contexts ``(B, T + 1, C)``."""
    rows = episodes.demonstrated
    return Labelled(
        observation=episodes.observation[:, :-1][rows],
        goal=episodes.goal[rows],
        context=contexts[:, :-1][rows],
        label=episodes.labels[rows],
    )


def imitation_loss(algorithm: Imitator, steps: Labelled) -> Tensor:
    """Returns the mean squared distance of the policy's mode from the demonstrator's action.

    With the filter, only steps count in which that action has a higher value than the policy's own
    (Nair et al. 2018, "Overcoming exploration in reinforcement learning with demonstrations"). The
    mean is over all steps; it is 0 without any.
    """
    command = algorithm.command(steps.observation, steps.goal, steps.context)
    mode = algorithm.actor.mode(steps.observation, command)
    distance = (mode - steps.label).square().sum(-1)
    if algorithm.config.imitation_filter:
        with torch.no_grad():
            demonstrated = algorithm.critic(steps.observation, steps.label, command).amin(0)
            own = algorithm.critic(steps.observation, mode, command).amin(0)
        distance = distance * (demonstrated > own)
    return distance.sum() / max(1, len(distance))
