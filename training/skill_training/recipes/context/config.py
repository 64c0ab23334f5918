"""Configuration of ``skill-train context``: an objective for the encoder, in a world."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from tyro.conf import arg

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.lift.config import LiftConfig
from skill_robots.worlds.mujoco_world import BodyConfig
from skill_robots.worlds.registry import ConfigWithSets, default_config, world_name
from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.config import (
    Count,
    Discount,
    PositiveFloat,
    PositiveInt,
    RunSettings,
    Share,
    TrainConfig,
    Weight,
)
from skill_training.context.objective import ContrastiveConfig
from skill_training.errors import ConfigError

Objective = Literal[
    "none", "infonce", "sance", "sance-cross", "saccm", "sigmoid", "forward-model", "supervised"
]
"""What trains the encoder beside the critic's loss."""

OBJECTIVES: dict[Objective, dict[str, Any]] = {
    "none": {"sampling": "tesac"},
    "infonce": {"sampling": "ccm"},
    "sance": {"sampling": "satesac"},
    "sance-cross": {"sampling": "cross"},
    "saccm": {"sampling": "saccm"},
    "sigmoid": {"sampling": "satesac", "loss": "sigmoid"},
    "forward-model": {"sampling": "tesac"},
    "supervised": {"sampling": "tesac"},
}
"""Settings of the contrastive term for each objective."""

CONTRASTIVE: tuple[Objective, ...] = tuple(
    name for name, settings in OBJECTIVES.items() if settings["sampling"] != "tesac"
)
"""Objectives with a contrastive term."""

METHODS: dict[Objective, str] = {
    "none": "TESAC",
    "infonce": "CCM",
    "sance": "SaTESAC",
    "saccm": "SaCCM",
}
"""The published method of an objective."""

DEFAULT_WORLD = "varied_half_cheetah"

WorldTaskConfig = ConfigWithSets | BodyConfig | GymnasiumConfig
"""Worlds with a reward."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class WorldSacConfig(ContextSacConfig):
    """Settings of actor, critic, entropy coefficient and context, on the reward of a world."""

    name: ClassVar[str] = "context"

    # Inherited settings with other defaults.
    contrastive: ContrastiveConfig = field(
        default_factory=lambda: ContrastiveConfig(sampling="tesac", batch=64, pool=4000)
    )
    hindsight_share: Share = 0.0
    learning_rate: PositiveFloat = 1e-3
    actor_learning_rate: PositiveFloat = 1e-3
    discount: Discount = 0.99
    return_steps: PositiveInt = 1
    initial_entropy_coefficient: PositiveFloat = 0.1
    forward_model_weight: Weight = 1.0
    """Weight of the forward model in the encoder's loss, with --objective forward-model alone."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ContextRunSettings(RunSettings):
    """Run settings of ``skill-train context``."""

    objective: Annotated[Objective, arg(metavar="NAME")] = "sance"
    """What trains the encoder beside the critic's loss. none: nothing (TESAC). infonce: pairs of
    one task against other tasks (CCM). sance: good against bad of one task (SaTESAC). sance-cross:
    the same, with the good ones of other tasks as further negatives. saccm: good of one task
    against bad of all (SaCCM). sigmoid: sance in the pairwise form of the authors' release.
    forward-model: the next change of the observation. supervised: the true hidden quantities,
    which only a simulation provides."""

    window: PositiveInt = 50
    """Control steps over which the encoder is unrolled; an episode is stored as windows of this
    length, each with the encoder's state at its start."""

    # Inherited settings with other defaults.
    env_steps: PositiveInt = 2_000_000
    n_envs: PositiveInt = 8
    warmup_steps: Count = 10_000
    eval_interval: PositiveInt = 200_000
    checkpoint_interval: PositiveInt = 200_000
    replay_capacity: PositiveInt = 1_000_000

    eval_episodes: Annotated[int, Field(ge=2)] = 16
    """Episodes of each set of contexts in an evaluation during training."""

    final_eval_episodes: Annotated[int, Field(ge=2)] = 64
    """Episodes of each set of contexts in the final evaluation."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ContextConfig(TrainConfig):
    """All settings that determine a run of ``skill-train context``."""

    algorithm: WorldSacConfig = field(default_factory=WorldSacConfig)
    """The algorithm's own settings."""

    task: WorldTaskConfig = field(default_factory=lambda: world_task(DEFAULT_WORLD))
    """The world."""

    run: ContextRunSettings = field(default_factory=ContextRunSettings)
    """Objective, length, seed, device and bookkeeping."""

    def __post_init__(self) -> None:
        """Refuses combinations that cannot work.

        Raises:
            ConfigError: settings contradict the objective, or need goals or demonstrations.
        """
        algorithm, objective = self.algorithm, self.run.objective
        term = algorithm.contrastive
        given = (
            ("contrastive.sampling", term.sampling != "tesac"),
            ("contrastive.loss", term.loss != "nce"),
            ("supervised", algorithm.supervised),
        )
        for name, chosen in given:
            if chosen:
                raise ConfigError(f"--context.{name} is part of --objective; leave it out")
        if isinstance(self.task, ConfigWithSets) and self.task.contexts != "train":
            raise ConfigError(
                f"--task.contexts {self.task.contexts} is a set for tests, which every evaluation "
                "scores beside that of training; leave it out"
            )
        self._check_window()
        if objective in CONTRASTIVE:
            self._check_contrast(term)
        for name, chosen in (
            ("hindsight-share", algorithm.hindsight_share > 0.0),
            ("demonstration-share", algorithm.demonstration_share > 0.0),
            ("imitation-weight", algorithm.imitation_weight > 0.0),
        ):
            if chosen:
                raise ConfigError(
                    f"--context.{name} needs goals or demonstrations, which a world does not have"
                )
        if algorithm.knowledge != "inferred" and objective != "none":
            raise ConfigError(
                f"--context.knowledge {algorithm.knowledge} has no encoder; add --objective none"
            )

    def _check_window(self) -> None:
        """Refuses a window that no episode has; whether it divides one is checked with the world.

        Raises:
            ConfigError: it is longer than an episode.
        """
        window, steps = self.run.window, self.task.episode_steps
        # An environment of Gymnasium knows its length when it is made.
        if steps is not None and window > steps:
            raise ConfigError(
                f"--window {window} is longer than an episode of {steps} control steps; give a "
                f"number that divides {steps}, or change --task.episode-steps"
            )

    def _check_contrast(self, term: ContrastiveConfig) -> None:
        """Refuses a batch that the replay can never fill.

        Raises:
            ConfigError: it cannot.
        """
        run = self.run
        fitting = run.replay_capacity // run.window
        if term.batch > term.pool:
            raise ConfigError(
                f"--context.contrastive.batch {term.batch} is more than the {term.pool} newest "
                "windows from which it is drawn; lower it, or raise --context.contrastive.pool"
            )
        if term.batch > fitting:
            raise ConfigError(
                f"--context.contrastive.batch {term.batch} is more than the {fitting} windows of "
                f"--window {run.window} for which --replay-capacity {run.replay_capacity} has "
                "room; lower one of the first two, or raise the third"
            )

    @property
    def world(self) -> str:
        """Name of the world."""
        return world_name(self.task)

    @property
    def learning(self) -> WorldSacConfig:
        """The algorithm's settings with those of the objective."""
        objective = self.run.objective
        weight = self.algorithm.forward_model_weight if objective == "forward-model" else 0.0
        return replace(
            self.algorithm,
            contrastive=replace(self.algorithm.contrastive, **OBJECTIVES[objective]),
            supervised=objective == "supervised",
            forward_model_weight=weight,
        )


def world_task(world: str) -> WorldTaskConfig:
    """Returns the configuration of a world.

    Raises:
        ConfigError: it is the tabletop, whose recipes are others.
    """
    task = default_config(world)
    if isinstance(task, TabletopConfig):
        raise ConfigError(
            f"skill-train context learns from the reward of a world, and {world} has none; for the "
            "Panda see: skill-train goal --help, skill-train saccm --help"
        )
    return task


def default_context_config(world: str | None) -> ContextConfig:
    """Returns the configuration of ``skill-train context --world WORLD`` without other flags."""
    task = world_task(DEFAULT_WORLD if world is None else world)
    return lift_config(task) if isinstance(task, LiftConfig) else ContextConfig(task=task)


def lift_config(task: LiftConfig) -> ContextConfig:
    """Returns the settings of the lift, whose episodes are 60 steps: a run of a few minutes."""
    return ContextConfig(
        algorithm=WorldSacConfig(hidden=(128, 128), discount=0.95, return_steps=3),
        task=task,
        run=ContextRunSettings(
            window=30,
            env_steps=48_000,
            env_steps_per_update=4,
            n_envs=16,
            warmup_steps=2_000,
            eval_interval=24_000,
        ),
    )
