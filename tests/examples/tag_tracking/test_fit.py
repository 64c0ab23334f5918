"""The fit recovers exact motions from exact corners."""

from __future__ import annotations

import numpy as np
import pytest
from examples.tag_tracking.camera import Camera
from examples.tag_tracking.estimator import RESTING
from examples.tag_tracking.fit import (
    ANYWHERE,
    ON_TABLE,
    Corners,
    Motion,
    guess_on_table,
    refine,
    residual,
    rotation_of,
)
from examples.tag_tracking.tags import cube_corners

from skill_proto.arrays import Array

ZERO = np.zeros(3)


def corners_of(
    cameras: list[Camera], numbers: list[int], motion: Motion, later: list[float]
) -> Corners:
    """Returns exact corners of these tags in each camera, visible or not."""
    body = np.concatenate([cube_corners()[number] for number in numbers])
    pixels: list[Array] = []
    for camera, delay in zip(cameras, later, strict=True):
        arm = body @ motion.rotation.T
        points = motion.position + arm + delay * (motion.velocity + np.cross(motion.spin, arm))
        pixels.append(camera.project(points))
    rows = len(body)
    return Corners(
        body=np.tile(body, (len(cameras), 1)),
        pixel=np.concatenate(pixels),
        projection=np.repeat([camera.projection for camera in cameras], rows, axis=0),
        centre=np.repeat([camera.position for camera in cameras], rows, axis=0),
        later=np.repeat(later, rows),
    )


def at_rest(position: list[float], rotation: Array) -> Motion:
    return Motion(position=np.array(position), rotation=rotation, velocity=ZERO, spin=ZERO)


@pytest.mark.parametrize("yaw", [0.0, 0.7, -2.5, 3.1])
def test_the_first_guess_of_a_cube_on_the_table_is_exact(left: Camera, yaw: float) -> None:
    truth = at_rest([0.08, -0.05, 0.02], rotation_of(np.array([0.0, 0.0, yaw])))
    guess = guess_on_table(corners_of([left], [4], truth, [0.0]), np.eye(3), 0.02)
    assert guess is not None
    assert guess.position == pytest.approx(truth.position, abs=1e-9)
    assert guess.rotation == pytest.approx(truth.rotation, abs=1e-9)


@pytest.mark.parametrize("resting", RESTING)
def test_a_cube_may_rest_on_any_face(left: Camera, resting: Array) -> None:
    turn = rotation_of(np.array([0.0, 0.0, 0.4]))
    truth = at_rest([0.0, 0.1, 0.02], turn @ resting)
    corners = corners_of([left], [0, 1, 4], truth, [0.0])
    guess = guess_on_table(corners, resting, 0.02)
    assert guess is not None
    assert guess.rotation == pytest.approx(truth.rotation, abs=1e-9)


def test_every_resting_rotation_turns_another_face_upwards() -> None:
    # The row of a rotation that gives the world's z is the upward direction in the cube.
    up = {tuple(np.rint(resting[2]).astype(int).tolist()) for resting in RESTING}
    assert len(up) == 6
    assert np.array_equal(RESTING[0], np.eye(3))


def test_all_unknowns_are_recovered_from_two_cameras(left: Camera, right: Camera) -> None:
    truth = at_rest([0.03, 0.02, 0.11], rotation_of(np.array([0.2, -0.3, 1.0])))
    corners = corners_of([left, right], [0, 1, 4], truth, [0.0, 0.0])
    start = truth.moved(np.array([0.02, -0.01, 0.03, 0.2, 0.1, -0.2, 0, 0, 0, 0, 0, 0]))
    fit = refine(corners, start, ANYWHERE)
    assert fit.residual_px < 1e-6
    assert fit.motion.position == pytest.approx(truth.position, abs=1e-7)
    assert fit.motion.rotation == pytest.approx(truth.rotation, abs=1e-6)


def test_velocities_between_two_exposures_are_recovered(left: Camera, right: Camera) -> None:
    truth = Motion(
        position=np.array([0.0, 0.0, 0.02]),
        rotation=np.eye(3),
        velocity=np.array([0.3, -0.1, 0.0]),
        spin=np.array([0.0, 0.0, 2.0]),
    )
    corners = corners_of([left, right], [1, 3, 4], truth, [-0.016, 0.0])
    start = at_rest([0.0, 0.0, 0.02], np.eye(3))
    fit = refine(corners, start, ON_TABLE)
    assert fit.residual_px < 0.05  # the prior of zero velocity pulls a little
    assert fit.motion.position == pytest.approx(truth.position, abs=1e-4)
    assert fit.motion.velocity == pytest.approx(truth.velocity, abs=0.01)
    assert 0.9 < fit.surprise < 1.1  # 0.3 m/s is one standard deviation


def test_a_lifted_cube_leaves_a_residual_on_the_table(left: Camera, right: Camera) -> None:
    truth = at_rest([0.0, 0.0, 0.03], np.eye(3))  # 1 cm up
    corners = corners_of([left, right], [1, 3, 4], truth, [0.0, 0.0])
    guess = guess_on_table(corners, np.eye(3), 0.02)
    assert guess is not None
    assert refine(corners, guess, ON_TABLE).residual_px > 2.0
    assert residual(corners, truth) < 1e-6


def test_the_derivatives_equal_differences(left: Camera, right: Camera) -> None:
    from examples.tag_tracking.fit import _error  # the derivatives have no other interface

    motion = Motion(
        position=np.array([0.01, 0.02, 0.05]),
        rotation=rotation_of(np.array([0.3, 0.1, -0.6])),
        velocity=np.zeros(3),
        spin=np.zeros(3),
    )
    corners = corners_of([left, right], [0, 4], motion, [-0.02, 0.01])
    _, jacobian = _error(corners, motion)
    for unknown in range(12):
        step = np.zeros(12)
        step[unknown] = 1e-6
        ahead, _ = _error(corners, motion.moved(step))
        behind, _ = _error(corners, motion.moved(-step))
        slope = (ahead - behind) / 2e-6
        assert jacobian[:, unknown] == pytest.approx(slope, rel=1e-4, abs=1e-3)
