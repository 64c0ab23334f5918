"""The Panda with two scripts in two contexts: picking pays in one, pushing in the other.

The cells are two of SaMI's benchmark, on the MuJoCo twin: a cube of 1 kg, which the gripper can
lift, on a slippery table; and one of 10 kg, which it cannot, on a rough one. Half of the episodes
of each cell come from either script. No script switches.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import torch

from skill_proto.arrays import Array, Ids
from skill_robots.observation import layout
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.skill_aware.benchmark import (
    EPISODE_STEPS,
    SUCCESS_RADIUS_M,
    Cell,
    draw_starts,
)
from skill_robots.tasks.skill_aware.engines import make_scenes
from skill_robots.tasks.skill_aware.scenes import ACTION_SIZE, CUBE_REST_HEIGHT_M, OBSERVATION
from skill_robots.tasks.skill_aware.scripted.policies import Pick, Push
from skill_robots.tasks.skill_aware.scripted.push import SCOOP
from skill_training.data.episodes import Episodes, concatenate
from skill_training.recipes.skill_aware.demonstrations import demonstrate
from skill_training.recipes.skill_aware.task import BringToGoal
from skill_training.recipes.skill_aware.world import log_truth

CELLS = (Cell(0.1, 1.0), Cell(10.0, 10.0))

SCENES = 32
"""Scenes that are stepped together."""

PICK, PUSH = -1.0, 1.0


class TwoCells:
    """Scenes of the benchmark; every other one is in the second cell.

    Args:
        seed: Seed of the starts.
    """

    n = SCENES
    episode_steps = EPISODE_STEPS
    action_size = ACTION_SIZE

    def __init__(self, seed: int) -> None:
        self._scenes = make_scenes("mujoco", SCENES, 1)
        self._random = np.random.default_rng([seed, 7])
        self._task = np.arange(SCENES) % len(CELLS)
        cells = np.array([(cell.friction, cell.mass) for cell in CELLS])[self._task]
        self._friction, self._mass = cells.T

    def reset(self) -> None:
        """Draws starts and goals."""
        self._scenes.reset(draw_starts(self.n, self._random), self._friction, self._mass)

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
    def truth(self) -> Array:
        """``(n, 2)``: log mass [kg] and log friction."""
        return log_truth(self._friction, self._mass)

    @property
    def task(self) -> Ids:
        """``(n,)``: number of the cell."""
        return self._task

    def state_dict(self) -> dict[str, Any]:
        """Returns the generator."""
        return {"random": self._random.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the generator."""
        self._random.bit_generator.state = state["random"]

    def close(self) -> None:
        """Frees the engine."""
        self._scenes.close()


def collect(per_script: int, seed: int, hidden: int) -> tuple[Episodes, torch.Tensor]:
    """Runs both scripts.

    Args:
        per_script: Episodes of each script, rounded up to whole rounds; half of them in each cell.
        seed: Seed of starts and disturbances.
        hidden: Size of the encoder's state, which is zero.

    Returns:
        The episodes, and the script of each ``(B,)``: :data:`PICK` or :data:`PUSH`.
    """
    place = layout(OBSERVATION)
    task = BringToGoal(
        place["cube_position"].start,
        place["cube_from_end_effector"].start,
        rest_height=CUBE_REST_HEIGHT_M,
        success_radius=SUCCESS_RADIUS_M,
    )
    scripts: dict[float, Policy] = {PICK: Pick(), PUSH: Push(SCOOP)}
    parts: list[Episodes] = []
    behaviour: list[torch.Tensor] = []
    with closing(TwoCells(seed)) as world:
        for sign, script in scripts.items():
            found = demonstrate(
                world,
                script,
                task,
                episodes=per_script,
                hidden=hidden,
                seed=seed,
                device=torch.device("cpu"),
            )
            parts.append(found)
            behaviour.append(torch.full((len(found),), sign))
    return concatenate(*parts), torch.cat(behaviour)


def right_script(episodes: Episodes) -> torch.Tensor:
    """Returns the script that the cell of each episode asks for ``(B,)``."""
    return torch.where(episodes.task == 0, PICK, PUSH)
