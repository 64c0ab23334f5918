"""Configuration of hierarchical control: a task, and the skills for it."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from skill_robots.worlds.downstream.config import (
    GoalsConfig,
    HurdlesConfig,
    default_task,
    skill_world,
)
from skill_robots.worlds.registry import TABLETOP
from skill_training.algorithms.high_level.config import HighLevelConfig
from skill_training.config import Count, PositiveInt, RunSettings, TrainConfig
from skill_training.errors import ConfigError
from skill_training.recipes.checks import check_replay
from skill_training.recipes.manifest_parts import plain_name

DEFAULT_TASK = "ant_multi_goal"


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class HighRunSettings(RunSettings):
    """Run settings of hierarchical control. Environment steps are control steps."""

    # Inherited settings with other defaults or another meaning.
    env_steps: PositiveInt = 1_280_000
    """Control steps to collect, rounded up to whole episodes of all scenes."""

    env_steps_per_update: PositiveInt = 32
    """Control steps per gradient step."""

    warmup_steps: Count = 10_000
    """Control steps at the start with random skills and without gradient steps."""

    replay_capacity: PositiveInt = 200_000
    """Maximum number of choices in replay. New ones replace the oldest."""

    eval_episodes: PositiveInt = 48
    """Number of episodes in an evaluation during training."""

    final_eval_episodes: PositiveInt = 256
    """Number of episodes in the final evaluation."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class HighConfig(TrainConfig):
    """All settings that determine a run of hierarchical control."""

    algorithm: HighLevelConfig = field(default_factory=HighLevelConfig)
    """The algorithm's own settings."""

    task: GoalsConfig | HurdlesConfig = field(default_factory=lambda: default_task(DEFAULT_TASK))
    """The task."""

    run: HighRunSettings = field(default_factory=HighRunSettings)
    """Length, seed, device and bookkeeping."""

    def __post_init__(self) -> None:
        """Refuses combinations that cannot work.

        Raises:
            ConfigError: the replay is smaller than one round of episodes.
        """
        check_replay(self.run, episode_steps=self.choices, unit="choices")

    @property
    def world(self) -> str:
        """Name of the task, or of the world in which the goals are."""
        return self.task.name

    @property
    def choices(self) -> int:
        """Choices of an episode."""
        return -(-self.task.episode_steps // self.algorithm.hold_steps)


def check_hold_steps(config: HighConfig) -> None:
    """Refuses a choice that is longer than an episode, or than the time for a goal.

    Raises:
        ConfigError: it is.
    """
    held, task = config.algorithm.hold_steps, config.task
    if held > task.episode_steps:
        raise ConfigError(
            f"--high.hold-steps {held} is longer than an episode of {task.episode_steps} control "
            "steps, which would have a single choice; give fewer"
        )
    if isinstance(task, GoalsConfig) and held > task.steps_per_goal:
        raise ConfigError(
            f"--high.hold-steps {held} is longer than --task.steps-per-goal {task.steps_per_goal}: "
            "goals would change without a choice; lower the first, or raise the second"
        )


def default_high_config(world: str | None) -> HighConfig:
    """Returns the configuration of ``skill-train high --world WORLD`` without other flags."""
    task = default_task(DEFAULT_TASK if world is None else world)
    world = skill_world(task)
    name = "panda" if world == TABLETOP else plain_name(world)
    return HighConfig(algorithm=HighLevelConfig(low_level=Path(f"csf_{name}")), task=task)
