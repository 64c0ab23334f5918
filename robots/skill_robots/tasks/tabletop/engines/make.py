"""Makes the scenes of the tabletop on one physics engine."""

from __future__ import annotations

from skill_robots.tasks.engine import Engine, bullet_import
from skill_robots.tasks.tabletop.engines.physics import TabletopPhysics


def make_physics(
    engine: Engine,
    n: int,
    physics_step_s: float,
    base: tuple[float, float, float],
    threads: int = 1,
) -> TabletopPhysics:
    """Returns ``n`` scenes.

    Args:
        engine: ``mujoco``, the engine of training, or ``bullet``.
        n: number of scenes.
        physics_step_s: physics step of MuJoCo, and the servo period of both [s].
        base: position of the arm's base in the world frame [m].
        threads: physics threads of MuJoCo; PyBullet steps its scenes in sequence.

    Raises:
        EngineMissingError: the engine is not installed; the text names the package.
    """
    if engine == "mujoco":
        from skill_robots.tasks.tabletop.engines.mujoco_physics import MujocoPhysics

        return MujocoPhysics(n, physics_step_s, base, threads)
    with bullet_import():
        from skill_robots.tasks.tabletop.engines.bullet_physics import BulletPhysics
    return BulletPhysics(n, physics_step_s, base)
