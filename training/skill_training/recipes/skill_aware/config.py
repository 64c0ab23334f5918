"""Configuration of the benchmark's methods: TESAC, CCM, SaTESAC and SaCCM."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.config import (
    Count,
    Discount,
    PolicyFlag,
    PositiveFloat,
    PositiveInt,
    Rate,
    RunSettings,
    Share,
    TrainConfig,
    Weight,
)
from skill_training.context.objective import ContrastiveConfig
from skill_training.errors import ConfigError
from skill_training.recipes.checks import check_contrastive, check_range, check_replay
from skill_training.recipes.skill_aware.world import SkillAwareTaskConfig


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BenchmarkSacConfig(ContextSacConfig):
    """Settings that the four methods share on the benchmark."""

    name: ClassVar[str]

    demonstrations: Count = 2400
    """Number of demonstrations, which stay in replay. The demonstrator does not know mass and
    friction. 0: learn from the reward alone."""

    demonstrator: PolicyFlag | None = None
    """Policy file of `skill-train csf`, or the name of a shipped model such as
    csf_discovered_panda: its skills bring cubes to goals zero-shot, and these episodes are the
    demonstrations. None: a scripted controller, which switches from picking to pushing."""

    dagger: bool = False
    """Let the demonstrator label every step of the policy's own episodes with the action that it
    would take, and imitate these labels too (Ross, Gordon and Bagnell 2011, DAgger). The
    labels also cover the states that only the policy reaches."""

    imitation_filter: bool = False
    """Imitate only if the critic values the demonstrator's action above the policy's own. With the
    filter the policy pushes and rolls where that pays sooner; without, it picks as the script."""

    discount: Discount = 0.95
    """Discount factor per control step, as in the release."""

    # Inherited settings with other defaults.
    demonstration_share: Share = 0.5
    imitation_weight: Weight = 10.0
    target_rate: Rate = 0.01
    initial_entropy_coefficient: PositiveFloat = 0.005
    entropy_floor: Weight = 0.0005


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TesacConfig(BenchmarkSacConfig):
    """Settings of TESAC."""

    name: ClassVar[str] = "tesac"

    contrastive: ContrastiveConfig = field(
        default_factory=lambda: ContrastiveConfig(sampling="tesac")
    )


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CcmConfig(BenchmarkSacConfig):
    """Settings of CCM."""

    name: ClassVar[str] = "ccm"

    contrastive: ContrastiveConfig = field(
        default_factory=lambda: ContrastiveConfig(sampling="ccm")
    )


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SaTesacConfig(BenchmarkSacConfig):
    """Settings of SaTESAC."""

    name: ClassVar[str] = "satesac"

    contrastive: ContrastiveConfig = field(
        default_factory=lambda: ContrastiveConfig(sampling="satesac")
    )


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SaCcmConfig(BenchmarkSacConfig):
    """Settings of SaCCM."""

    name: ClassVar[str] = "saccm"

    contrastive: ContrastiveConfig = field(
        default_factory=lambda: ContrastiveConfig(sampling="saccm")
    )


METHODS: dict[str, type[BenchmarkSacConfig]] = {
    kind.name: kind for kind in (SaTesacConfig, SaCcmConfig, CcmConfig, TesacConfig)
}
"""Settings of every method, by its name."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BenchmarkRunSettings(RunSettings):
    """Run settings on the benchmark."""

    env_steps: PositiveInt = 200_000
    """Environment steps to collect beside the demonstrations, rounded up to whole episodes."""

    env_steps_per_update: PositiveInt = 8
    """Environment steps per gradient step, as in the release."""

    warmup_steps: Count = 1_600
    """Environment steps at the start with the initial policy and without gradient steps."""

    replay_capacity: PositiveInt = 200_000
    """Maximum number of transitions in replay beside the demonstrations. New ones replace the
    oldest."""

    # Inherited settings with other defaults.
    log_interval: PositiveInt = 4_000
    eval_interval: PositiveInt = 40_000
    checkpoint_interval: PositiveInt = 40_000

    eval_episodes: PositiveInt = 16
    """Number of episodes per cell in an evaluation during training. All cells have the same starts,
    so fewer of them say little about a whole split."""

    final_eval_episodes: PositiveInt = 50
    """Number of episodes per cell in the final evaluation."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BenchmarkConfig(TrainConfig):
    """All settings that determine a run on the benchmark."""

    algorithm: TesacConfig | CcmConfig | SaTesacConfig | SaCcmConfig
    """The method's own settings."""

    task: SkillAwareTaskConfig = field(default_factory=SkillAwareTaskConfig)
    """Frictions and masses of training."""

    run: BenchmarkRunSettings = field(default_factory=BenchmarkRunSettings)
    """Length, seed, device and bookkeeping."""

    def __post_init__(self) -> None:
        """Refuses combinations that cannot work.

        Raises:
            ConfigError: a range is impossible or lies within the held-out box, or the replay is
                smaller than one round of episodes.
        """
        for name in ("friction", "mass", "held_out_friction", "held_out_mass"):
            check_range(name, getattr(self.task, name), positive=True)
        self._check_ranges_exceed_held_out_box()
        check_replay(self.run, episode_steps=self.task.episode_steps)
        if self.algorithm.contrastive.sampling != self.algorithm.name:
            name, sampling = self.algorithm.name, self.algorithm.contrastive.sampling
            raise ConfigError(
                f"--{name}.contrastive.sampling {sampling} is another method; run "
                f"`skill-train {sampling}`"
            )
        if self.algorithm.dagger and not self.algorithm.imitation_weight:
            name = self.algorithm.name
            raise ConfigError(
                f"--{name}.dagger labels steps that --{name}.imitation-weight 0 does not imitate; "
                "give a positive weight"
            )
        # The cells are six tasks, each with more episodes than any sampling needs.
        ranges = self.task.contexts == "range"
        check_contrastive(
            self.algorithm,
            self.run,
            scenes_per_task=self.task.scenes_per_task if ranges else self.run.n_envs,
            episode_steps=self.task.episode_steps,
        )

    def _check_ranges_exceed_held_out_box(self) -> None:
        task = self.task
        covered = all(
            outer[0] <= inner[0] and inner[1] <= outer[1]
            for inner, outer in (
                (task.friction, task.held_out_friction),
                (task.mass, task.held_out_mass),
            )
        )
        if task.contexts == "range" and covered:
            raise ConfigError(
                f"--task.friction {task.friction[0]:g} {task.friction[1]:g} and --task.mass "
                f"{task.mass[0]:g} {task.mass[1]:g} lie within the held-out box "
                f"(--task.held-out-friction, --task.held-out-mass); widen them, or move the box"
            )
