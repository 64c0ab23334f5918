"""The world of a high level: its action is a skill, which a frozen policy executes for some steps.

The form of METRA and CSF: a skill is held for 25 control steps, the low level acts with its mode,
and the reward of a choice is the sum of the rewards of its control steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skill_proto.arrays import Array, Flags, Ids
from skill_robots.tasks.policy import Policy
from skill_robots.worlds.downstream.task_world import TaskWorld
from skill_robots.worlds.world import Step


class HeldSkills:
    """n scenes of a task, stepped by skills.

    Args:
        world: The task.
        low_level: The frozen policy. It observes all entries but those of the task.
        hold_steps: Control steps for which a skill is held; the last choice of an episode may have
            fewer.

    Attributes:
        n: Number of scenes.
        world: The task.
        hold_steps: Control steps of a choice.
        choices: Choices of an episode.
    """

    def __init__(self, world: TaskWorld, low_level: Policy, hold_steps: int) -> None:
        self.world = world
        self.n = world.n
        self.hold_steps = hold_steps
        self.choices = -(-world.spec.episode_steps // hold_steps)
        self._low_level = low_level
        self._low_size = world.spec.observation_size - world.task_size
        self._observation = np.zeros((self.n, world.spec.observation_size))
        self._scores: dict[str, Array] = {}

    def reset(self, ids: Ids | None = None) -> Array:
        """Starts an episode in the scenes ``ids``; returns all observations ``(n, O)``."""
        if ids is None:
            self._low_level.reset(self.n)
        self._observation = self.world.reset(ids)
        return self._observation

    def step(self, skill: Array) -> Step:
        """Holds the skills ``(n, Z)``.

        A scene whose episode ends meanwhile must be reset, as after a step of its world.

        Returns:
            The step of the high level: the observations at its end or at the end of the episode,
            and the sums of the rewards until then.
        """
        running, valid = np.ones(self.n, dtype=np.bool_), np.ones(self.n, dtype=np.bool_)
        reward, terminated = np.zeros(self.n), np.zeros(self.n, dtype=np.bool_)
        last = now = self._observation
        for _ in range(self.hold_steps):
            step = self.world.step(self._low_level.act(now[:, : self._low_size], skill=skill))
            reward += np.where(running, step.reward, 0.0)
            terminated |= running & step.terminated
            if step.valid is not None:
                valid &= step.valid | ~running
            last = np.where(running[:, None], step.observation, last)
            self._keep_scores(running)
            running &= ~step.ended
            if not running.any():
                break
            now = step.observation
            if step.ended.any():  # stepped on with the others, without a record
                now = self.world.reset(np.flatnonzero(step.ended))
        self._observation = last
        return Step(last, reward, terminated, ~running, valid)

    def scores(self) -> dict[str, Array]:
        """Returns the scores of each scene's episode, up to its end, ``(n,)`` by name."""
        return self._scores

    def state_dict(self) -> dict[str, Any]:
        """Returns the generators of the world, between two rounds of episodes."""
        return self.world.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        self.world.load_state_dict(state)

    def close(self) -> None:
        """Frees the world."""
        self.world.close()

    def _keep_scores(self, running: Flags) -> None:
        for name, values in self.world.scores().items():
            self._scores[name] = np.where(running, values, self._scores.get(name, values))
