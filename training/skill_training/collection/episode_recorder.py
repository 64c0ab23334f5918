"""Episodes as they happen: what scenes show and what is done in them, whoever acts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from skill_proto.arrays import Array, Flags, Ids
from skill_training.data.episodes import Episodes
from skill_training.data.goal_task import GoalTask
from skill_training.nets.encoder import State


class World(Protocol):
    """Scenes that run through episodes of one length together, goals and contexts included."""

    n: int
    episode_steps: int
    action_size: int

    def reset(self) -> None:
        """Starts an episode in every scene."""
        ...

    def observe(self) -> Array:
        """``(n, O)``, raw."""
        ...

    def step(self, action: Array) -> None:
        """One control step; goals and contexts may change in it."""
        ...

    @property
    def goal(self) -> Array:
        """``(n, G)``, what the next action is after."""
        ...

    @property
    def truth(self) -> Array:
        """``(n, K)``: log mass [kg] and log friction."""
        ...

    @property
    def task(self) -> Ids:
        """``(n,)`` number of the task of this episode."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Its generators, between two rounds."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what :meth:`state_dict` gave."""
        ...


class Recorder:
    """Keeps one episode of every scene of a world that has just been reset.

    Each step is :meth:`observe`, then :meth:`step`.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept = defaultdict[str, list[NDArray[Any]]](list)

    def observe(self) -> Array:
        """What the scenes show before the next action, ``(n, O)``."""
        observation = self._world.observe()
        self._keep(observation=observation, truth=self._world.truth)
        return observation

    def step(self, action: Array, demonstrated: Flags | None = None) -> None:
        """One control step; ``demonstrated`` ``(n,)``: where a scripted controller wanted it."""
        self._keep(goal=self._world.goal, action=action)
        none = np.zeros(self._world.n, dtype=np.bool_)
        self._kept["demonstrated"].append(none if demonstrated is None else demonstrated)
        self._world.step(action)

    def episodes(self, task: GoalTask, start: State) -> Episodes:
        """What was kept, and the last observation, on the device of ``start``.

        Args:
            task: For the returns.
            start: State of the encoder before the first observation.
        """
        self.observe()
        device = start[0].device
        kept = {
            name: torch.as_tensor(np.stack(steps, axis=1), device=device)
            for name, steps in self._kept.items()
        }
        arrivals, goal = kept["observation"][:, 1:], kept["goal"]
        reward = task.reward(arrivals.flatten(0, 1), goal.flatten(0, 1))[0]
        return Episodes(
            **kept,
            hidden=start[0],
            cell=start[1],
            task=torch.as_tensor(self._world.task.copy(), device=device),
            returns=reward.unflatten(0, goal.shape[:2]).sum(1),
        )

    def _keep(self, **values: Array) -> None:
        for name, value in values.items():
            self._kept[name].append(value.astype(np.float32))
