"""Episodes of a high level, and their scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skill_proto.arrays import Array
from skill_robots.worlds.downstream.held_skills import HeldSkills

Choose = Callable[[Array], Array]
"""Returns skills ``(n, Z)`` for observations ``(n, O)``."""


def score_task(world: HeldSkills, choose: Choose) -> dict[str, float]:
    """Runs one episode in each scene and returns mean scores.

    ``mean_return`` is the mean sum of rewards; the other scores are those of the task.
    """
    observation = world.reset()
    running, returns = np.ones(world.n, dtype=np.bool_), np.zeros(world.n)
    scores: dict[str, Array] = {}
    for _ in range(world.choices):
        step = world.step(choose(observation))
        returns += np.where(running, step.reward, 0.0)
        for name, values in world.scores().items():
            scores[name] = np.where(running, values, scores.get(name, values))
        running &= ~step.ended
        observation = step.observation
        if step.ended.any() and running.any():
            observation = world.reset(np.flatnonzero(step.ended))
    means = {name: float(values.mean()) for name, values in scores.items()}
    return {"mean_return": float(returns.mean())} | means
