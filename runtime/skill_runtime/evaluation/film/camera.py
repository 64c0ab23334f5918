"""A camera beside the table: frames of a tabletop that is simulated without its looks."""

from __future__ import annotations

from functools import partial
from typing import Any

import mujoco
import numpy as np

from skill_proto.arrays import Array
from skill_robots.objects import CUBE
from skill_robots.tasks.tabletop.tabletop import Tabletop
from skill_robots.worlds.camera.offscreen import Frame, Offscreen
from skill_robots.worlds.camera.posed_tabletop import PosedTabletop, add_goal

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
        self._scene = PosedTabletop()
        self._camera: Any = mujoco.MjvCamera()
        self._camera.lookat[:] = LOOK_AT
        self._camera.distance = DISTANCE_M
        self._camera.azimuth, self._camera.elevation = AZIMUTH_DEG, ELEVATION_DEG
        self._shape = (height, width, 3)
        self._offscreen = Offscreen(self._scene.model, height, width, pretty=True)

    def frame(self, scene: Tabletop, row: int = 0, goal: Array | None = None) -> Frame:
        """Returns a frame of one scene.

        Args:
            scene: The scenes.
            row: The number of the scene.
            goal: ``(2,)`` position of a marker on the table [m]; None: no marker.
        """
        position, quaternion, _, _ = scene.cube_pose
        pose = position[row], quaternion[row]
        self._scene.pose(scene.joint_position[row], scene.gripper_width[row], {CUBE: pose})
        model, data = self._scene.model, self._scene.data
        mujoco.mj_camlight(model, data)
        frame = np.zeros(self._shape, np.uint8)
        add = None if goal is None else partial(add_goal, goal=goal)
        self._offscreen.render(data, self._camera, frame, add)
        return frame

    def close(self) -> None:
        """Frees the OpenGL context."""
        self._offscreen.close()
