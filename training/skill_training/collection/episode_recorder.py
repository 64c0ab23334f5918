"""Records episodes of a world, for any policy or controller."""

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
    """Scenes with goals and contexts that run episodes of equal length together."""

    n: int
    episode_steps: int
    action_size: int

    def reset(self) -> None:
        """Starts an episode in every scene."""
        ...

    def observe(self) -> Array:
        """Returns observations ``(n, O)``, raw."""
        ...

    def step(self, action: Array) -> None:
        """Runs one control step, in which goals and contexts may change."""
        ...

    @property
    def goal(self) -> Array:
        """``(n, G)``: goal of the next action."""
        ...

    @property
    def truth(self) -> Array:
        """``(n, K)``: log mass [kg] and log friction."""
        ...

    @property
    def task(self) -> Ids:
        """``(n,)``: number of the task of this episode."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns the generators, between two rounds."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        ...


class Recorder:
    """Records one episode of every scene of a world that has just been reset.

    Each control step is a call of :meth:`observe`, then of :meth:`step`.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept = defaultdict[str, list[NDArray[Any]]](list)

    def observe(self) -> Array:
        """Returns and records the observation before the next action, ``(n, O)``."""
        observation = self._world.observe()
        self._keep(observation=observation, truth=self._world.truth)
        return observation

    def step(
        self, action: Array, demonstrated: Flags | None = None, label: Array | None = None
    ) -> None:
        """Runs and records one control step.

        Args:
            action: ``(n, A)``.
            demonstrated: ``(n,)`` scenes in which the step is imitated. None: all scenes if there
                is a label, else none.
            label: ``(n, A)`` action of the demonstrator, at all steps of a recording or at none.
        """
        self._keep(goal=self._world.goal, action=action)
        if label is not None:
            self._keep(label=label)
        if demonstrated is None:
            demonstrated = np.full(self._world.n, label is not None)
        self._kept["demonstrated"].append(demonstrated)
        self._world.step(action)

    def episodes(self, task: GoalTask, start: State) -> Episodes:
        """Records the last observation and returns the episodes on the device of ``start``.

        Steps after the one that ends the episode are not imitated.

        Args:
            task: Task that defines the returns.
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
        episodes = Episodes(
            **kept,
            hidden=start[0],
            cell=start[1],
            task=torch.as_tensor(self._world.task.copy(), device=device),
            returns=reward.unflatten(0, goal.shape[:2]).sum(1),
        )
        ended = task.ended(episodes)
        if ended is not None:
            episodes.demonstrated.logical_and_(~ended)
        return episodes

    def _keep(self, **values: Array) -> None:
        for name, value in values.items():
            self._kept[name].append(value.astype(np.float32))
