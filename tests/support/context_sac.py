"""Helpers of the tests of ContextSac."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from skill_training.algorithms.context_sac import ContextSac
from skill_training.algorithms.transitions import Transitions
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.recipes.skill_aware.task import BringToGoal

MakeEpisodes = Callable[..., Episodes]
MakeSac = Callable[..., ContextSac]

STEPS = 10

NO, YES = False, True


def critic_batches(
    algorithm: ContextSac, replay: EpisodeReplay, updates: int = 1
) -> list[Transitions]:
    """Returns the batches of the critic's loss in these updates."""
    seen: list[Transitions] = []
    critic_loss = algorithm.critic_loss

    def watched(batch: Transitions) -> Any:  # noqa: ANN401  as the algorithm's own
        seen.append(batch)
        return critic_loss(batch)

    algorithm.critic_loss = watched
    for _ in range(updates):
        algorithm.update(replay)
    algorithm.critic_loss = critic_loss
    return seen


def episode_and_step(batch: Transitions) -> tuple[Tensor, Tensor]:
    """Returns episode and step of each transition; see ``make_episodes``."""
    return batch.observation[:, 6].long(), batch.observation[:, 7].long()


def parameters_of(module: nn.Module) -> Tensor:
    """Returns a copy of all parameters as one vector."""
    return torch.cat([parameter.detach().flatten().clone() for parameter in module.parameters()])


def transitions(*, there: list[list[bool]], steps: list[int]) -> Transitions:
    """Returns transitions; ``there``: whether the cube is at the goal, which is the origin."""
    n, window = len(there), len(there[0])
    generator = torch.Generator().manual_seed(3)
    arrivals = torch.randn(n, window, 8, generator=generator)
    arrivals[..., 2] = 0.02
    for i in range(n):
        for k in range(window):
            arrivals[i, k, :2] = 0.01 if there[i][k] else 0.2 + 0.1 * k
        arrivals[i, steps[i] :] = arrivals[i, steps[i] - 1]  # as sampled at an episode's edge
    brings = BringToGoal(
        cube=0, cube_velocity=3, cube_from_end_effector=3, rest_height=0.02, success_radius=0.05
    )
    reward, end = brings.reward(arrivals.flatten(0, 1), torch.zeros(n * window, 2))
    return Transitions(
        observation=torch.randn(n, 8, generator=generator),
        action=torch.rand(n, 3, generator=generator),
        goal=torch.zeros(n, 2),
        arrivals=arrivals,
        steps=torch.tensor(steps),
        reward=reward.unflatten(0, (n, window)),
        end=end.unflatten(0, (n, window)),
        context=torch.randn(n, 4, generator=generator),
        next_context=torch.randn(n, 4, generator=generator),
        imitate=torch.zeros(n, dtype=torch.bool),
        label=torch.rand(n, 3, generator=generator),
    )
