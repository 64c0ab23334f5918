"""The scene: arm and objects from telemetry, the box of goals, and the disc of skills.

Clicks and drags reach it as rays of the browser's camera; they are cut with the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import mjviser
import numpy as np
import viser

from skill_proto.arrays import Array
from skill_proto.manifest import GoalSpace, PolicyManifest
from skill_proto.messages import Telemetry
from skill_robots.worlds.camera.posed_tabletop import GOAL_RGBA
from skill_runtime.subscribers.viewer import Mirror

Picked = Callable[[viser.ClientHandle, Literal["skill", "goal"], tuple[float, ...]], bool]
"""Receives what a tab has picked: a skill, or x and y of a goal [m]; returns whether it counts."""

Point: TypeAlias = tuple[float, float, float]

DISC = np.array([0.12, 0.43, 0.0])
"""Centre of the disc of skills, on the table beside the goals [m]."""

RADIUS = 0.13
"""Radius of the disc [m]."""

EYE, LOOK_AT = (1.05, 0.75, 0.8), (-0.16, 0.13, 0.1)
"""Position of a new tab's camera, and the point in the middle of its picture [m]."""

FIELD_OF_VIEW = math.radians(45)
"""Vertical angle of the camera [rad]."""

LINE_Z = 0.002
"""Height of the lines above the table, so that both do not flicker [m]."""

MARGIN = 0.2
"""A click farther outside of the box of goals than this is ignored [m]."""

DISC_RGB, KNOB_RGB = (70, 84, 110), (240, 150, 40)
GOAL_RGB = (26, 166, 77)


class Scene:
    """The scene of one server.

    Args:
        server: The page.
        manifest: The policy's manifest.
        picked: Receives clicks and drags.
    """

    def __init__(self, server: viser.ViserServer, manifest: PolicyManifest, picked: Picked) -> None:
        self._picked = picked
        self._mirror = Mirror()
        server.initial_camera.position = EYE
        server.initial_camera.look_at = LOOK_AT
        server.initial_camera.fov = FIELD_OF_VIEW
        self._arm = mjviser.ViserMujocoScene(server, self._mirror.model, num_envs=1)
        self._arm.camera_tracking_enabled = False
        server.scene.configure_environment_map(None)  # costly without a GPU, as are shadows
        server.scene.configure_default_lights(cast_shadow=False)
        self._goal = server.scene.add_cylinder(
            "/goal", 0.02, 0.002, GOAL_RGB, opacity=GOAL_RGBA[3], visible=False
        )
        self._knob = _add_disc(server, self._drag) if has_disc(manifest) else None
        self._goals = table_goal(manifest)
        if self._goals is not None:
            _add_box(server, self._goals)
        server.scene.on_click()(self._click)  # pyright: ignore[reportArgumentType]  as on_drag

    def draw(self, state: Telemetry) -> None:
        """Moves everything to the poses of a state."""
        self._mirror.follow(state)
        self._arm.update_from_mjdata(self._mirror.data)
        self._goal.visible = state.goal is not None and self._goals is not None
        if state.goal is not None and self._goals is not None:
            self._goal.position = (state.goal[0], state.goal[1], LINE_Z)
        if self._knob is not None and state.skill is not None and None not in state.skill:
            x, y = RADIUS * np.array(state.skill, float)
            self._knob.position = _point(DISC + np.array([x, y, 0.006]))

    async def _click(self, event: viser.SceneClickEvent) -> None:
        origin, direction = np.array(event.ray_origin), np.array(event.ray_direction)
        point = table_point(origin, direction)
        if point is not None:
            self._pick(event.client, point)

    def _drag(self, client: viser.ClientHandle, position: Point) -> None:
        eye = np.array(client.camera.position)
        point = table_point(eye, np.array(position) - eye)
        if point is not None:
            self._pick(client, point, on_disc=True)

    def _pick(self, client: viser.ClientHandle, point: Array, *, on_disc: bool = False) -> None:
        offset = (point - DISC[:2]) / RADIUS
        if self._knob is not None and (on_disc or np.linalg.norm(offset) < 1.1):
            length = float(np.linalg.norm(offset))
            if length > 0.05:  # too near the centre to mean a direction
                x, y = offset / length
                self._picked(client, "skill", (float(x), float(y)))
        elif self._goals is not None:
            low, high = np.array(self._goals.low[:2]), np.array(self._goals.high[:2])
            if np.all(point > low - MARGIN) and np.all(point < high + MARGIN):
                self._picked(client, "goal", (float(point[0]), float(point[1])))


def has_disc(manifest: PolicyManifest) -> bool:
    """Returns whether the skills are the directions of a plane."""
    return manifest.skill.kind == "sphere" and manifest.skill.size == 2


def table_goal(manifest: PolicyManifest) -> GoalSpace | None:
    """Returns the goals if they begin with x and y in the world frame, so that a click is one."""
    goal = manifest.goal
    is_on_table = goal is not None and goal.frame == "world" and goal.components[:2] == (0, 1)
    return goal if is_on_table else None


def table_point(origin: Array, direction: Array) -> Array | None:
    """Returns x and y where a ray hits the table [m]; None if it does not.

    Args:
        origin: Point of the ray ``(3,)``, world frame [m].
        direction: Its direction ``(3,)``, of any length.
    """
    if direction[2] >= -1e-6 or origin[2] <= 0:
        return None
    return (origin - direction * (origin[2] / direction[2]))[:2]


def _add_disc(
    server: viser.ViserServer, drag: Callable[[viser.ClientHandle, Point], None]
) -> viser.IcosphereHandle:
    disc = server.scene.add_cylinder(
        "/skills", RADIUS, 0.004, DISC_RGB, position=_point(DISC + np.array([0, 0, 0.002]))
    )
    knob = server.scene.add_icosphere("/skill", 0.015, KNOB_RGB, position=_point(DISC))
    server.scene.add_label("/skills/label", "skill", position=(0.0, RADIUS + 0.02, 0.01))

    async def on_drag(event: viser.SceneNodeDragEvent[viser.CylinderHandle]) -> None:
        drag(event.client, event.end_position)

    disc.on_drag("left")(on_drag)
    knob.on_drag("left")(on_drag)  # pyright: ignore[reportArgumentType]
    return knob


def _add_box(server: viser.ViserServer, goal: GoalSpace) -> None:
    (x0, y0), (x1, y1) = goal.low[:2], goal.high[:2]
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    ends = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
    lines = np.concatenate([ends, np.full((4, 2, 1), LINE_Z)], axis=2)
    server.scene.add_line_segments(
        "/goals", lines, GOAL_RGB, thickness=3.0, thickness_units="screen"
    )
    server.scene.add_label("/goals/label", "goals: click", position=(x1 + 0.02, y0, 0.01))


def _point(values: Array) -> Point:
    x, y, z = map(float, values)
    return x, y, z
