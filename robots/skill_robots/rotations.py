"""Rotations as matrices, unit quaternions (w first), Euler angles and rotation vectors.

Batch comes first in every shape. Euler angles are roll, pitch and yaw about the fixed axes x, y and
z: ``R = Rz(yaw) Ry(pitch) Rx(roll)``, the convention of URDF, ROS and PyBullet.
"""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array

_TINY = 1e-12


def canonical_sign(quaternion: Array) -> Array:
    """Returns the same rotations ``(n, 4)`` with w >= 0."""
    return np.where(quaternion[:, :1] < 0, -quaternion, quaternion)


def quaternion_of(rotation: Array) -> Array:
    """Returns the quaternions ``(n, 4)``, w >= 0, of matrices ``(n, 3, 3)``.

    From the largest of the four squares of a quaternion's entries, so that no division is by a
    small number (Shepperd, "Quaternion from rotation matrix", 1978).
    """
    m = rotation
    x, y, z = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    squares = np.stack([1 + x + y + z, 1 + x - y - z, 1 - x + y - z, 1 - x - y + z], axis=1)
    a, b, c = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    d, e, f = m[:, 1, 0] + m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0], m[:, 2, 1] + m[:, 1, 2]
    # Row k is four times the quaternion times its k-th entry.
    products = np.stack(
        [
            np.stack([squares[:, 0], a, b, c], axis=1),
            np.stack([a, squares[:, 1], d, e], axis=1),
            np.stack([b, d, squares[:, 2], f], axis=1),
            np.stack([c, e, f, squares[:, 3]], axis=1),
        ],
        axis=1,
    )
    best = products[np.arange(len(m)), squares.argmax(axis=1)]
    return canonical_sign(best / np.linalg.norm(best, axis=1, keepdims=True))


def matrix_of(quaternion: Array) -> Array:
    """Returns the matrices ``(n, 3, 3)`` of quaternions ``(n, 4)`` of any length but 0."""
    length = np.linalg.norm(quaternion, axis=1, keepdims=True)
    w, x, y, z = (quaternion / np.maximum(length, _TINY)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def euler_of(rotation: Array) -> Array:
    """Returns roll, pitch and yaw ``(n, 3)`` [rad] of matrices ``(n, 3, 3)``.

    Roll is 0 at a pitch of 90 degrees, where only a sum or difference of roll and yaw counts.
    """
    m = rotation
    pitch = np.arcsin(np.clip(-m[:, 2, 0], -1.0, 1.0))
    locked = np.abs(m[:, 2, 0]) > 1.0 - 1e-9
    roll = np.where(locked, 0.0, np.arctan2(m[:, 2, 1], m[:, 2, 2]))
    yaw = np.where(locked, np.arctan2(-m[:, 0, 1], m[:, 1, 1]), np.arctan2(m[:, 1, 0], m[:, 0, 0]))
    return np.stack([roll, pitch, yaw], axis=1)


def matrix_of_euler(euler: Array) -> Array:
    """Returns the matrices ``(n, 3, 3)`` of roll, pitch and yaw ``(n, 3)`` [rad]."""
    half = 0.5 * euler
    (cr, cp, cy), (sr, sp, sy) = np.cos(half).T, np.sin(half).T
    return matrix_of(
        np.stack(
            [
                cr * cp * cy + sr * sp * sy,
                sr * cp * cy - cr * sp * sy,
                cr * sp * cy + sr * cp * sy,
                cr * cp * sy - sr * sp * cy,
            ],
            axis=1,
        )
    )


def vector_of(rotation: Array) -> Array:
    """Returns the rotation vectors ``(n, 3)`` [rad], of length 0 to pi, of matrices."""
    quaternion = quaternion_of(rotation)
    length = np.linalg.norm(quaternion[:, 1:], axis=1, keepdims=True)
    angle = 2.0 * np.arctan2(length, quaternion[:, :1])
    return quaternion[:, 1:] * (angle / np.maximum(length, _TINY))


def matrix_of_vector(vector: Array) -> Array:
    """Returns the matrices ``(n, 3, 3)`` of rotation vectors ``(n, 3)`` [rad]."""
    angle = np.linalg.norm(vector, axis=1, keepdims=True)
    axis = vector / np.maximum(angle, _TINY)
    return matrix_of(np.concatenate([np.cos(angle / 2), axis * np.sin(angle / 2)], axis=1))
