"""DesiredPose: pose and Jacobian of the end effector at a joint set-point."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from skill_proto.arrays import Array
from skill_robots.control_box.physics.scene import END_EFFECTOR_SITE


class DesiredPose:
    """Forward kinematics of the set-point, in the model of the plant but in data of its own.

    Args:
        model: model of the plant; its site EE may be moved.

    Attributes:
        transform: O_T_EE in column-major order, ``(16,)``; updated in place.
        jacobian: geometric Jacobian of EE in O, ``(6, 7)``; a view, updated in place.
        joint_position: of the last update, ``(7,)``; a view [rad].
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._data = data = mujoco.MjData(model)
        self._site = model.site(END_EFFECTOR_SITE).id
        self._base = model.body("panda_link0").pos.copy()
        self.joint_position: Array = data.qpos[:7]
        self._position = data.site_xpos[self._site]
        self._rotation = data.site_xmat[self._site].reshape(3, 3).T
        self.transform = np.zeros(16)
        self.transform[15] = 1.0
        self._axes = self.transform.reshape(4, 4)[:3, :3]
        self._origin = self.transform[12:15]
        rows = np.zeros((6, model.nv))
        self._translations, self._rotations = rows[:3], rows[3:]
        self.jacobian: Array = rows[:, :7]

    def update(self, position: Sequence[float]) -> None:
        """Computes the pose at joint positions ``(7,)`` [rad]."""
        self.joint_position[:] = position
        mujoco.mj_kinematics(self._model, self._data)
        self._axes[:] = self._rotation
        np.subtract(self._position, self._base, out=self._origin)

    def update_jacobian(self) -> None:
        """Computes the Jacobian at the position of the last :meth:`update`."""
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_jacSite(self._model, self._data, self._translations, self._rotations, self._site)
