"""The tabletop of the goal stage, with goals and contexts that change in mid-episode."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from skill_proto.arrays import Array, Ids
from skill_robots.observation import PUSH_OBSERVATION
from skill_robots.tasks.tabletop.rollouts import GOAL_RANGE_M
from skill_robots.tasks.tabletop.tabletop import Interval, Tabletop, TabletopConfig
from skill_training.config import PositiveInt, Share

CHANGE_BETWEEN = (0.2, 0.8)
"""Interval of an episode, as shares of its length, in which a goal or a context changes."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GoalTaskConfig(TabletopConfig):
    """The tabletop of the goal stage: wide ranges, and changes in mid-episode."""

    mass: Interval = (0.12, 4.8)
    """Range of the cube's mass, drawn log-uniformly per task [kg]."""

    friction: Interval = (0.06, 1.6)
    """Range of the cube-table friction coefficient, drawn log-uniformly per task. A range from 0.03
    makes a policy more careful before it knows the friction, which slows it on rough tables
    (docs/results.md, section 3)."""

    stiffness_scale: Interval = (0.85, 1.15)
    """Range of a factor on the arm's joint stiffness; damping follows its square root."""

    latency_s: Interval = (0.0, 0.02)
    """Range of the delay between an observation and its action taking effect [s]."""

    sensor_noise: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Factor on the standard deviations of the sensor noise; 0 measures exactly."""

    start: Literal["low", "high", "mixed"] = "mixed"
    """Start of an episode: end effector low, high, or a mix of both."""

    goal_change_share: Share = 0.5
    """Share of the episodes in which the goal changes once."""

    context_change_share: Share = 0.5
    """Share of the tasks in which mass and friction change once."""

    scenes_per_task: PositiveInt = 8
    """Number of scenes with the same contexts at the same steps, but with different starts and
    goals. Contrastive methods call them a task."""


class GoalWorld:
    """n tabletop scenes, each with a goal for its cube.

    Args:
        config: The task; an episode lasts ``config.episode_steps``.
        n: Number of scenes.
        seed: Seed of starts, goals and contexts.
        threads: Number of physics threads.
    """

    action_size = Tabletop.action_size

    def __init__(self, config: GoalTaskConfig, n: int, *, seed: int, threads: int = 1) -> None:
        self.n, self.episode_steps = n, config.episode_steps
        self._config = config
        self._table = Tabletop(config, n, seed=seed, threads=threads)
        self._random = np.random.default_rng([seed, 5])
        self._group = np.arange(n) // config.scenes_per_task
        self._rounds = 0
        self._step = 0

    def reset(self) -> None:
        """Draws the starts, and the goals and contexts of the whole episode."""
        self._table.reset()
        self._step = 0
        self._rounds += 1
        config, n = self._config, self.n
        self._goals = self._random.uniform(-GOAL_RANGE_M, GOAL_RANGE_M, (2, n, 2))
        self._goal_change = self._draw_change(n, config.goal_change_share)
        groups = int(self._group[-1]) + 1
        self._mass = self._log_uniform(config.mass, groups)
        self._friction = self._log_uniform(config.friction, groups)
        self._context_change = self._draw_change(groups, config.context_change_share)[self._group]
        self._apply_context()

    def observe(self) -> Array:
        """Returns observations ``(n, 28)``, with sensor noise if configured."""
        return self._table.observe(PUSH_OBSERVATION)

    def step(self, action: Array) -> None:
        """Runs one control step, then applies a change of context that is due."""
        self._table.step(action)
        self._step += 1
        if (self._context_change == self._step).any():
            self._apply_context()

    @property
    def goal(self) -> Array:
        """Current goals ``(n, 2)`` [m]."""
        second = (self._step >= self._goal_change).astype(np.int64)
        return self._goals[second, np.arange(self.n)]

    @property
    def truth(self) -> Array:
        """``(n, 2)``: log mass [kg] and log friction."""
        return np.log(np.stack([self._table.mass, self._table.friction], axis=1))

    @property
    def task(self) -> Ids:
        """``(n,)``: a new number for each group of scenes in each round."""
        groups = int(self._group[-1]) + 1
        return self._rounds * groups + self._group

    @property
    def cube_position(self) -> Array:
        """Exact positions ``(n, 2)`` of the cubes [m]."""
        return self._table.cube_position[:, :2]

    @property
    def cube_speed(self) -> Array:
        """Exact speeds ``(n,)`` of the cubes [m/s]."""
        return self._table.cube_speed

    def state_dict(self) -> dict[str, Any]:
        """Returns counters and generators, between two rounds."""
        return {
            "rounds": self._rounds,
            "random": self._random.bit_generator.state,
            "table": self._table.rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        self._rounds = int(state["rounds"])
        self._random.bit_generator.state = state["random"]
        self._table.rng.bit_generator.state = state["table"]

    def _apply_context(self) -> None:
        second = (self._step >= self._context_change).astype(np.int64)
        self._table.set_context(
            mass=self._mass[second, self._group], friction=self._friction[second, self._group]
        )

    def _draw_change(self, count: int, share: float) -> Ids:
        """Draws the steps of change ``(count,)``; a step after the episode's end is no change."""
        low, high = (round(part * self.episode_steps) for part in CHANGE_BETWEEN)
        steps = self._random.integers(low, high + 1, count)
        return np.where(self._random.random(count) < share, steps, self.episode_steps + 1)

    def _log_uniform(self, interval: tuple[float, float], groups: int) -> Array:
        low, high = np.log(interval[0]), np.log(interval[1])
        return np.exp(self._random.uniform(low, high, (2, groups)))
