"""engines."""

from __future__ import annotations

from typing import Literal

from skill_robots.tasks.skill_aware.scenes import SkillAwareScenes

Engine = Literal["bullet", "mujoco"]


class EngineMissingError(RuntimeError):
    """The physics engine asked for is not installed."""


def make_scenes(engine: Engine, n: int, threads: int = 1) -> SkillAwareScenes:
    """``n`` scenes of that engine.

    Args:
        engine: ``bullet`` is the published benchmark, ``mujoco`` its twin.
        n: Number of scenes.
        threads: Physics threads; PyBullet's scenes are stepped in turn, whatever this says.

    Raises:
        EngineMissingError: the engine is not installed; the message says what to install.
    """
    if engine == "mujoco":
        from skill_robots.tasks.skill_aware.mujoco_scenes import MujocoScenes

        return MujocoScenes(n, threads=threads)
    try:
        from skill_robots.tasks.skill_aware.bullet_scenes import BulletScenes
    except ModuleNotFoundError as error:
        raise EngineMissingError(
            f"the bullet engine needs {error.name}, which is not installed; "
            "pip install 'skill-serve[bullet]' (Python 3.11), or take the mujoco engine"
        ) from error
    return BulletScenes(n)
