"""Camera: a calibrated pinhole camera at a known place, with OpenCV's lens distortion.

The camera frame is OpenCV's: x right, y down, z along the optical axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from skill_proto.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Camera:
    """One camera."""

    name: str
    size: tuple[int, int]
    """Width and height of its images [px]."""
    matrix: Array
    """``(3, 3)`` intrinsic matrix [px]."""
    distortion: Array
    """Coefficients in OpenCV's order: k1, k2, p1, p2, k3, ..."""
    rotation: Array
    """``(3, 3)`` from the world to the camera."""
    position: Array
    """``(3,)`` of the camera in the world [m]."""

    @cached_property
    def projection(self) -> Array:
        """``(3, 4)`` projection of world points to homogeneous pixels without distortion."""
        translation = -self.rotation @ self.position
        return self.matrix @ np.column_stack([self.rotation, translation])

    def undistort(self, pixels: Array) -> Array:
        """Returns the pixels ``(n, 2)`` of the same rays in a camera without distortion."""
        points = np.ascontiguousarray(pixels, np.float64).reshape(-1, 1, 2)
        return cv2.undistortPoints(points, self.matrix, self.distortion, P=self.matrix)[:, 0]

    def project(self, points: Array) -> Array:
        """Returns the pixels ``(n, 2)`` of world points ``(n, 3)``, with distortion."""
        vector, _ = cv2.Rodrigues(self.rotation)
        translation = -self.rotation @ self.position
        pixels, _ = cv2.projectPoints(
            np.ascontiguousarray(points, np.float64),
            vector,
            translation,
            self.matrix,
            self.distortion,
        )
        return pixels[:, 0]


def quaternion_of(rotation: Array) -> Array:
    """Returns the quaternion ``(4,)`` of a rotation ``(3, 3)``, w first, w >= 0."""
    vector = cv2.Rodrigues(rotation)[0].ravel()
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.array([1.0, 0.0, 0.0, 0.0])
    return np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * vector / angle])


def angle_of(rotation: Array) -> float:
    """Returns the angle of a rotation ``(3, 3)``, 0 to pi [rad]."""
    return float(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1.0, 1.0)))


def rotation_from(quaternion: Array) -> Array:
    """Returns the rotation ``(3, 3)`` of a quaternion ``(4,)``, w first, of any length but 0."""
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
