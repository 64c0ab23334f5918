"""Images of printed tags without OpenGL: each pixel's ray meets the plane of a tag.

The camera may have lens distortion. Every pixel has several rays; an occluder is a grey quad.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from examples.tag_tracking.camera import Camera
from examples.tag_tracking.detection import Image
from examples.tag_tracking.tags import (
    CELLS,
    CUBE_TAG_M,
    FACES,
    sheet_corners,
    square,
    tag_cells,
)

from skill_proto.arrays import Array
from skill_robots.objects import CUBE_SIZE

RAYS = 4
"""Rays along each side of a pixel."""

CELL_PX = 16
BLACK, WHITE, TABLE, HAND = 20, 235, 150, 90
"""Grey levels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Quad:
    """A square of paper, or an occluder."""

    corners: Array
    """``(4, 3)`` top left, top right, bottom right, bottom left, world frame [m]."""
    texture: Image


def cube_quads(position: Array, rotation: Array) -> list[Quad]:
    """Returns the six faces of the cube."""
    quads: list[Quad] = []
    for face in FACES:
        corners = square(CUBE_SIZE) @ face.rotation.T + CUBE_SIZE / 2 * np.array(face.normal)
        margin = (CUBE_SIZE / CUBE_TAG_M - 1) * CELLS / 2
        quads.append(
            Quad(corners=corners @ rotation.T + position, texture=_paper(face.tag, margin))
        )
    return quads


def sheet_quads(rotation: Array | None = None, position: Array | None = None) -> list[Quad]:
    """Returns the tags of the calibration sheet, moved from its place on the table."""
    turn = np.eye(3) if rotation is None else rotation
    shift = np.zeros(3) if position is None else position
    margin = 1.0
    quads: list[Quad] = []
    for number, corners in sheet_corners().items():
        middle = corners.mean(axis=0)
        large = middle + (corners - middle) * (1 + 2 * margin / CELLS)
        quads.append(Quad(corners=large @ turn.T + shift, texture=_paper(number, margin)))
    return quads


def occluder(corners: Array) -> Quad:
    """Returns a grey quad, such as the hand."""
    return Quad(corners=corners, texture=np.full((4, 4), HAND, np.uint8))


def picture(
    camera: Camera, quads: Iterable[Quad], *, noise: float = 2.0, blur: float = 0.6, seed: int = 0
) -> Image:
    """Renders the quads that face the camera, far ones first."""
    width, height = camera.size
    image = np.full((height, width), float(TABLE))
    facing = [quad for quad in quads if _faces(camera, quad)]
    for quad in sorted(facing, key=lambda quad: -_distance(camera, quad)):
        _paint(image, camera, quad)
    image = cv2.GaussianBlur(image, (0, 0), blur)
    image += np.random.default_rng(seed).normal(0.0, noise, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _paper(number: int, margin: float) -> Image:
    tag = np.where(tag_cells(number), BLACK, WHITE).astype(np.uint8)
    large = cv2.resize(tag, None, fx=CELL_PX, fy=CELL_PX, interpolation=cv2.INTER_NEAREST)
    size = round((CELLS + 2 * margin) * CELL_PX)
    border = (size - CELLS * CELL_PX) // 2
    return cv2.copyMakeBorder(large, *[border] * 4, cv2.BORDER_CONSTANT, value=WHITE)


def _distance(camera: Camera, quad: Quad) -> float:
    return float(np.linalg.norm(quad.corners.mean(axis=0) - camera.position))


def _faces(camera: Camera, quad: Quad) -> bool:
    right, up = quad.corners[1] - quad.corners[0], quad.corners[0] - quad.corners[3]
    return float(np.cross(right, up) @ (camera.position - quad.corners[0])) > 0


def _paint(image: Array, camera: Camera, quad: Quad) -> None:
    """Mixes the quad into the image by the share of each pixel's rays that meet it."""
    height, width = image.shape
    places = camera.project(quad.corners)
    low = np.maximum(np.floor(places.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(places.max(axis=0)).astype(int) + 2, [width, height])
    if (low >= high).any():
        return
    offsets = (np.arange(RAYS) + 0.5) / RAYS - 0.5
    x = (np.arange(low[0], high[0])[:, None] + offsets).ravel()
    y = (np.arange(low[1], high[1])[:, None] + offsets).ravel()
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    across, down = _meets(camera, quad, grid)
    inside = (across >= 0) & (across < 1) & (down >= 0) & (down < 1)
    rows, columns = quad.texture.shape
    row = np.clip((down * rows).astype(int), 0, rows - 1)
    column = np.clip((across * columns).astype(int), 0, columns - 1)
    shape = (high[1] - low[1], RAYS, high[0] - low[0], RAYS)
    value = np.where(inside, quad.texture[row, column].astype(float), 0.0)
    colour = value.reshape(shape).mean(axis=(1, 3))
    covered = inside.reshape(shape).mean(axis=(1, 3))
    part = image[low[1] : high[1], low[0] : high[0]]
    part[:] = (1 - covered) * part + colour


def _meets(camera: Camera, quad: Quad, pixels: Array) -> tuple[Array, Array]:
    """Returns the places of the rays on the quad, 0 to 1 from its left and from its top."""
    straight = camera.undistort(pixels)
    homogeneous = np.column_stack([straight, np.ones(len(straight))])
    rays = homogeneous @ np.linalg.inv(camera.matrix).T @ camera.rotation
    origin = quad.corners[0]
    right, down = quad.corners[1] - origin, quad.corners[3] - origin
    normal = np.cross(right, down)
    reach = ((origin - camera.position) @ normal) / (rays @ normal)
    points = camera.position + reach[:, None] * rays - origin
    return points @ right / (right @ right), points @ down / (down @ down)
