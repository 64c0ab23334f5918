"""Scenes with a second cube on the table, which no policy of ours observes."""

from __future__ import annotations

import mujoco
import numpy as np

from skill_proto.arrays import Array, Ids
from skill_robots.objects import CUBE_SIZE
from skill_robots.tasks.skill_aware.mujoco_model import grasp_spec
from skill_robots.tasks.skill_aware.mujoco_scenes import MujocoScenes
from skill_robots.tasks.skill_aware.scenes import CUBE_REST_HEIGHT_M, Starts
from skill_robots.tasks.tabletop.engines.mujoco_physics import MujocoPhysics
from skill_robots.tasks.tabletop.model import tabletop_spec

SECOND = "second_cube"
"""Name of body, joint and geom."""

MASS_KG = 1.0
FRICTION = 0.4
"""Of the second cube with everything that it touches; inside the range of every policy."""

DISTANCE_M = (0.06, 0.10)
"""From the first cube's centre, in a random direction. The cubes do not touch at the start, and the
hand or the first cube soon meets the second one."""

TOUCHED = ("table", "cube", "palm", "left_finger", "right_finger")


def add_second_cube(spec: mujoco.MjSpec) -> mujoco.MjSpec:
    """Adds a cube to a scene with the geoms :data:`TOUCHED`; returns the same scene."""
    half = CUBE_SIZE / 2
    body = spec.worldbody.add_body(name=SECOND, pos=[0.2, 0.0, half])
    body.add_freejoint(name=SECOND)
    body.add_geom(
        name=SECOND,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[half, half, half],
        mass=MASS_KG,
        contype=0,
        conaffinity=0,
    )
    for other in TOUCHED:
        spec.add_pair(
            name=f"{other}_{SECOND}",
            geomname1=other,
            geomname2=SECOND,
            condim=3,
            friction=[FRICTION, FRICTION, 0.005, 0.0001, 0.0001],
        )
    return spec


class CrowdedPhysics(MujocoPhysics):
    """The tabletop with a second cube, which each reset puts near the first one.

    Args:
        n: number of scenes.
        physics_step_s: physics step [s].
        base: position of the arm's base in the world frame [m].
        seed: of the places of the second cube.
    """

    def __init__(
        self, n: int, physics_step_s: float, base: tuple[float, float, float], seed: int
    ) -> None:
        model = add_second_cube(tabletop_spec(physics_step_s, base)).compile()
        super().__init__(n, physics_step_s, base, scene=model)
        self._random = np.random.default_rng([seed, 17])
        self._second = int(model.joint(SECOND).qposadr[0])

    def reset(
        self,
        ids: Ids,
        joints: Array,
        cube: Array,
        yaw: Array,
        height: Array | None = None,
        gripper_width: Array | None = None,
    ) -> None:
        """Puts arms and cubes at rest; see ``TabletopPhysics``."""
        super().reset(ids, joints, cube, yaw, height, gripper_width)
        q = self._second
        self.positions()[ids, q : q + 2] = cube + random_offsets(self._random, len(ids))


class CrowdedScenes(MujocoScenes):
    """The skill-aware benchmark with a second cube.

    Args:
        n: number of scenes.
        seed: of the places of the second cube.
    """

    def __init__(self, n: int, seed: int) -> None:
        self._random = np.random.default_rng([seed, 17])
        model = add_second_cube(grasp_spec()).compile()
        self._second = int(model.joint(SECOND).qposadr[0])
        super().__init__(n, scene=model)

    def reset(self, starts: Starts, friction: Array, mass: Array) -> None:
        """Starts an episode in every scene; see ``SkillAwareScenes``."""
        super().reset(starts, friction, mass)
        q, positions = self._second, self.batch.bind("qpos")
        positions[:, q : q + 2] = starts.cube + random_offsets(self._random, self.n)
        positions[:, q + 2] = CUBE_REST_HEIGHT_M
        self.batch.forward()


def random_offsets(random: np.random.Generator, n: int) -> Array:
    """Returns ``(n, 2)`` offsets of the second cube from the first one [m]."""
    angle, distance = random.uniform(-np.pi, np.pi, n), random.uniform(*DISTANCE_M, n)
    return distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
