"""Normalisation of the observation, and inputs of phi: measured before training."""

from __future__ import annotations

from functools import lru_cache

from skill_robots.observation import scales
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.registry import WorldConfig
from skill_robots.worlds.world import WorldSpec
from skill_training.collection.statistics import WorldStatistics, measure_statistics
from skill_training.errors import ConfigError
from skill_training.nets.inputs import NetworkInputs
from skill_training.nets.representation import RepresentationConfig
from skill_training.recipes.build_world import build_world
from skill_training.recipes.discovery.lifting import without_held_starts
from skill_training.recipes.discovery.pixels import frame_scale
from skill_training.recipes.discovery.published import Normalization, published_statistics

UNACTUATED = "unactuated"
"""Input of the representation: the entries that the actions do not drive directly."""

SCENES = 8
"""Scenes of the measurement."""


def network_inputs(
    representation: RepresentationConfig,
    task: WorldConfig,
    spec: WorldSpec,
    seed: int,
    normalization: Normalization = "measured",
    *,
    named: str = "the inputs of the representation",
) -> NetworkInputs:
    """Returns the normalisation of the observation, and the entries that phi sees.

    Args:
        representation: Settings of phi.
        task: The world.
        spec: The same world.
        seed: Seed of the scenes in which the world is measured.
        normalization: Source of the statistics.
        named: Flag of the inputs of phi, for messages.

    Raises:
        ConfigError: the observation has no such entry, the actions drive all of them, or no
            statistics of this world are published. For frames: the world has no camera, or there
            is no OpenGL.
    """
    try:
        seen = _seen(representation, task, spec, seed)
    except ValueError as error:
        raise ConfigError(f"{named}: {error}") from None
    seen_offset: tuple[float, ...] | None = None
    if normalization == "published":
        offset, scale = published_statistics(task)
        seen_offset = tuple(offset[place] for place in seen)
    else:
        offset, scale = _measured(task, spec, seed)
    by_step, of_pixels = representation.input_scale == "step", representation.sees_pixels
    sizes = world_statistics(task, seed).step_std if by_step and not of_pixels else scale
    return NetworkInputs(
        scale=scale,
        offset=offset,
        seen=seen,
        seen_scale=tuple(sizes[place] for place in seen),
        seen_offset=seen_offset,
        frame=frame_scale(task, representation.pixels, seed) if by_step and of_pixels else None,
    )


def _measured(
    task: WorldConfig, spec: WorldSpec, seed: int
) -> tuple[tuple[float, ...] | None, tuple[float, ...]]:
    """Returns offset and scale of each entry.

    The magnitudes of the tabletop's entries are given (``skill_robots.observation``).
    """
    if isinstance(task, TabletopConfig):
        return None, tuple(scales(tuple(field.name for field in spec.observation)).tolist())
    statistics = world_statistics(task, seed)
    return statistics.mean, statistics.std


@lru_cache(maxsize=4)
def world_statistics(task: WorldConfig, seed: int) -> WorldStatistics:
    """Measures the statistics of a world, in scenes of its own.

    Raises:
        ConfigError: the world cannot be built.
    """
    world = build_world(without_held_starts(task), SCENES, seed=seed)
    try:
        return measure_statistics(world, seed=seed)
    finally:
        world.close()


def _seen(
    representation: RepresentationConfig, task: WorldConfig, spec: WorldSpec, seed: int
) -> tuple[int, ...]:
    """Returns the places of the entries that phi sees.

    Raises:
        ValueError: there is no such entry, or one is named twice.
    """
    if representation.sees_pixels:
        return ()
    if UNACTUATED in representation.inputs:
        if len(representation.inputs) > 1:
            given = " ".join(representation.inputs)
            raise ValueError(f"{UNACTUATED} takes no other input beside it, got {given}")
        found = world_statistics(task, seed).unactuated
        if not found:
            raise ValueError(
                f"the actions drive every entry of {spec.title} directly; give entries by name, or "
                "'*'"
            )
        return found
    seen = tuple(spec.indices(representation.inputs))
    if len(set(seen)) != len(seen):
        raise ValueError(f"{' '.join(representation.inputs)} names an entry twice; leave one out")
    return seen
