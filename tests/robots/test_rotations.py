"""Rotations: hand-computed quarter turns, and round trips over random rotations."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.rotations import (
    canonical_sign,
    euler_of,
    matrix_of,
    matrix_of_euler,
    matrix_of_vector,
    quaternion_of,
    vector_of,
)

HALF = np.sqrt(0.5)


def random_quaternions(n: int) -> Array:
    drawn = np.random.default_rng(0).normal(size=(n, 4))
    return canonical_sign(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("euler", "quaternion", "moved_x"),
    [
        ((0, 0, 0), (1, 0, 0, 0), (1, 0, 0)),
        ((0, 0, np.pi / 2), (HALF, 0, 0, HALF), (0, 1, 0)),
        ((0, np.pi / 4, 0), (np.cos(np.pi / 8), 0, np.sin(np.pi / 8), 0), (HALF, 0, -HALF)),
        ((np.pi / 2, 0, 0), (HALF, HALF, 0, 0), (1, 0, 0)),
        # Roll first, then yaw, both about fixed axes.
        ((np.pi / 2, 0, np.pi / 2), (0.5, 0.5, 0.5, 0.5), (0, 1, 0)),
    ],
)
def test_quarter_turns(euler: Array, quaternion: Array, moved_x: Array) -> None:
    rotation = matrix_of_euler(np.array([euler], float))
    np.testing.assert_allclose(rotation[0, :, 0], moved_x, atol=1e-12)
    np.testing.assert_allclose(quaternion_of(rotation)[0], quaternion, atol=1e-12)
    np.testing.assert_allclose(euler_of(rotation)[0], euler, atol=1e-9)


def test_round_trips() -> None:
    quaternions = random_quaternions(500)
    rotations = matrix_of(quaternions)
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (500, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(quaternion_of(rotations), quaternions, atol=1e-12)
    np.testing.assert_allclose(matrix_of_euler(euler_of(rotations)), rotations, atol=1e-9)
    np.testing.assert_allclose(matrix_of_vector(vector_of(rotations)), rotations, atol=1e-9)
    assert (np.linalg.norm(vector_of(rotations), axis=1) <= np.pi + 1e-9).all()


def test_a_half_turn_and_no_turn_have_vectors() -> None:
    down = np.diag([1.0, -1.0, -1.0])[None]
    np.testing.assert_allclose(np.abs(vector_of(down)[0]), [np.pi, 0, 0], atol=1e-9)
    np.testing.assert_allclose(vector_of(np.eye(3)[None])[0], 0.0, atol=1e-12)
    np.testing.assert_allclose(matrix_of(np.array([[0.0, 2.0, 0.0, 0.0]])), down, atol=1e-12)


@pytest.mark.parametrize("pitch", [-np.pi / 2, np.pi / 2])
def test_euler_angles_at_a_pitch_of_90_degrees_give_the_same_rotation(pitch: float) -> None:
    rotation = matrix_of_euler(np.array([[0.4, pitch, -0.3]]))
    found = euler_of(rotation)
    assert found[0, 0] == 0.0
    np.testing.assert_allclose(matrix_of_euler(found), rotation, atol=1e-6)
