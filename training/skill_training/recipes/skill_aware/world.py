"""Scenes of the skill-aware benchmark for training, with contexts from cells or from a range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from skill_proto.arrays import Array, Ids
from skill_robots.tasks.engine import Engine
from skill_robots.tasks.skill_aware.benchmark import CELLS, EPISODE_STEPS, TRAIN, Cell, draw_starts
from skill_robots.tasks.skill_aware.engines import equal_friction_labels, make_scenes
from skill_robots.tasks.skill_aware.near_starts import move_hands_near
from skill_robots.tasks.skill_aware.scenes import ACTION_SIZE, cube_table_friction
from skill_training.config import PositiveFloat, PositiveInt, Share

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SkillAwareTaskConfig:
    """Frictions and masses of training. Friction is the benchmark's label."""

    engine: Engine = "mujoco"
    """Physics engine. bullet: the published benchmark. mujoco: its twin, four times as fast."""

    contexts: Literal["cells", "range"] = "cells"
    """Source of contexts. cells: the six published training cells. range: log-uniform in friction
    and mass, without the held-out box."""

    friction: Interval = (0.1, 20.0)
    """Range of the friction label. In the MuJoCo twin labels from 14 on have the same effective
    friction, in Bullet labels from 20 on, so the default includes the cells with friction 30."""

    mass: Interval = (1.0, 20.0)
    """Range of the cube's mass [kg]. Every cell with mass 30 lies outside."""

    held_out_friction: Interval = (3.0, 8.0)
    """Friction of the held-out box, which contains the cell (5, 10) and is never drawn."""

    held_out_mass: Interval = (7.0, 14.0)
    """Mass of the held-out box [kg]."""

    near_share: Share = 0.0
    """Share of training episodes, demonstrations included, that start with the hand at the cube: in
    half of them open around it, in half closed beside it. Scores and calibration use the
    benchmark's starts."""

    end_speed: PositiveFloat | None = None
    """A training episode ends when the cube is at the goal and slower than this [m/s]. If a faster
    cube slides on, the reward is negative again. None: at any speed, as success counts in the
    benchmark."""

    scenes_per_task: PositiveInt = 4
    """Number of scenes that share a context drawn from the range."""

    episode_steps: PositiveInt = EPISODE_STEPS
    """Control steps in an episode."""


class SkillAwareWorld:
    """n scenes of the benchmark.

    Args:
        config: Engine and contexts.
        n: Number of scenes.
        seed: Seed of starts and contexts.
        threads: Number of physics threads.
        cells: The cells of contexts from cells.

    Raises:
        EngineMissingError: the engine is not installed.
    """

    action_size = ACTION_SIZE

    def __init__(
        self,
        config: SkillAwareTaskConfig,
        n: int,
        *,
        seed: int,
        threads: int = 1,
        cells: Sequence[Cell] = TRAIN,
    ) -> None:
        self._cells = np.array([(cell.friction, cell.mass) for cell in cells])
        self.n, self.episode_steps = n, config.episode_steps
        self._config = config
        self._scenes = make_scenes(config.engine, n, threads)
        self._random = np.random.default_rng([seed, 7])
        self._rounds = 0
        self._context = np.ones((n, 2))
        self._task = np.zeros(n, dtype=np.int64)

    def reset(self) -> None:
        """Draws starts and contexts."""
        self._rounds += 1
        if self._config.contexts == "cells":
            self._draw_cells()
        else:
            self._draw_range()
        starts = draw_starts(self.n, self._random)
        if self._config.near_share > 0.0:
            starts = move_hands_near(starts, self._random, self._config.near_share)
        self._scenes.reset(starts, self._context[:, 0], self._context[:, 1])

    def observe(self) -> Array:
        """Returns observations ``(n, 23)``."""
        return self._scenes.observe()

    def step(self, action: Array) -> None:
        """Runs one control step."""
        self._scenes.step(action)

    @property
    def goal(self) -> Array:
        """Goals ``(n, 2)`` [m]."""
        return self._scenes.goal

    @property
    def context(self) -> tuple[Array, Array]:
        """Friction (label) and mass [kg], ``(n,)`` each."""
        return self._context[:, 0], self._context[:, 1]

    @property
    def truth(self) -> Array:
        """``(n, 2)``: log mass [kg] and log friction, the effective coefficient."""
        return log_truth(*self.context)

    @property
    def task(self) -> Ids:
        """``(n,)``: number of the cell, or a new number per drawn context."""
        return self._task

    def state_dict(self) -> dict[str, Any]:
        """Returns counters and generators, between two rounds."""
        return {"rounds": self._rounds, "random": self._random.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        self._rounds = int(state["rounds"])
        self._random.bit_generator.state = state["random"]

    def close(self) -> None:
        """Frees the engine."""
        self._scenes.close()

    def _draw_cells(self) -> None:
        self._task = self._random.integers(len(self._cells), size=self.n)
        self._context = self._cells[self._task]

    def _draw_range(self) -> None:
        groups = -(-self.n // self._config.scenes_per_task)
        drawn = np.array([self._draw_context() for _ in range(groups)])
        group = np.arange(self.n) // self._config.scenes_per_task
        self._task = self._rounds * groups + group
        self._context = drawn[group]

    def _draw_context(self) -> tuple[float, float]:
        config = self._config
        while True:
            friction, mass = (
                float(np.exp(self._random.uniform(np.log(low), np.log(high))))
                for low, high in (config.friction, config.mass)
            )
            if not _held_out(friction, mass, config):
                return friction, mass


def unseen_cells(config: SkillAwareTaskConfig) -> tuple[Cell, ...]:
    """Returns the cells of the grid that training never draws: those of zero-shot figures.

    Friction labels beyond the engine's saturation have the same effective friction, so training
    draws a cell with label 30 if it draws any label of that friction.
    """
    seen = _is_training_cell if config.contexts == "cells" else _is_drawn
    return tuple(cell for cell in CELLS if not seen(cell, config))


def _is_training_cell(cell: Cell, config: SkillAwareTaskConfig) -> bool:
    labels = equal_friction_labels(cell.friction, config.engine)
    return any(_inside(other.friction, labels) and other.mass == cell.mass for other in TRAIN)


def _is_drawn(cell: Cell, config: SkillAwareTaskConfig) -> bool:
    equal = equal_friction_labels(cell.friction, config.engine)
    low, high = max(equal[0], config.friction[0]), min(equal[1], config.friction[1])
    if low > high or not _inside(cell.mass, config.mass):
        return False
    return not (_held_out(low, cell.mass, config) and _held_out(high, cell.mass, config))


def log_truth(friction: Array, mass: Array) -> Array:
    """Returns log mass [kg] and log friction ``(n, 2)`` of labels and masses ``(n,)``.

    The friction is the effective coefficient between cube and table, not the label.
    """
    return np.log(np.stack([mass, cube_table_friction(friction)], axis=1))


def _held_out(friction: float, mass: float, config: SkillAwareTaskConfig) -> bool:
    return _inside(friction, config.held_out_friction) and _inside(mass, config.held_out_mass)


def _inside(value: float, interval: Interval) -> bool:
    return interval[0] <= value <= interval[1]
