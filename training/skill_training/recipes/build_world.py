"""Builds the world of a run."""

from __future__ import annotations

from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.registry import WorldConfig, make_world
from skill_robots.worlds.world import World
from skill_training.errors import ConfigError


def build_world(task: WorldConfig, n: int, *, seed: int, threads: int = 1) -> World:
    """Returns n scenes of a world.

    Raises:
        ConfigError: there is no such world, or it cannot be built.
    """
    try:
        return make_world(task, n, seed=seed, threads=threads)
    except WorldError as error:
        raise ConfigError(str(error)) from None
