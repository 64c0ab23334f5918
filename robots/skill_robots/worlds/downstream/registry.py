"""Makes the world of a downstream task."""

from __future__ import annotations

from skill_robots.worlds.downstream.config import GoalsConfig, TaskConfig
from skill_robots.worlds.downstream.goals import GoalsWorld
from skill_robots.worlds.downstream.hurdles import HurdlesWorld
from skill_robots.worlds.downstream.task_world import TaskWorld
from skill_robots.worlds.mujoco_world import BodyConfig
from skill_robots.worlds.registry import WorldConfig, make_world


def make_task_world(
    config: TaskConfig, world: WorldConfig, n: int, *, seed: int = 0, threads: int = 1
) -> TaskWorld:
    """Returns n scenes of a task.

    Args:
        config: The task.
        world: The world in which its skills were learned.
        n: Number of scenes.
        seed: Seed of all random draws.
        threads: Physics threads, for worlds that have them.

    Raises:
        WorldError: the world cannot be built, or can have no such task.
    """
    if isinstance(config, GoalsConfig):
        made = make_world(world, n, seed=seed, threads=threads)
        try:
            return GoalsWorld(made, config, seed=seed)
        except BaseException:
            made.close()
            raise
    integrator = world.integrator if isinstance(world, BodyConfig) else "euler"
    return HurdlesWorld(config, n, integrator=integrator, seed=seed, threads=threads)
