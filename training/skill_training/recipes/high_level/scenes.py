"""Scenes of a task, stepped by the skills of a frozen low level."""

from __future__ import annotations

from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from skill_proto.manifest import PolicyManifest, Range
from skill_proto.validation_text import describe_errors
from skill_robots.motion.gripper import WIDTH
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.downstream.config import skill_world
from skill_robots.worlds.downstream.held_skills import HeldSkills
from skill_robots.worlds.downstream.registry import make_task_world
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.mujoco_world import BodyConfig
from skill_robots.worlds.registry import TABLETOP, WorldConfig
from skill_robots.worlds.trained import trained_config
from skill_training.errors import ConfigError
from skill_training.recipes.checks import check_tabletop
from skill_training.recipes.high_level.config import HighConfig
from skill_training.recipes.high_level.low_level import LowLevel
from skill_training.recipes.manifest_parts import QUANTITIES


def trained_world(manifest: PolicyManifest) -> str:
    """Returns the name of the world in which a policy was trained."""
    if manifest.world is not None:
        return manifest.world.name
    return TABLETOP if manifest.plant is None else manifest.plant.task


def world_config(config: HighConfig, manifest: PolicyManifest) -> WorldConfig:
    """Returns the world of the skills, with episodes of the task's length.

    Its settings are those of the skills' training, but for aids that shorten episodes.

    Raises:
        ConfigError: the skills are of another world than the task, or their settings are invalid.
    """
    name, trained = skill_world(config.task), trained_world(manifest)
    if name != trained:
        raise ConfigError(
            f"the task {config.task.name!r} needs skills of the world {name!r}, but "
            f"{config.algorithm.low_level} has those of {trained!r}; give another file as "
            f"--high.low-level, or --world {trained} for goals in that world"
        )
    try:
        world = _world_of(manifest, name, str(config.algorithm.low_level))
    except ValidationError as error:
        raise ConfigError(
            f"the settings of the world {name!r} in {config.algorithm.low_level}: "
            f"{describe_errors(error)}"
        ) from None
    except ConfigError as error:
        raise ConfigError(
            f"cannot start from {config.algorithm.low_level}, whose manifest has ranges that the "
            f"tabletop cannot have: {error}"
        ) from None
    except WorldError as error:
        raise ConfigError(str(error)) from None
    world = replace(world, episode_steps=config.task.episode_steps)
    return replace(world, restart_lying_after=None) if isinstance(world, BodyConfig) else world


def _world_of(manifest: PolicyManifest, name: str, source: str) -> WorldConfig:
    """Returns the world that the manifest of the file ``source`` describes.

    Raises:
        ValidationError, ConfigError, WorldError: its settings or ranges are invalid.
    """
    if name == TABLETOP:
        return _tabletop(manifest)
    settings = {} if manifest.world is None else manifest.world.settings
    # The user has named the task, and with it the world.
    return trained_config(name, settings, source, is_named=True)


def _tabletop(manifest: PolicyManifest) -> TabletopConfig:
    """Returns the tabletop with the ranges in which skills were trained.

    A quantity that the manifest does not name has its default. The starts are those of the default,
    too: those of training are an aid of exploration, and a manifest does not state them.

    Raises:
        ValidationError, ConfigError: a range is impossible, or has another unit.
    """
    ranges = {
        setting: (span.low, span.high)
        for name, (setting, unit) in QUANTITIES.items()
        if (span := manifest.trained_on.get(name)) is not None and _has_unit(name, span, unit)
    }
    noise = ranges.pop("sensor_noise", (0.0, 0.0))
    plant = {} if manifest.plant is None else {"physics_step_s": manifest.plant.physics_step_s}
    task = TypeAdapter(TabletopConfig).validate_python(
        {
            **ranges,
            **plant,
            "sensor_noise": noise[1],
            "gripper": any(part.name == WIDTH for part in manifest.action),
        }
    )
    check_tabletop(task)
    return task


def _has_unit(name: str, span: Range, unit: str) -> bool:
    if span.unit != unit:
        raise ConfigError(f"trained_on {name!r} has the unit {span.unit!r}, expected {unit!r}")
    return True


def make_scenes(
    config: HighConfig, low_level: LowLevel, world: WorldConfig, n: int, *, seed: int
) -> HeldSkills:
    """Returns ``n`` scenes of the task.

    Args:
        config: The run.
        low_level: The skills.
        world: The world of the skills.
        n: Number of scenes.
        seed: Seed of starts and goals.

    Raises:
        ConfigError: the world cannot be built or can have no such task, or the skills do not fit.
    """
    try:
        made = make_task_world(config.task, world, n, seed=seed, threads=config.run.threads)
    except WorldError as error:
        raise ConfigError(str(error)) from None
    spec, manifest = made.spec, low_level.manifest
    theirs = [(part.name, part.size) for part in (*manifest.observation, *manifest.action)]
    fields = len(manifest.observation)
    ours = [(part.name, part.size) for part in (*spec.observation[:fields], *spec.action)]
    if theirs != ours:
        made.close()
        raise ConfigError(
            f"{config.algorithm.low_level} has the observation and action {theirs}, but "
            f"{spec.title} has {ours}; was it trained in another version of this world?"
        )
    return HeldSkills(made, low_level.policy(), config.algorithm.hold_steps)
