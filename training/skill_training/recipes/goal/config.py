"""Configuration of the goal stage: bringing a cube to rest at any trained mass and friction."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.config import (
    Count,
    PolicyFlag,
    PositiveFloat,
    PositiveInt,
    Rate,
    RunSettings,
    Share,
    TrainConfig,
)
from skill_training.context.objective import ContrastiveConfig
from skill_training.errors import ConfigError
from skill_training.nets.encoder import EncoderConfig
from skill_training.recipes.checks import check_contrastive, check_replay, check_tabletop
from skill_training.recipes.goal.world import GoalTaskConfig

EVALUATION_SEEDS = range(1000, 1003)
"""Seeds of starts, goals and contexts in evaluations and calibration. No run may use them."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GoalSacConfig(ContextSacConfig):
    """Settings of the goal stage."""

    name: ClassVar[str] = "goal"

    start_from: PolicyFlag | None = Path("csf_panda")
    """Policy file of a skill policy, or the name of a model that comes with skill-serve; its actor
    is the initial actor. None: random weights."""

    # Inherited settings with other defaults.
    encoder: EncoderConfig = field(
        default_factory=lambda: EncoderConfig(hidden=64, learning_rate=3e-3)
    )
    contrastive: ContrastiveConfig = field(default_factory=lambda: ContrastiveConfig(batch=128))
    learning_rate: PositiveFloat = 1e-3
    target_rate: Rate = 0.01
    return_steps: PositiveInt = 5
    initial_entropy_coefficient: PositiveFloat = 0.005
    actor_frozen_updates: Count = 2500

    carried_share: Share = 0.5
    """Share of episodes that begin with the encoder's state at the end of the previous episode."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GoalRunSettings(RunSettings):
    """Run settings of the goal stage."""

    # Inherited settings with other defaults.
    env_steps: PositiveInt = 400_000
    eval_interval: PositiveInt = 40_000
    checkpoint_interval: PositiveInt = 80_000

    env_steps_per_update: PositiveInt = 16
    """Environment steps per gradient step."""

    warmup_steps: Count = 10_000
    """Environment steps at the start with the initial policy and without gradient steps."""

    eval_goals: PositiveInt = 96
    """Number of goals per condition in an evaluation during training."""

    final_eval_goals: PositiveInt = 256
    """Number of goals per condition in the final evaluation."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GoalConfig(TrainConfig):
    """All settings that determine a run of the goal stage."""

    algorithm: GoalSacConfig = field(default_factory=GoalSacConfig)
    """The algorithm's own settings."""

    task: GoalTaskConfig = field(default_factory=GoalTaskConfig)
    """Quantities that vary between and within episodes."""

    run: GoalRunSettings = field(default_factory=GoalRunSettings)
    """Length, seed, device and bookkeeping."""

    def __post_init__(self) -> None:
        """Refuses combinations that cannot work.

        Raises:
            ConfigError: a range of the task is impossible, scenes do not divide into tasks, the
                replay is smaller than one round of episodes, or the task has a gripper.
        """
        check_tabletop(self.task)
        if self.task.gripper:
            raise ConfigError("skill-train goal pushes: it takes no --task.gripper; leave it out")
        check_replay(self.run, episode_steps=self.task.episode_steps)
        check_contrastive(
            self.algorithm,
            self.run,
            scenes_per_task=self.task.scenes_per_task,
            episode_steps=self.task.episode_steps,
        )
        if self.run.seed in EVALUATION_SEEDS:
            raise ConfigError(
                f"--seed {self.run.seed} is a seed of the evaluation's scenes; use any seed but "
                f"{EVALUATION_SEEDS[0]} to {EVALUATION_SEEDS[-1]}"
            )
