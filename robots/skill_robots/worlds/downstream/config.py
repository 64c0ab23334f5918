"""Downstream tasks by name.

The rows are the tasks of the public code of CSF (Princeton-RL/contrastive-successor-features at
c6b86e5, ``envs/mujoco`` and ``scripts/hierarchical_control``). METRA's paper names the same tasks;
its code does not contain them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

HURDLE_TASK = "half_cheetah_hurdle"

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Steps = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GoalsConfig:
    """Goals for the coordinates of a world, one after the other."""

    name: str = "ant_multi_goal"
    """Name of the task; for goals in any other world, the name of the world."""
    goals: Steps = 1
    """Number of goals in an episode."""
    steps_per_goal: Steps = 200
    """Control steps for each goal, whether it is reached or not."""
    half_range: Positive | None = None
    """Largest distance, along each coordinate, of a goal from the goal before, and of the first
    one from the origin [unit of the coordinates]. None: goals are drawn from the box of the
    world."""
    radius: Positive | None = None
    """Distance within which a goal counts as reached [unit of the coordinates]. None: that of the
    world."""

    @property
    def episode_steps(self) -> int:
        """Control steps of an episode."""
        return self.goals * self.steps_per_goal


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class HurdlesConfig:
    """HalfCheetah passes bars that lie across its way."""

    name: Literal["half_cheetah_hurdle"] = HURDLE_TASK
    """Name of the task."""
    episode_steps: Steps = 200
    """Control steps of an episode."""


TaskConfig = GoalsConfig | HurdlesConfig

TASKS: dict[str, TaskConfig] = {
    "ant_multi_goal": GoalsConfig(
        name="ant_multi_goal", goals=4, steps_per_goal=50, half_range=7.5, radius=3.0
    ),
    "half_cheetah_goal": GoalsConfig(
        name="half_cheetah_goal", goals=1, steps_per_goal=200, half_range=100.0, radius=3.0
    ),
    HURDLE_TASK: HurdlesConfig(),
}
"""The published tasks."""

WORLDS = {
    "ant_multi_goal": "ant",
    "half_cheetah_goal": "half_cheetah",
    HURDLE_TASK: "half_cheetah",
}
"""World in which the skills for each published task are learned."""


def default_task(name: str) -> TaskConfig:
    """Returns a published task, or one goal in the world of that name."""
    return TASKS.get(name, GoalsConfig(name=name))


def skill_world(config: TaskConfig) -> str:
    """Returns the name of the world in which the skills for a task are learned."""
    return WORLDS.get(config.name, config.name)
