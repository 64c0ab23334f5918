"""Detection of the tags in one image, with corners from lines along their edges.

A tag on the cube is some 37 pixels wide, so a corner must be known to a fraction of a pixel. OpenCV
finds the tags; each side of the black square is then fitted by a line through the points of
steepest brightness along it, and the corners are the intersections of the lines, as in AprilTag 2
(Wang and Olson, "AprilTag 2: Efficient and robust fiducial detection", IROS 2016).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from skill_proto.arrays import Array

from .tags import CELLS, dictionary

Image = NDArray[np.uint8]
"""Grey ``(height, width)`` or BGR ``(height, width, 3)``."""

POINTS = 24
"""Points along each side of a tag."""

ENDS = 0.08
"""Share of a side at each end that is left out: the blur of the corner bends the edge there."""

REACH_CELLS, REACH_PX = 0.6, (1.5, 3.0)
"""Length of the search across an edge, to each side: in cells of the tag, so that neither its inner
cells nor the end of its margin come in, and in pixels, least and largest."""

STEP_PX = 0.25
"""Step of the search [px]."""

ROUNDS = 2
"""Fits of the lines, each around the result of the one before."""

MAX_SHIFT_PX = 3.0
"""A corner that moves by more than this keeps OpenCV's place [px]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tags:
    """The tags in one image."""

    numbers: tuple[int, ...]
    corners: Array
    """``(k, 4, 2)`` [px]; OpenCV's pixel centres have whole numbers."""


class TagDetector:
    """Finds tags and refines their corners.

    Args:
        wanted: numbers of the tags to look for; others are left out.
    """

    def __init__(self, wanted: Container[int]) -> None:
        self._wanted = wanted
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_NONE
        # One wrong cell at most: the family would allow five, at the price of false tags.
        parameters.errorCorrectionRate = 0.2
        self._detector = cv2.aruco.ArucoDetector(dictionary(), parameters)

    def find(self, image: Image) -> Tags:
        """Returns the wanted tags."""
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        corners, numbers, _ = self._detector.detectMarkers(grey)
        found = [] if numbers is None else numbers.ravel().tolist()
        kept = [index for index, number in enumerate(found) if number in self._wanted]
        places = [refined(grey, corners[index][0].astype(np.float64)) for index in kept]
        return Tags(
            numbers=tuple(found[index] for index in kept),
            corners=np.array(places).reshape(-1, 4, 2),
        )


def refined(grey: Image, corners: Array) -> Array:
    """Returns the corners ``(4, 2)`` of a black square on white, from lines along its sides [px].

    Args:
        grey: the image.
        corners: first places ``(4, 2)``, clockwise in the image [px].
    """
    places = corners
    for _ in range(ROUNDS):
        lines = _lines(grey, places)
        places = _intersections(lines)
        if not (np.linalg.norm(places - corners, axis=1) <= MAX_SHIFT_PX).all():
            return corners
    return places


def _lines(grey: Image, corners: Array) -> tuple[Array, Array]:
    """Fits a line to each side: a point on it ``(4, 2)`` and its direction ``(4, 2)``."""
    ends = np.roll(corners, -1, axis=0)
    along = ends - corners
    length = np.linalg.norm(along, axis=1)
    direction = along / length[:, None]
    outward = np.column_stack([direction[:, 1], -direction[:, 0]])  # clockwise corners, y down
    across = np.abs(((np.roll(ends, -1, axis=0) - ends) * outward).sum(axis=1))
    reach = np.clip(REACH_CELLS * across / CELLS, *REACH_PX)
    offsets = np.arange(-REACH_PX[1], REACH_PX[1] + STEP_PX / 2, STEP_PX)
    share = np.linspace(ENDS, 1 - ENDS, POINTS)
    base = corners[:, None] + share[None, :, None] * along[:, None]  # (4, points, 2)
    places = base[:, :, None] + offsets[None, None, :, None] * outward[:, None, None]
    flat = places.reshape(4 * POINTS, -1, 2).astype(np.float32)
    bright = cv2.remap(
        grey, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).reshape(4, POINTS, -1)
    # From black to white outward; a fall of brightness belongs to another edge.
    slope = np.maximum(np.diff(bright.astype(np.float64), axis=2), 0.0)
    middles = (offsets[1:] + offsets[:-1]) / 2
    weight = slope**2 * (np.abs(middles) <= reach[:, None])[:, None]
    total = weight.sum(axis=2)
    shift = (weight * middles).sum(axis=2) / np.maximum(total, 1e-9)
    points = base + shift[:, :, None] * outward[:, None]
    return _through(points, np.sqrt(total))


def _through(points: Array, weights: Array) -> tuple[Array, Array]:
    """Fits lines through points ``(4, n, 2)``: total least squares, without the worst fifth."""
    for _ in range(2):
        share = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
        middle = (share[:, :, None] * points).sum(axis=1)
        away = points - middle[:, None]
        spread = np.einsum("sn,sni,snj->sij", share, away, away)
        direction = np.linalg.eigh(spread)[1][:, :, 1]
        normal = np.column_stack([-direction[:, 1], direction[:, 0]])
        error = np.abs(np.einsum("sni,si->sn", away, normal))
        weights = weights * (error <= np.quantile(error, 0.8, axis=1, keepdims=True))
    return middle, direction


def _intersections(lines: tuple[Array, Array]) -> Array:
    """Returns the corners ``(4, 2)``: each line with the one before it."""
    point, direction = lines
    before_point, before = np.roll(point, 1, axis=0), np.roll(direction, 1, axis=0)
    cross = before[:, 0] * direction[:, 1] - before[:, 1] * direction[:, 0]
    gap = point - before_point
    reach = gap[:, 0] * direction[:, 1] - gap[:, 1] * direction[:, 0]
    return before_point + (reach / np.where(np.abs(cross) < 1e-9, 1e-9, cross))[:, None] * before
