"""A camera beside the table: frames of a tabletop that is simulated without its looks."""

from __future__ import annotations

from functools import partial
from typing import Any

import mujoco
import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka.model import FINGER_JOINTS
from skill_robots.motion.action import ActionConfig
from skill_robots.objects import CUBE
from skill_robots.tasks.tabletop.model import ARM_JOINTS, tabletop_model
from skill_robots.tasks.tabletop.tabletop import Tabletop
from skill_robots.worlds.camera.offscreen import Frame, Offscreen

GOAL_RGBA = (0.10, 0.65, 0.30, 0.8)
GOAL_RADIUS_M = 0.02
"""The marker of a goal on the table: colour and radius [m]."""

LOOK_AT = (-0.16, 0.0, 0.16)
DISTANCE_M, AZIMUTH_DEG, ELEVATION_DEG = 1.45, 132.0, -27.0
"""The camera: the point that it looks at, and its place in MuJoCo's spherical coordinates."""


class TabletopCamera:
    """Renders scenes of a :class:`Tabletop`.

    Args:
        width: Width of a frame [pixel].
        height: Height of a frame [pixel].

    Raises:
        WorldError: there is no OpenGL that renders in memory.
    """

    def __init__(self, width: int = 480, height: int = 360) -> None:
        base = ActionConfig.base_position
        self._model: Any = tabletop_model(0.005, base, visual=True)
        self._data: Any = mujoco.MjData(self._model)
        self._arm = [int(self._model.joint(name).qposadr[0]) for name in ARM_JOINTS]
        self._fingers = [int(self._model.joint(name).qposadr[0]) for name in FINGER_JOINTS]
        self._cube = int(self._model.joint(CUBE).qposadr[0])
        self._camera: Any = mujoco.MjvCamera()
        self._camera.lookat[:] = LOOK_AT
        self._camera.distance = DISTANCE_M
        self._camera.azimuth, self._camera.elevation = AZIMUTH_DEG, ELEVATION_DEG
        self._shape = (height, width, 3)
        self._offscreen = Offscreen(self._model, height, width, pretty=True)

    def frame(self, scene: Tabletop, row: int = 0, goal: Array | None = None) -> Frame:
        """Returns a frame of one scene.

        Args:
            scene: The scenes.
            row: The number of the scene.
            goal: ``(2,)`` position of a marker on the table [m]; None for none.
        """
        position, quaternion, _, _ = scene.cube_pose
        qpos = self._data.qpos
        qpos[self._arm] = scene.joint_position[row]
        qpos[self._fingers] = scene.gripper_width[row] / 2
        qpos[self._cube : self._cube + 3] = position[row]
        qpos[self._cube + 3 : self._cube + 7] = quaternion[row]
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        frame = np.zeros(self._shape, np.uint8)
        add = None if goal is None else partial(_add_marker, goal)
        self._offscreen.render(self._data, self._camera, frame, add)
        return frame

    def close(self) -> None:
        """Frees the OpenGL context."""
        self._offscreen.close()


def _add_marker(goal: Array, scene: mujoco.MjvScene) -> None:
    mujoco.mjv_initGeom(
        scene.geoms[scene.ngeom],
        mujoco.mjtGeom.mjGEOM_CYLINDER,
        np.array([GOAL_RADIUS_M, 0.001, 0.0]),
        np.array([goal[0], goal[1], 0.001]),
        np.eye(3).flatten(),
        np.array(GOAL_RGBA, np.float32),
    )
    scene.ngeom += 1
