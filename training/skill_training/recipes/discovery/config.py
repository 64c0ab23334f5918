"""Configuration of CSF or METRA on the tabletop."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_training.algorithms.csf import CsfConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.config import PositiveInt, RunSettings, TrainConfig
from skill_training.recipes.checks import check_replay, check_tabletop

TRAINING_TASK = TabletopConfig(
    stiffness_scale=(0.85, 1.15), latency_s=(0.0, 0.02), sensor_noise=1.0, start="mixed"
)
"""Domain randomisation of training: motor stiffness, latency, sensor noise and starts."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SkillRunSettings(RunSettings):
    """Run settings of CSF and METRA."""

    eval_skills: Annotated[int, Field(ge=2)] = 48
    """Number of skills in an evaluation. Each runs once, and four times in the final evaluation."""

    final_eval_goals: PositiveInt = 128
    """Number of goals in the final evaluation."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SkillConfig(TrainConfig):
    """All settings that determine a run of CSF or METRA."""

    algorithm: CsfConfig | MetraConfig
    """The algorithm's own settings."""

    task: TabletopConfig = TRAINING_TASK
    """Quantities that vary between episodes."""

    run: SkillRunSettings = SkillRunSettings()
    """Length, seed, device and bookkeeping."""

    def __post_init__(self) -> None:
        """Refuses combinations that cannot work.

        Raises:
            ConfigError: the replay is smaller than one round of episodes, a range of the task is
                empty or holds impossible values, or its times do not fit the control period.
        """
        check_tabletop(self.task)
        check_replay(self.run, episode_steps=self.task.episode_steps)
