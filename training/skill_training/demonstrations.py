"""Demonstrations: episodes of a scripted controller that knows no more than the policy will."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from skill_robots.tasks.rollouts import Policy
from skill_training.episodes import Episodes, concatenate
from skill_training.goal_task import GoalTask
from skill_training.skill_aware_world import SkillAwareWorld

Array = NDArray[np.float64]

DISTURBED_SHARE = 0.04
"""Share of the steps at which a disturbance begins: the controller is shown correcting it."""

DISTURBANCE_STEPS = 2
"""Control steps that one lasts; they are not imitated."""


def demonstrate(
    world: SkillAwareWorld,
    controller: Policy,
    task: GoalTask,
    *,
    episodes: int,
    hidden: int,
    seed: int,
    device: torch.device,
) -> Episodes:
    """Has ``controller`` act in at least ``episodes`` episodes.

    Args:
        world: Where; contexts are drawn as in training.
        controller: Acts on observation and goal; it is told nothing.
        task: For the returns.
        episodes: How many.
        hidden: Size of the encoder's state, which is zero at each start.
        seed: Of the disturbances.
        device: Where the episodes go.
    """
    random = np.random.default_rng([seed, 9])
    rounds = -(-episodes // world.n)
    bar = tqdm(range(rounds), desc="demonstrations", unit="round", disable=None, leave=False)
    parts = [_round(world, controller, task, hidden, random) for _ in bar]
    return concatenate(*parts).to(device)


def _round(
    world: SkillAwareWorld,
    controller: Policy,
    task: GoalTask,
    hidden: int,
    random: np.random.Generator,
) -> Episodes:
    n, steps = world.n, world.episode_steps
    world.reset()
    controller.reset(n)
    observations, actions, goals, shown = [], [], [], []
    disturbance, left = np.zeros((n, world.action_size)), np.zeros(n, dtype=np.int64)
    for _ in range(steps):
        observation, goal = world.observe(), world.goal.copy()
        wanted = np.clip(controller.act(observation, goal=goal), -1.0, 1.0)
        begins = (left == 0) & (random.random(n) < DISTURBED_SHARE)
        left[begins] = DISTURBANCE_STEPS
        disturbance[begins] = random.uniform(-1.0, 1.0, (int(begins.sum()), world.action_size))
        disturbed = left > 0
        action = np.where(disturbed[:, None], disturbance, wanted)
        left[disturbed] -= 1
        world.step(action)
        for kept, value in zip(
            (observations, actions, goals, shown),
            (observation, action, goal, ~disturbed),
            strict=True,
        ):
            kept.append(value)
    observations.append(world.observe())
    observation, goal = _stack(observations), _stack(goals)
    reward = task.reward(observation[:, 1:].flatten(0, 1), goal.flatten(0, 1))[0]
    truth = torch.as_tensor(world.truth, dtype=torch.float32)
    return Episodes(
        observation=observation,
        action=_stack(actions),
        goal=goal,
        truth=truth[:, None].expand(-1, steps + 1, -1),
        hidden=torch.zeros(n, hidden),
        cell=torch.zeros(n, hidden),
        task=torch.as_tensor(world.task.copy()),
        returns=reward.unflatten(0, (n, steps)).sum(1),
        demonstrated=torch.as_tensor(np.stack(shown, axis=1)),
    )


def _stack(arrays: list[Array]) -> torch.Tensor:
    return torch.as_tensor(np.stack(arrays, axis=1), dtype=torch.float32)
