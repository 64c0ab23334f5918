"""Configuration of the goal stage: bringing a cube to rest, whatever it weighs or slides on."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from skill_training.algorithms.context_sac import ContextSacConfig
from skill_training.config import Count, PositiveInt, RunSettings, TrainConfig
from skill_training.context.encoder import EncoderConfig
from skill_training.errors import ConfigError
from skill_training.goal_world import GoalTaskConfig
from skill_training.task_checks import check_replay, check_tabletop


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GoalSacConfig(ContextSacConfig):
    """Settings of the goal stage."""

    name: ClassVar[str] = "goal"

    start_from: Path | None = Path("models/csf_panda.onnx")
    """Policy file of a skill policy whose actor this one begins as; None begins from nothing."""

    encoder: EncoderConfig = field(default_factory=lambda: EncoderConfig(hidden=64))
    """The context encoder."""

    actor_learning_rate: float = 1e-4
    """Adam's step size of the actor: small, for it begins with something to lose."""

    actor_frozen_updates: Count = 2500
    """Gradient steps before the actor begins to move."""

    carried_share: float = 0.5
    """Share of episodes that begin with the encoder's state of the episode before."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GoalRunSettings(RunSettings):
    """Run settings of the goal stage."""

    env_steps: PositiveInt = 640_000
    """Environment steps to collect, rounded up to whole episodes of all scenes."""

    warmup_steps: Count = 10_000
    """Environment steps of the first policy, and no gradient steps, at the start."""

    eval_goals: PositiveInt = 96
    """Goals per condition in an evaluation in mid-training."""

    final_eval_goals: PositiveInt = 256
    """Goals per condition in the final evaluation."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GoalConfig(TrainConfig):
    """Everything that decides what a run of the goal stage computes."""

    algorithm: GoalSacConfig = field(default_factory=GoalSacConfig)
    """The algorithm's own settings."""

    task: GoalTaskConfig = field(default_factory=GoalTaskConfig)
    """What varies between and within episodes."""

    run: GoalRunSettings = field(default_factory=GoalRunSettings)
    """Length, seed, device and bookkeeping."""

    def __post_init__(self) -> None:
        """Refuses combinations that cannot work.

        Raises:
            ConfigError: a range of the task is impossible, scenes do not divide into tasks, or the
                replay is smaller than one round of episodes.
        """
        check_tabletop(self.task)
        check_replay(self.run, episode_steps=self.task.episode_steps)
        if self.run.n_envs % self.task.scenes_per_task:
            raise ConfigError(
                f"--n-envs {self.run.n_envs} is no multiple of --task.scenes-per-task "
                f"{self.task.scenes_per_task}"
            )
