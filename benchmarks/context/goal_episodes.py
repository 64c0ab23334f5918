"""Whole episodes of a policy file on many tasks, in the form of the recurrent replay."""

from __future__ import annotations

import numpy as np
import torch
from tqdm import tqdm

from skill_proto.arrays import Array
from skill_robots.observation import PUSH_OBSERVATION, layout
from skill_runtime.policy import OnnxPolicy
from skill_training.data.episodes import Episodes, concatenate
from skill_training.recipes.goal.task import RestAtGoal
from skill_training.recipes.goal.world import GoalTaskConfig, GoalWorld

EPISODES_PER_TASK = 8
BLOCK_TASKS = 32
"""Tasks of one batch of scenes."""


def collect(policy: OnnxPolicy, tasks: int, *, hidden: int, seed: int, label: str) -> Episodes:
    """Records eight episodes of each task, with sensor noise.

    A task is a mass and a friction from the training range of `skill-train goal`.

    Args:
        policy: Policy that takes goals on the tabletop; it acts deterministically.
        tasks: Number of tasks.
        hidden: Size of the encoder's initial state, which is zero.
        seed: Seed of contexts, starts and goals.
        label: Text of the progress bar.
    """
    config = GoalTaskConfig(
        goal_change_share=0.0, context_change_share=0.0, scenes_per_task=EPISODES_PER_TASK
    )
    reward = RestAtGoal(torch.eye(2), layout(PUSH_OBSERVATION)["cube_position"].start)
    parts: list[Episodes] = []
    for block in tqdm(range(0, tasks, BLOCK_TASKS), desc=label, disable=None, leave=False):
        count = min(BLOCK_TASKS, tasks - block)
        world = GoalWorld(config, count * EPISODES_PER_TASK, seed=seed + block)
        world.reset()
        part = _episodes(policy, world, reward, hidden)
        parts.append(_renumbered(part, block))
    return concatenate(*parts)


def _episodes(policy: OnnxPolicy, world: GoalWorld, reward: RestAtGoal, hidden: int) -> Episodes:
    """Runs one deterministic episode in every scene."""
    policy.reset(world.n)
    seen, actions = [world.observe()], list[Array]()
    for _ in range(world.episode_steps):
        actions.append(policy.act(seen[-1], goal=world.goal))
        world.step(actions[-1])
        seen.append(world.observe())
    observation, action = (
        torch.as_tensor(np.stack(part, 1), dtype=torch.float32) for part in (seen, actions)
    )
    steps = action.shape[1]
    goal = torch.as_tensor(world.goal, dtype=torch.float32)[:, None].expand(-1, steps, -1)
    gained = reward.reward(observation[:, 1:].flatten(0, 1), goal.flatten(0, 1))[0]
    truth = torch.as_tensor(world.truth, dtype=torch.float32)[:, None].expand(-1, steps + 1, -1)
    state = torch.zeros(world.n, hidden)
    return Episodes(
        observation=observation,
        action=action,
        goal=goal,
        truth=truth,
        hidden=state,
        cell=state,
        task=torch.as_tensor(world.task),
        returns=gained.unflatten(0, (world.n, steps)).sum(1),
        demonstrated=torch.zeros(world.n, steps, dtype=torch.bool),
    )


def _renumbered(part: Episodes, first: int) -> Episodes:
    """Returns the episodes with tasks numbered from ``first``, so that batches share no number."""
    task = part.task - part.task.min() + first
    return Episodes(**{**part.as_dict(), "task": task})
