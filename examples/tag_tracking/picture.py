"""The images with the detected tags and the estimated cube, in a window or in a file.

The window uses GLFW, which MuJoCo installs: the OpenCV package without a graphical interface has
no window of its own, and runs on machines without a screen.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from skill_proto.arrays import Array
from skill_proto.files.atomic_file import replace_bytes
from skill_robots.objects import CUBE_SIZE

from . import TrackerError
from .camera import Camera
from .detection import Image
from .estimator import Estimate, Sighting

WIDTH_PX = 640
"""Width of one camera's part of the picture."""

GREEN, BLUE, WHITE = (90, 200, 60), (230, 140, 30), (255, 255, 255)
"""Colours, BGR: tags, cube, text."""


def annotated(
    image: Image, camera: Camera, sighting: Sighting | None, estimate: Estimate | None
) -> Image:
    """Returns a picture ``(h, 640, 3)`` BGR: outlines of the tags, edges and axes of the cube."""
    scale = WIDTH_PX / image.shape[1]
    size = (WIDTH_PX, round(scale * image.shape[0]))
    colour = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    picture = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
    if sighting is not None:
        for number, corners in zip(sighting.tags.numbers, sighting.tags.corners, strict=True):
            _outline(picture, scale * corners, GREEN)
            _write(picture, str(number), scale * corners.mean(axis=0), GREEN)
    if estimate is not None:
        _draw_cube(picture, camera, estimate, scale)
    _write(picture, camera.name, np.array([8.0, 20.0]), WHITE)
    return picture


def side_by_side(pictures: list[Image]) -> Image:
    """Returns the pictures in one row, filled up to the same height."""
    height = max(picture.shape[0] for picture in pictures)
    filled = [
        cv2.copyMakeBorder(p, 0, height - p.shape[0], 0, 0, cv2.BORDER_CONSTANT) for p in pictures
    ]
    return np.hstack(filled)


def _draw_cube(picture: Image, camera: Camera, estimate: Estimate, scale: float) -> None:
    half = CUBE_SIZE / 2
    square = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) * half
    for height in (-half, half):
        level = np.column_stack([square, np.full(4, height)])
        _outline(picture, scale * _projected(camera, estimate, level), BLUE)
    posts = np.array([[[x, y, -half], [x, y, half]] for x, y in square])
    for post in posts:
        _outline(picture, scale * _projected(camera, estimate, post), BLUE)
    axes = np.array([[0.0, 0, half], [2 * half, 0, half], [0, 2 * half, half]])
    points = scale * _projected(camera, estimate, axes)
    for end, name in ((1, "x"), (2, "y")):
        _outline(picture, points[[0, end]], WHITE)
        _write(picture, name, points[end], WHITE)


def _projected(camera: Camera, estimate: Estimate, points: Array) -> Array:
    return camera.project(points @ estimate.rotation.T + estimate.position)


def _outline(picture: Image, points: Array, colour: tuple[int, int, int]) -> None:
    places = np.rint(points).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(picture, [places], isClosed=True, color=colour, thickness=1, lineType=cv2.LINE_AA)


def _write(picture: Image, text: str, place: Array, colour: tuple[int, int, int]) -> None:
    x, y = np.rint(place).astype(int).tolist()
    style = {"fontFace": cv2.FONT_HERSHEY_SIMPLEX, "fontScale": 0.45, "lineType": cv2.LINE_AA}
    cv2.putText(picture, text, (x, y), color=(0, 0, 0), thickness=3, **style)
    cv2.putText(picture, text, (x, y), color=colour, thickness=1, **style)


def write_picture(path: Path, picture: Image) -> None:
    """Writes a picture; a reader never finds half of one.

    Raises:
        TrackerError: the file cannot be written.
    """
    try:
        done, encoded = cv2.imencode(path.suffix or ".png", picture)
    except cv2.error:
        done, encoded = False, None
    if not done:
        raise TrackerError(f"{path.name!r} has no format for pictures. Fix: name it .png or .jpg")
    try:
        replace_bytes(path, encoded.tobytes())
    except OSError as error:
        raise TrackerError(f"cannot write {path}: {error}") from None


class Window:
    """A window that shows pictures.

    Raises:
        TrackerError: there is no screen.
    """

    def __init__(self) -> None:
        if sys.platform == "linux" and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        ):
            raise TrackerError(
                "--show: there is no screen (neither DISPLAY nor WAYLAND_DISPLAY is set). "
                "Fix: --picture FILE.png"
            )
        import glfw
        from OpenGL import GL

        self._glfw, self._gl = glfw, GL
        self._window: Any = None

    def show(self, picture: Image) -> None:
        """Shows a picture; the first one opens the window."""
        glfw, gl = self._glfw, self._gl
        height, width = picture.shape[:2]
        if self._window is None:
            glfw.init()
            glfw.window_hint(glfw.RESIZABLE, glfw.FALSE)
            self._window = glfw.create_window(width, height, "tag tracker", None, None)
            if not self._window:
                raise TrackerError("--show: no window can be opened. Fix: --picture FILE.png")
            glfw.make_context_current(self._window)
        gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
        gl.glRasterPos2f(-1.0, -1.0)
        rows = np.ascontiguousarray(picture[::-1])
        gl.glDrawPixels(width, height, gl.GL_BGR, gl.GL_UNSIGNED_BYTE, rows)
        glfw.swap_buffers(self._window)
        glfw.poll_events()

    @property
    def is_closed(self) -> bool:
        """Whether the user has closed the window."""
        return self._window is not None and bool(self._glfw.window_should_close(self._window))

    def close(self) -> None:
        """Closes the window."""
        if self._window is not None:
            self._glfw.terminate()
            self._window = None
