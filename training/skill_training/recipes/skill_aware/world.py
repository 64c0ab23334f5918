"""The skill-aware benchmark as training sees it: scenes in cells, or in a range with holes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from skill_proto.arrays import Array, Ids
from skill_robots.tasks.skill_aware.benchmark import CELLS, EPISODE_STEPS, TRAIN, Cell, draw_starts
from skill_robots.tasks.skill_aware.engines import Engine, make_scenes
from skill_robots.tasks.skill_aware.scenes import ACTION_SIZE, cube_table_friction

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SkillAwareTaskConfig:
    """Which frictions and masses a run meets; friction is the benchmark's label."""

    engine: Engine = "mujoco"
    """Physics: bullet is the published benchmark, mujoco its twin, a quarter of the time."""

    contexts: Literal["cells", "range"] = "cells"
    """cells: the six published training cells. range: log-uniform in friction and mass, without
    the held-out box."""

    friction: Interval = (0.1, 20.0)
    """Range of the friction label; every cell with friction 30 lies outside."""

    mass: Interval = (1.0, 20.0)
    """Range of the cube's mass [kg]; every cell with mass 30 lies outside."""

    held_out_friction: Interval = (3.0, 8.0)
    """With ``held_out_mass``, the box round the cell (5, 10) that is never drawn."""

    held_out_mass: Interval = (7.0, 14.0)
    """[kg]."""

    scenes_per_task: Annotated[int, Field(ge=1)] = 4
    """Scenes that share a context drawn from the range."""

    episode_steps: Annotated[int, Field(ge=1)] = EPISODE_STEPS
    """Control steps in an episode."""


class SkillAwareWorld:
    """n scenes of the benchmark.

    Args:
        config: Engine and contexts.
        n: Number of scenes.
        seed: Of starts and contexts.
        threads: Physics threads.

    Raises:
        EngineMissingError: the engine is not installed.
    """

    action_size = ACTION_SIZE

    def __init__(
        self, config: SkillAwareTaskConfig, n: int, *, seed: int, threads: int = 1
    ) -> None:
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
        self._scenes.reset(starts, self._context[:, 0], self._context[:, 1])

    def observe(self) -> Array:
        """``(n, 23)``."""
        return self._scenes.observe()

    def step(self, action: Array) -> None:
        """One control step."""
        self._scenes.step(action)

    @property
    def goal(self) -> Array:
        """``(n, 2)`` [m]."""
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
        """``(n,)``: the number of the cell, or a fresh number per context drawn."""
        return self._task

    def state_dict(self) -> dict[str, Any]:
        """Counters and generators, between two rounds."""
        return {"rounds": self._rounds, "random": self._random.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what :meth:`state_dict` gave."""
        self._rounds = int(state["rounds"])
        self._random.bit_generator.state = state["random"]

    def close(self) -> None:
        """Frees the engine."""
        self._scenes.close()

    def _draw_cells(self) -> None:
        self._task = self._random.integers(len(TRAIN), size=self.n)
        cells = np.array([(cell.friction, cell.mass) for cell in TRAIN])
        self._context = cells[self._task]

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
    """The cells of the grid that training cannot have met: those of zero-shot figures."""
    if config.contexts == "cells":
        return tuple(cell for cell in CELLS if cell not in TRAIN)
    return tuple(
        cell
        for cell in CELLS
        if not (_inside(cell.friction, config.friction) and _inside(cell.mass, config.mass))
        or _held_out(cell.friction, cell.mass, config)
    )


def log_truth(friction: Array, mass: Array) -> Array:
    """``(n, 2)``: log mass [kg] and log friction, of labels and masses ``(n,)``.

    The effective coefficient between cube and table, as everywhere else, not the label.
    """
    return np.log(np.stack([mass, cube_table_friction(friction)], axis=1))


def _held_out(friction: float, mass: float, config: SkillAwareTaskConfig) -> bool:
    return _inside(friction, config.held_out_friction) and _inside(mass, config.held_out_mass)


def _inside(value: float, interval: Interval) -> bool:
    return interval[0] <= value <= interval[1]
