"""Runs a policy in a world and records the coordinates, the reward and the ends of episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Array
from skill_robots.tasks.policy import Policy
from skill_robots.worlds.world import World

OnStep = Callable[[], object]
"""Called after each control step, e.g. to show progress."""


@dataclass(frozen=True, kw_only=True)
class WorldTrajectories:
    """Episodes of a world."""

    coordinates: Array
    """``(n, steps + 1, C)``, from the start on. After the end of an episode they stay. C is 0 for
    a world without coordinates."""
    returns: Array
    """``(n,)`` sums of the rewards."""
    steps: Array
    """``(n,)`` control steps until the end of the episode."""
    skills: Array | None = None
    """``(n, Z)``."""
    goals: Array | None = None
    """``(n, C)``."""


def world_rollouts(
    policy: Policy,
    world: World,
    *,
    skills: Array | None = None,
    goals: Array | None = None,
    on_step: OnStep | None = None,
) -> WorldTrajectories:
    """Runs one episode in each scene.

    A scene whose episode ends early is stepped on, since all scenes are stepped together, but its
    record stays as it was at the end.

    Args:
        policy: The policy; its actions are deterministic.
        world: As many scenes as there are skills or goals. It is reset first.
        skills: ``(n, Z)``, or None.
        goals: ``(n, C)``, or None.
        on_step: Called after each control step.
    """
    policy.reset(world.n)
    observation = world.reset()
    record = [world.coordinates().copy()]
    running = np.ones(world.n, dtype=np.bool_)
    returns, steps = np.zeros(world.n), np.zeros(world.n)
    for _ in range(world.spec.episode_steps):
        action = policy.act(observation, skill=skills, goal=goals)
        step = world.step(action)
        returns += np.where(running, step.reward, 0.0)
        steps += running
        record.append(np.where(running[:, None], world.coordinates(), record[-1]))
        running &= ~step.ended
        observation = step.observation
        if step.ended.any():
            observation = world.reset(np.flatnonzero(step.ended))
        if on_step is not None:
            on_step()
    return WorldTrajectories(
        coordinates=np.stack(record, axis=1),
        returns=returns,
        steps=steps,
        skills=skills,
        goals=goals,
    )
