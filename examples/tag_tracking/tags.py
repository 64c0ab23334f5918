"""The printed tags: AprilTag 36h11, six on the cube and twelve on the calibration sheet.

AprilTag: Olson, "AprilTag: a robust and flexible visual fiducial system", ICRA 2011. The family
36h11 has 8 x 8 cells, border included; the size of a tag is that of its black border.

Corners of a tag are in OpenCV's order: top left, top right, bottom right, bottom left, as printed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from skill_proto.arrays import Array
from skill_robots.objects import CUBE_SIZE

CUBE_TAG_M = 0.034
"""Size of a tag on the cube [m]; the white margin is 3 mm, which a detector needs."""

SHEET_TAG_M, SHEET_PITCH_M = 0.045, 0.056
"""Size of a tag on the calibration sheet, and distance between two of them [m]."""

SHEET_COLUMNS, SHEET_ROWS = 3, 4
FIRST_SHEET_ID = 10
"""The sheet's tags have the numbers from here on, row by row from the top left."""

CELLS = 8
"""Cells along one side of a tag."""


@dataclass(frozen=True, kw_only=True)
class Face:
    """One face of the cube, as seen from outside. The axes are those of the cube."""

    name: str
    tag: int
    """Number of its tag."""
    normal: tuple[float, float, float]
    """Outward."""
    up: tuple[float, float, float]
    """Direction of the upper edge of the printed tag."""

    @property
    def rotation(self) -> Array:
        """``(3, 3)``: right, up and normal of the printed tag as columns, cube frame."""
        normal, up = np.array(self.normal), np.array(self.up)
        return np.column_stack([np.cross(up, normal), up, normal])


FACES = (
    Face(name="+x", tag=0, normal=(1, 0, 0), up=(0, 0, 1)),
    Face(name="+y", tag=1, normal=(0, 1, 0), up=(0, 0, 1)),
    Face(name="-x", tag=2, normal=(-1, 0, 0), up=(0, 0, 1)),
    Face(name="-y", tag=3, normal=(0, -1, 0), up=(0, 0, 1)),
    # The net of the printed page folds these two over the edges of +x.
    Face(name="+z", tag=4, normal=(0, 0, 1), up=(-1, 0, 0)),
    Face(name="-z", tag=5, normal=(0, 0, -1), up=(1, 0, 0)),
)
"""The faces of the cube; +z is the upper one."""


def square(size: float) -> Array:
    """Returns the corners ``(4, 3)`` of a square in its own frame: x right, y up, z outward."""
    return size / 2 * np.array([[-1.0, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]])


def cube_corners() -> dict[int, Array]:
    """Returns the corners ``(4, 3)`` of the cube's tags by number, cube frame [m]."""
    half = CUBE_SIZE / 2
    return {
        face.tag: square(CUBE_TAG_M) @ face.rotation.T + half * np.array(face.normal)
        for face in FACES
    }


def sheet_places() -> dict[int, tuple[float, float]]:
    """Returns the middles of the sheet's tags by number: right of and above the cross [m]."""
    return {
        FIRST_SHEET_ID + row * SHEET_COLUMNS + column: (
            (column - (SHEET_COLUMNS - 1) / 2) * SHEET_PITCH_M,
            ((SHEET_ROWS - 1) / 2 - row) * SHEET_PITCH_M,
        )
        for row in range(SHEET_ROWS)
        for column in range(SHEET_COLUMNS)
    }


def sheet_corners() -> dict[int, Array]:
    """Returns the corners ``(4, 3)`` of the sheet's tags by number, world frame [m].

    The sheet lies on the table with its cross on the world's origin. Its arrow points along +x,
    away from the arm's base, so the sheet's right is -y.
    """
    to_world = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    return {
        number: (square(SHEET_TAG_M) + np.array([right, up, 0.0])) @ to_world.T
        for number, (right, up) in sheet_places().items()
    }


def dictionary() -> cv2.aruco.Dictionary:
    """Returns the tag family."""
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)


def tag_cells(number: int) -> Array:
    """Returns the cells ``(8, 8)`` of a tag, top row first: True is black."""
    return cv2.aruco.generateImageMarker(dictionary(), number, CELLS) < 128
