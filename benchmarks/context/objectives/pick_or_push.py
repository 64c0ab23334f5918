"""The Panda with two scripts in two contexts: picking pays in one, pushing in the other.

The cells are two of SaMI's benchmark, on the MuJoCo twin: a cube of 1 kg, which the gripper can
lift, on a slippery table; and one of 10 kg, which it cannot, on a rough one. Each script has half
of the episodes, and each episode is in a random cell. No script switches.
"""

from __future__ import annotations

from contextlib import closing

import torch

from skill_robots.tasks.policy import Policy
from skill_robots.tasks.skill_aware.benchmark import Cell
from skill_robots.tasks.skill_aware.scripted.policies import Pick, Push
from skill_robots.tasks.skill_aware.scripted.push import SCOOP
from skill_training.data.episodes import Episodes, concatenate
from skill_training.recipes.skill_aware.demonstrations import demonstrate
from skill_training.recipes.skill_aware.task import BringToGoal
from skill_training.recipes.skill_aware.world import SkillAwareTaskConfig, SkillAwareWorld

CELLS = (Cell(0.1, 1.0), Cell(10.0, 10.0))

SCENES = 32
"""Scenes that are stepped together."""

PICK, PUSH = -1.0, 1.0


def collect(per_script: int, seed: int, hidden: int) -> tuple[Episodes, torch.Tensor]:
    """Runs both scripts.

    Args:
        per_script: Episodes of each script, rounded up to whole rounds.
        seed: Seed of cells, starts and disturbances.
        hidden: Size of the encoder's state, which is zero.

    Returns:
        The episodes, and the script of each ``(B,)``: :data:`PICK` or :data:`PUSH`.
    """
    scripts: dict[float, Policy] = {PICK: Pick(), PUSH: Push(SCOOP)}
    parts: list[Episodes] = []
    behaviour: list[torch.Tensor] = []
    with closing(SkillAwareWorld(SkillAwareTaskConfig(), SCENES, seed=seed, cells=CELLS)) as world:
        for sign, script in scripts.items():
            found = demonstrate(
                world,
                script,
                BringToGoal.of_benchmark(),
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
