"""Frames of the scenes of a world.

The camera has a model of its own, with colours and lights that the physics does not need. It copies
the joint positions of a scene, so that rendering changes no scene.
"""

from __future__ import annotations

from typing import Protocol

import mujoco
import numpy as np

from skill_proto.arrays import Array, Ids
from skill_robots.tasks.tabletop.engines.mujoco_physics import MujocoPhysics
from skill_robots.tasks.tabletop.model import tabletop_model
from skill_robots.worlds.bodies import Body
from skill_robots.worlds.camera.floor import with_coloured_floor
from skill_robots.worlds.camera.offscreen import Frame, Offscreen
from skill_robots.worlds.camera.views import ABOVE, CUBE, KITCHEN, OVERHEAD, SIDE, View
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.mujoco_world import MujocoWorld, mjcf_path
from skill_robots.worlds.packaged.mjcf import packaged_spec
from skill_robots.worlds.packaged.table import PackagedBody
from skill_robots.worlds.tabletop_world import TabletopWorld
from skill_robots.worlds.varied.world import VariedWorld
from skill_robots.worlds.world import World


class Scenes(Protocol):
    """Scenes whose joint positions are known."""

    n: int

    def positions(self) -> Array:
        """Returns ``qpos`` ``(n, nq)``."""
        ...


class Camera:
    """One camera for all scenes of a world.

    Args:
        scenes: The scenes.
        model: A model with their joints, to be rendered.
        view: Where the camera is.
        plane: Places in ``qpos`` of the coordinates that a following camera follows.
        size: Height and width of a frame [pixel].

    Raises:
        WorldError: There is no OpenGL that renders in memory.
    """

    def __init__(
        self,
        scenes: Scenes,
        model: mujoco.MjModel,
        view: View,
        *,
        plane: tuple[int, ...] = (),
        size: int,
    ) -> None:
        self._scenes = scenes
        self._view = view
        self._plane = list(plane)
        self.size = size
        if view.bodies:
            _hide_others(model, view.bodies)
        self._model, self._data = model, mujoco.MjData(model)
        self._camera = mujoco.MjvCamera()
        self._camera.distance = view.distance_m
        self._camera.azimuth, self._camera.elevation = view.azimuth_deg, view.elevation_deg
        self._offscreen = Offscreen(model, size, size)

    def frames(self, ids: Ids | None = None) -> Frame:
        """Renders the scenes ``ids`` (all by default); returns ``(k, size, size, 3)``."""
        positions = self._scenes.positions()
        chosen = positions if ids is None else positions[ids]
        frames = np.empty((len(chosen), self.size, self.size, 3), dtype=np.uint8)
        for qpos, frame in zip(chosen, frames, strict=True):
            self._look_at(qpos)
            self._offscreen.render(self._data, self._camera, frame)
        return frames

    def close(self) -> None:
        """Frees the OpenGL context. Further calls have no effect."""
        self._offscreen.close()

    def _look_at(self, qpos: Array) -> None:
        model, data = self._model, self._data
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)
        point = np.array(self._view.lookat_m)
        if self._view.follows:
            point[: len(self._plane)] += qpos[self._plane]
        self._camera.lookat[:] = point


def make_camera(world: World, *, view: str = "", size: int = 64) -> Camera:
    """Returns a camera of a world.

    Args:
        world: The scenes.
        view: Name of the camera; '' for the first of the world.
        size: Height and width of a frame [pixel].

    Raises:
        WorldError: The world has no camera, or none of that name, or there is no OpenGL.
    """
    scenes = world.bodies if isinstance(world, VariedWorld) else world
    if isinstance(scenes, MujocoWorld):
        body = scenes.body
        chosen = _find(body_views(body), view, world)
        return Camera(scenes, _coloured_model(body), chosen, plane=body.plane, size=size)
    if isinstance(world, TabletopWorld) and isinstance(world.tabletop.physics, MujocoPhysics):
        chosen = _find((OVERHEAD, CUBE), view, world)
        tabletop = world.tabletop
        base, step_s = tabletop.actions.base_position, tabletop.config.physics_step_s
        model = tabletop_model(step_s, base, visual=True)
        return Camera(world.tabletop.physics, model, chosen, size=size)
    raise WorldError(
        f"{world.spec.title} has no camera; the worlds with cameras are the tabletop on MuJoCo and "
        "the bodies, such as half_cheetah"
    )


def body_views(body: Body) -> tuple[View, ...]:
    """Returns the cameras of a body."""
    if not body.plane:
        return (KITCHEN,)
    return (SIDE, ABOVE) if len(body.plane) == 1 else (ABOVE, SIDE)


def _find(views: tuple[View, ...], name: str, world: World) -> View:
    if not name:
        return views[0]
    for view in views:
        if view.name == name:
            return view
    names = ", ".join(view.name for view in views)
    raise WorldError(f"{world.spec.title} has no camera {name!r}; choose one of {names}")


def _coloured_model(body: Body) -> mujoco.MjModel:
    """Returns the model of a body on a floor whose colour depends on the place.

    A scene without coordinates keeps its own floor.
    """
    if isinstance(body, PackagedBody):
        spec = packaged_spec(body)
    else:
        spec = mujoco.MjSpec.from_file(str(mjcf_path(body)))
        spec.compiler.settotalmass = -1.0  # masses are not seen, and MuJoCo 4 warns of it
    if not body.plane:
        return spec.compile()
    dimensions = len(body.plane)
    return with_coloured_floor(spec, half_side_m=body.goal_range_m, dimensions=dimensions)


def _hide_others(model: mujoco.MjModel, bodies: tuple[str, ...]) -> None:
    """Makes the shapes of all other bodies but the world invisible."""
    shown = [0, *(model.body(name).id for name in bodies)]
    hidden = ~np.isin(model.geom_bodyid, shown)
    model.geom_matid[hidden] = -1
    model.geom_rgba[hidden, 3] = 0.0
