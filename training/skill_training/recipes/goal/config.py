"""Configuration of the goal stage: bringing a cube to rest, whatever it weighs or slides on."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from skill_training.algorithms.context_sac_config import (
    ContextSacConfig,
    PositiveFloat,
    Rate,
    Share,
)
from skill_training.config import Count, PositiveInt, RunSettings, TrainConfig
from skill_training.context.objective import ContrastiveConfig
from skill_training.errors import ConfigError
from skill_training.nets.encoder import EncoderConfig
from skill_training.recipes.checks import check_contrastive, check_replay, check_tabletop
from skill_training.recipes.goal.world import GoalTaskConfig

EVALUATION_SEEDS = range(1000, 1003)
"""Of starts, goals and contexts in evaluations and calibration; no run may have them."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GoalSacConfig(ContextSacConfig):
    """Settings of the goal stage."""

    name: ClassVar[str] = "goal"

    start_from: Path | None = Path("models/csf_panda.onnx")
    """Policy file of a skill policy whose actor this one begins as; None begins from nothing."""

    # Other defaults of inherited settings.
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
    """Share of episodes that begin with the encoder's state of the episode before."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GoalRunSettings(RunSettings):
    """Run settings of the goal stage."""

    # Other defaults of inherited settings.
    env_steps: PositiveInt = 400_000
    eval_interval: PositiveInt = 40_000
    checkpoint_interval: PositiveInt = 80_000

    env_steps_per_update: PositiveInt = 16
    """Environment steps per gradient step."""

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
        check_contrastive(
            self.algorithm,
            self.run,
            scenes_per_task=self.task.scenes_per_task,
            episode_steps=self.task.episode_steps,
        )
        if self.run.seed in EVALUATION_SEEDS:
            raise ConfigError(
                f"--seed {self.run.seed} draws the scenes of the evaluation; take another than "
                f"{EVALUATION_SEEDS[0]} to {EVALUATION_SEEDS[-1]}"
            )
