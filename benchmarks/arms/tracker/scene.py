"""The tabletop with printed tags, rendered by MuJoCo from cameras with a real camera's flaws.

The cube has the six tags of examples/tag_tracking, and the calibration sheet may lie on the table.
An image is rendered with several samples per pixel, then blurred and given noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import mujoco
import numpy as np
from examples.tag_tracking.camera import Camera
from examples.tag_tracking.detection import Image
from examples.tag_tracking.tags import (
    CELLS,
    CUBE_TAG_M,
    FACES,
    SHEET_TAG_M,
    sheet_places,
    tag_cells,
)

from skill_proto.arrays import Array
from skill_robots.franka.model import panda_spec
from skill_robots.motion.action import ActionConfig
from skill_robots.objects import CUBE_SIZE

FOVY_DEG = 45.0
"""Vertical field of view of every camera."""

BLUR_PX, NOISE = 0.7, 3.0
"""Standard deviations of the blur [px] and of the noise, in 256 levels."""

CELL_PX = 40
"""Pixels of a tag's cell in its texture."""

PLATE_M = 0.0002
"""Thickness of the printed paper [m]."""

DISTANCE_M, HEIGHT_M = 0.65, 0.45
"""Distance of the cameras from the middle of the table, and their height [m]."""

DIRECTIONS_DEG: Mapping[str, float] = {
    "left": 90.0,
    "right": -90.0,
    "front left": 35.0,
    "back right": -120.0,
    "back left": 120.0,
}
"""Cameras around the table by their direction from its middle; 0 is +x, away from the base. Any
other name of a camera is its direction as a number."""

LOOK_AT = np.array([-0.05, 0.0, 0.0])


class NoRendererError(RuntimeError):
    """MuJoCo cannot render here; the text has the reason."""


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """Cameras and images."""

    cameras: tuple[str, ...] = ("front left", "back right")
    """Names from :data:`DIRECTIONS_DEG`."""
    size: tuple[int, int] = (1280, 720)
    """Width and height of an image [px]."""
    sheet: bool = False
    """Whether the calibration sheet lies on the table, and the cube beside it."""
    seed: int = 0
    """Seed of the noise."""


class TagScene:
    """Arm, table and a cube with tags.

    Args:
        config: cameras and images.

    Attributes:
        cameras: the exact calibration of each camera by name.

    Raises:
        NoRendererError: there is no OpenGL for rendering without a screen.
    """

    def __init__(self, config: SceneConfig | None = None) -> None:
        self._config = config = config or SceneConfig()
        self.cameras = {name: exact_camera(name, config.size) for name in config.cameras}
        self._model: Any = _model(config)
        self._data: Any = mujoco.MjData(self._model)
        self._cube = int(self._model.joint("cube").qposadr[0])
        self._noise = np.random.default_rng(config.seed)
        self._renderers: dict[tuple[int, int], Any] = {}
        self._renderer((64, 64))  # fails here if there is no OpenGL

    def place(self, joints: Array, position: Array, quaternion: Array) -> None:
        """Moves arm and cube.

        Args:
            joints: ``(7,)`` [rad].
            position: of the cube's centre, ``(3,)`` world frame [m].
            quaternion: of the cube, ``(4,)``, w first.
        """
        self._data.qpos[:7] = joints
        self._data.qpos[self._cube : self._cube + 3] = position
        self._data.qpos[self._cube + 3 : self._cube + 7] = quaternion
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)

    def image(self, camera: str) -> Image:
        """Returns a grey image of a camera."""
        width, height = self._config.size
        return self._render(camera, (0, 0), (width, height))

    def window(self, camera: str, place: Array, size: int) -> tuple[Image, Array]:
        """Renders only a square window of a camera's image, which takes far less time.

        Args:
            camera: name of the camera.
            place: world point in the middle of the window, ``(3,)`` [m].
            size: side of the window [px].

        Returns:
            The window, and the pixel ``(2,)`` of its upper left corner in the whole image.
        """
        middle = self.cameras[camera].project(place[None])[0]
        corner = np.rint(middle - size / 2).astype(int)
        return self._render(camera, (int(corner[0]), int(corner[1])), (size, size)), corner

    def _render(self, camera: str, corner: tuple[int, int], size: tuple[int, int]) -> Image:
        """Renders a part of an image, with the camera's own rays."""
        renderer = self._renderer(size)
        renderer.update_scene(self._data, camera=camera)
        matrix = self.cameras[camera].matrix
        for view in renderer.scene.camera:
            scale = view.frustum_near / matrix[0, 0]  # size of a pixel on the near plane
            left = (corner[0] - 0.5 - matrix[0, 2]) * scale
            top = -(corner[1] - 0.5 - matrix[1, 2]) * scale
            view.frustum_center = left + size[0] / 2 * scale
            view.frustum_width = size[0] / 2 * scale
            view.frustum_top, view.frustum_bottom = top, top - size[1] * scale
        grey = cv2.cvtColor(renderer.render(), cv2.COLOR_RGB2GRAY)
        blurred = cv2.GaussianBlur(grey, (0, 0), BLUR_PX)
        noise = self._noise.normal(0.0, NOISE, blurred.shape)
        return np.clip(np.rint(blurred + noise), 0, 255).astype(np.uint8)

    def _renderer(self, size: tuple[int, int]) -> Any:  # noqa: ANN401  mujoco has no types
        if size not in self._renderers:
            width, height = size
            try:
                self._renderers[size] = mujoco.Renderer(self._model, height=height, width=width)
            except Exception as error:  # the class depends on the OpenGL that MUJOCO_GL names
                raise NoRendererError(
                    f"MuJoCo cannot render: {error}. Fix: MUJOCO_GL=egl and the packages libegl1 "
                    "and libgl1-mesa-dri, or a screen"
                ) from None
        return self._renderers[size]

    def close(self) -> None:
        """Frees the renderers."""
        for renderer in self._renderers.values():
            renderer.close()


def exact_camera(name: str, size: tuple[int, int]) -> Camera:
    """Returns the calibration of a camera of :data:`DIRECTIONS_DEG` without distortion."""
    width, height = size
    focal = height / 2 / math.tan(math.radians(FOVY_DEG) / 2)
    angle = math.radians(DIRECTIONS_DEG[name] if name in DIRECTIONS_DEG else float(name))
    place = np.array([DISTANCE_M * math.cos(angle), DISTANCE_M * math.sin(angle), HEIGHT_M])
    return Camera(
        name=name,
        size=size,
        # OpenCV's pixel centres have whole numbers.
        matrix=np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]]),
        distortion=np.zeros(5),
        rotation=_looking(place),
        position=place,
    )


def _looking(place: Array) -> Array:
    """Returns the rotation from the world to a camera that looks at the table's middle."""
    forward = LOOK_AT - place
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right = right / np.linalg.norm(right)
    return np.array([right, np.cross(forward, right), forward])


def _model(config: SceneConfig) -> Any:  # noqa: ANN401  mujoco has no types
    spec: Any = panda_spec()
    spec.body("panda_link0").pos = ActionConfig().base_position
    spec.visual.global_.offwidth, spec.visual.global_.offheight = config.size
    spec.visual.quality.offsamples = 8
    spec.visual.quality.shadowsize = 1024
    spec.visual.map.znear = 0.05
    spec.visual.headlight.ambient = [0.4, 0.4, 0.4]
    spec.visual.headlight.diffuse = [0.3, 0.3, 0.3]
    world = spec.worldbody
    world.add_light(pos=[0.4, -0.9, 2.2], dir=[-0.25, 0.35, -1.0], diffuse=[0.4, 0.4, 0.4])
    world.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[-0.1, 0.0, -0.02],
        size=[0.7, 0.6, 0.02],
        rgba=[0.72, 0.66, 0.58, 1.0],
    )
    _add_cube(spec)
    if config.sheet:
        _add_sheet(spec)
    for name in config.cameras:
        camera = exact_camera(name, config.size)
        right, down, forward = camera.rotation
        world.add_camera(
            name=name,
            pos=camera.position,
            xyaxes=[*right, *(-down)],
            fovy=FOVY_DEG,
        )
        assert np.allclose(np.cross(right, down), forward)
    return spec.compile()


def _add_cube(spec: Any) -> None:  # noqa: ANN401  mujoco has no types
    half = CUBE_SIZE / 2
    cube = spec.worldbody.add_body(name="cube", pos=[0.1, 0.0, half])
    cube.add_freejoint(name="cube")
    inner = half - PLATE_M
    cube.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX, size=[inner] * 3, mass=1.0, rgba=[0.9, 0.9, 0.9, 1]
    )
    for face in FACES:
        margin = (CUBE_SIZE - CUBE_TAG_M) / 2
        name = f"face {face.name}"
        _add_texture(spec, name, _texture(face.tag, margin / (CUBE_TAG_M / CELLS)))
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, face.rotation.ravel())
        cube.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[half, half, PLATE_M / 2],
            pos=(half - PLATE_M / 2) * np.array(face.normal),
            quat=quaternion,
            material=name,
            mass=0.0,
        )


def _add_sheet(spec: Any) -> None:  # noqa: ANN401  mujoco has no types
    turn = [math.sqrt(0.5), 0.0, 0.0, -math.sqrt(0.5)]  # the sheet's right is -y
    half = SHEET_TAG_M / 2 + SHEET_TAG_M / CELLS
    for number, (right, up) in sheet_places().items():
        name = f"sheet {number}"
        _add_texture(spec, name, _texture(number, 1.0))
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[half, half, PLATE_M / 2],
            pos=[up, -right, -PLATE_M / 2 + 1e-4],
            quat=turn,
            material=name,
        )


def _texture(number: int, margin: float) -> Image:
    """Returns a tag with a white margin of so many cells, top row first."""
    tag = np.where(tag_cells(number), 20, 235).astype(np.uint8)
    large = cv2.resize(tag, None, fx=CELL_PX, fy=CELL_PX, interpolation=cv2.INTER_NEAREST)
    border = round(margin * CELL_PX)
    return np.pad(large, border, constant_values=235).astype(np.uint8)


def _add_texture(spec: Any, name: str, image: Image) -> None:  # noqa: ANN401  mujoco has no types
    colour = np.repeat(image[:, :, None], 3, axis=2)
    texture = spec.add_texture(
        name=name,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        width=colour.shape[1],
        height=colour.shape[0],
        nchannel=3,
    )
    texture.data = np.ascontiguousarray(colour).tobytes()
    material = spec.add_material(name=name, specular=0.0, shininess=0.0)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
