"""PyBullet as panda-gym uses it: one physics server, to which panda-gym's robot and tasks add."""

from __future__ import annotations

import functools
from typing import Any

import pybullet
import pybullet_data
from panda_gym.pybullet import PyBullet


class _Client:
    """The functions and constants of pybullet, bound to a separate physics server."""

    def __init__(self) -> None:
        self.number: int = pybullet.connect(pybullet.DIRECT)

    def __getattr__(self, name: str) -> object:
        attribute = getattr(pybullet, name)
        if callable(attribute):
            return functools.partial(attribute, physicsClientId=self.number)
        return attribute


class BulletSimulation(PyBullet):
    """panda-gym's simulation, without the connect options that Bullet prints to the console.

    Args:
        physics_step_s: Length of a physics step [s].
        substeps: Physics steps of one ``step()`` of panda-gym.
    """

    def __init__(self, physics_step_s: float, substeps: int) -> None:
        self.render_mode = "rgb_array"
        self.physics_client = _Client()
        self.n_substeps = substeps
        self.timestep = physics_step_s
        client = self.client
        pybullet.setTimeStep(physics_step_s, physicsClientId=client)
        pybullet.setAdditionalSearchPath(pybullet_data.getDataPath(), physicsClientId=client)
        pybullet.setGravity(0.0, 0.0, -9.81, physicsClientId=client)
        self._bodies_idx: dict[str, int] = {}

    def loadURDF(self, body_name: str, **kwargs: Any) -> None:  # noqa: ANN401, N802  panda-gym's
        """Loads a body without its visual shapes, which take most of the time and memory."""
        super().loadURDF(body_name, flags=pybullet.URDF_IGNORE_VISUAL_SHAPES, **kwargs)

    @property
    def client(self) -> int:
        """Bullet's number of the physics server."""
        return self.physics_client.number

    def body(self, name: str) -> int:
        """Returns Bullet's number of the body of that name."""
        return self._bodies_idx[name]
