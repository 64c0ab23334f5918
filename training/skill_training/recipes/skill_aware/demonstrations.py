"""Demonstrations: episodes of a controller with the same observations as the policy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from tqdm import tqdm

from skill_robots.tasks.policy import Policy
from skill_training.collection.episode_recorder import Recorder, World
from skill_training.data.episodes import Episodes, concatenate
from skill_training.data.goal_task import GoalTask
from skill_training.nets.encoder import State

DISTURBED_SHARE = 0.04
"""Share of steps at which a disturbance begins, so that demonstrations contain corrections."""

DISTURBANCE_STEPS = 2
"""Duration of a disturbance in control steps. Disturbed actions are not imitated."""


def demonstrate(
    world: World,
    controller: Policy,
    task: GoalTask,
    *,
    episodes: int,
    hidden: int,
    seed: int,
    device: torch.device,
) -> Episodes:
    """Runs ``controller`` in at least ``episodes`` episodes.

    Args:
        world: The scenes, with contexts drawn as in training.
        controller: Controller that acts on observation and goal, without the true context.
        task: Task that defines the returns.
        episodes: Minimum number of episodes.
        hidden: Size of the encoder's state, which is zero at each start.
        seed: Seed of the disturbances.
        device: Device of the episodes.
    """
    random = np.random.default_rng([seed, 9])
    rounds = -(-episodes // world.n)
    bar = tqdm(range(rounds), desc="demonstrations", unit="round", disable=None, leave=False)
    zeros = torch.zeros(world.n, hidden, device=device)
    return concatenate(*[_round(world, controller, task, (zeros, zeros), random) for _ in bar])


def _round(
    world: World,
    controller: Policy,
    task: GoalTask,
    start: State,
    random: np.random.Generator,
) -> Episodes:
    n = world.n
    world.reset()
    controller.reset(n)
    recorder = Recorder(world)
    disturbance, left = np.zeros((n, world.action_size)), np.zeros(n, dtype=np.int64)
    for _ in range(world.episode_steps):
        chosen = controller.act(recorder.observe(), goal=world.goal.copy())
        begins = (left == 0) & (random.random(n) < DISTURBED_SHARE)
        left[begins] = DISTURBANCE_STEPS
        disturbance[begins] = random.uniform(-1.0, 1.0, (int(begins.sum()), world.action_size))
        disturbed = left > 0
        left[disturbed] -= 1
        action = np.where(disturbed[:, None], disturbance, np.clip(chosen, -1.0, 1.0))
        recorder.step(action, demonstrated=~disturbed)
    return _until_the_end(recorder.episodes(task, start), task)


def _until_the_end(episodes: Episodes, task: GoalTask) -> Episodes:
    """Marks actions after the step that ends the episode as not demonstrated."""
    shape = episodes.action.shape[:2]
    arrivals = episodes.observation[:, 1:].flatten(0, 1)
    end = task.reward(arrivals, episodes.goal.flatten(0, 1))[1].unflatten(0, shape)
    ended = torch.cat((torch.zeros_like(end[:, :1]), end[:, :-1]), dim=1).cumsum(1) > 0
    return replace(episodes, demonstrated=episodes.demonstrated & ~ended)
