"""The physics engines of the skill-aware benchmark."""

from __future__ import annotations

from skill_robots.tasks.engine import Engine, bullet_import
from skill_robots.tasks.skill_aware.scenes import FRICTION_LIMIT, SkillAwareScenes

SATURATION_LABEL: dict[Engine, float] = {"bullet": 20.0, "mujoco": 2.0 * FRICTION_LIMIT}
"""Friction label from which a higher one does not change the cube-table friction.

Bullet limits the product of both coefficients to 10 (``MAX_FRICTION`` in btManifoldResult.cpp), and
the cube's is 0.5. The MuJoCo twin limits the effective coefficient to ``FRICTION_LIMIT``.
"""


def equal_friction_labels(label: float, engine: Engine) -> tuple[float, float]:
    """Returns the closed interval of labels with the same cube-table friction as ``label``."""
    saturation = SATURATION_LABEL[engine]
    return (label, label) if label < saturation else (saturation, float("inf"))


def make_scenes(engine: Engine, n: int, threads: int = 1) -> SkillAwareScenes:
    """Makes ``n`` scenes of one engine.

    Args:
        engine: ``bullet`` is the published benchmark, ``mujoco`` its twin.
        n: number of scenes.
        threads: physics threads of MuJoCo; PyBullet steps its scenes in sequence.

    Raises:
        EngineMissingError: the engine is not installed; the message names the package.
    """
    if engine == "mujoco":
        from skill_robots.tasks.skill_aware.mujoco_scenes import MujocoScenes

        return MujocoScenes(n, threads=threads)
    with bullet_import():
        from skill_robots.tasks.skill_aware.bullet_scenes import BulletScenes
    return BulletScenes(n)
