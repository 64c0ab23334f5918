"""Demonstrations: episodes of a controller with the same observations as the policy."""

from __future__ import annotations

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
"""Duration of a disturbance in control steps. The disturbed actions are not imitated."""


def demonstrate(
    world: World,
    controller: Policy,
    task: GoalTask,
    *,
    episodes: int,
    hidden: int,
    seed: int,
    device: torch.device,
    labelled: bool = False,
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
        labelled: Store the controller's action as a label at every step, disturbed ones included,
            as in the episodes of a policy that it labels.
    """
    random = np.random.default_rng([seed, 9])
    rounds = -(-episodes // world.n)
    bar = tqdm(range(rounds), desc="demonstrations", unit="round", disable=None, leave=False)
    zeros = torch.zeros(world.n, hidden, device=device)
    start = zeros, zeros
    return concatenate(
        *[_round(world, controller, task, start, random, labelled=labelled) for _ in bar]
    )


def _round(
    world: World,
    controller: Policy,
    task: GoalTask,
    start: State,
    random: np.random.Generator,
    *,
    labelled: bool,
) -> Episodes:
    n = world.n
    world.reset()
    controller.reset(n)
    recorder = Recorder(world)
    disturbance, left = np.zeros((n, world.action_size)), np.zeros(n, dtype=np.int64)
    for _ in range(world.episode_steps):
        chosen = np.clip(controller.act(recorder.observe(), goal=world.goal.copy()), -1.0, 1.0)
        begins = (left == 0) & (random.random(n) < DISTURBED_SHARE)
        left[begins] = DISTURBANCE_STEPS
        disturbance[begins] = random.uniform(-1.0, 1.0, (int(begins.sum()), world.action_size))
        disturbed = left > 0
        left[disturbed] -= 1
        action = np.where(disturbed[:, None], disturbance, chosen)
        if labelled:
            recorder.step(action, label=chosen)
        else:
            recorder.step(action, demonstrated=~disturbed)
    return recorder.episodes(task, start)
