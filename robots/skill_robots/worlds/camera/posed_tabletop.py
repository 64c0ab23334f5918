"""The tabletop with its looks, in poses that come from elsewhere: telemetry, or another simulation.

Nothing here is stepped: a pose is written, and the places of all shapes follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import mujoco
import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka.model import FINGER_JOINTS
from skill_robots.motion.action import ActionConfig
from skill_robots.tasks.tabletop.model import ARM_JOINTS, tabletop_model

GOAL_RGBA = (0.10, 0.65, 0.30, 0.6)
GOAL_RADIUS_M = 0.02
"""Colour and radius [m] of the marker of a goal."""

Numbers = Sequence[float | None]
ObjectPose = tuple[Numbers, Numbers]
"""Position ``(3,)`` [m] and quaternion ``(4,)``, w first, in the world frame."""


class PosedTabletop:
    """A model of the tabletop that takes poses.

    Attributes:
        model: MuJoCo's model of the scene.
        data: its state.
    """

    def __init__(self) -> None:
        self.model: Any = tabletop_model(0.005, ActionConfig.base_position, visual=True)
        self.data: Any = mujoco.MjData(self.model)
        self._arm = [int(self.model.joint(name).qposadr[0]) for name in ARM_JOINTS]
        self._fingers = [int(self.model.joint(name).qposadr[0]) for name in FINGER_JOINTS]

    def pose(
        self,
        joint_position: Numbers,
        gripper_width: float | None,
        objects: Mapping[str, ObjectPose],
    ) -> None:
        """Places everything; a number that is None leaves its joint unchanged.

        Args:
            joint_position: ``(7,)`` [rad].
            gripper_width: Distance between the fingers [m].
            objects: Poses by name; an object that the scene has not is ignored.
        """
        self._copy(self._arm, joint_position)
        half = None if gripper_width is None else gripper_width / 2
        self._copy(self._fingers, (half, half))
        for name, (position, quaternion) in objects.items():
            if mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_JOINT, name) >= 0:
                first = int(self.model.joint(name).qposadr[0])
                self._copy(range(first, first + 7), (*position, *quaternion))
        mujoco.mj_kinematics(self.model, self.data)

    def _copy(self, indices: Iterable[int], values: Numbers) -> None:
        for index, value in zip(indices, values, strict=True):
            if value is not None:
                self.data.qpos[index] = value


def add_goal(scene: mujoco.MjvScene, goal: Sequence[float] | Array) -> None:
    """Adds the marker of a goal, a disc on the table.

    Args:
        scene: The shapes of a frame.
        goal: Its position; the first two entries are x and y [m].
    """
    mujoco.mjv_initGeom(
        scene.geoms[scene.ngeom],
        mujoco.mjtGeom.mjGEOM_CYLINDER,
        np.array([GOAL_RADIUS_M, 0.001, 0.0]),
        np.array([goal[0], goal[1], 0.001]),
        np.eye(3).flatten(),
        np.array(GOAL_RGBA, np.float32),
    )
    scene.ngeom += 1
