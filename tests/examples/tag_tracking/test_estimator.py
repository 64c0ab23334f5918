"""Poses from images of printed tags, without OpenGL."""

from __future__ import annotations

import numpy as np
import pytest
from examples.tag_tracking.camera import Camera
from examples.tag_tracking.detection import TagDetector
from examples.tag_tracking.estimator import Estimate, Estimator, Rejected, Sighting
from examples.tag_tracking.fit import rotation_of
from examples.tag_tracking.tags import cube_corners
from tests.support.printed_tags import Quad, cube_quads, occluder, picture

from skill_proto.arrays import Array

DETECTOR = TagDetector(cube_corners())


def sighting(camera: Camera, quads: list[Quad], *, at: float = 0.0, seed: int = 0) -> Sighting:
    """Returns the tags in an image of these quads."""
    return Sighting(
        camera=camera, exposed_s=at, tags=DETECTOR.find(picture(camera, quads, seed=seed))
    )


def about_z(yaw: float) -> Array:
    return rotation_of(np.array([0.0, 0.0, yaw]))


def test_poses_on_the_table_are_accurate_to_half_a_millimetre(left: Camera, right: Camera) -> None:
    random = np.random.default_rng(1)
    errors: list[float] = []
    for seed in range(12):
        position = np.array([*random.uniform(-0.12, 0.12, 2), 0.02])
        rotation = about_z(random.uniform(-np.pi, np.pi))
        quads = cube_quads(position, rotation)
        found = Estimator().estimate([sighting(c, quads, seed=seed) for c in (left, right)])
        assert isinstance(found, Estimate), found
        assert found.on_table
        assert found.cameras == ("left", "right")
        assert found.rotation.T @ rotation == pytest.approx(np.eye(3), abs=0.03)
        errors.append(float(np.linalg.norm(found.position - position)))
    assert np.median(errors) < 0.5e-3
    assert np.max(errors) < 2e-3


def test_one_camera_that_sees_the_cube_is_enough(left: Camera, right: Camera) -> None:
    position = np.array([0.05, 0.02, 0.02])
    quads = cube_quads(position, about_z(0.3))
    hand = occluder(
        np.array([[-0.1, 0.06, 0.1], [0.2, 0.06, 0.1], [0.2, 0.06, 0], [-0.1, 0.06, 0]])
    )
    hidden = sighting(right, [*quads, _facing(hand, right)])
    seen = sighting(left, quads)
    found = Estimator().estimate([seen, hidden])
    assert isinstance(found, Estimate)
    assert found.position == pytest.approx(position, abs=1e-3)


def _facing(quad: Quad, camera: Camera) -> Quad:
    """Returns the quad between the cube and the camera, and towards it."""
    corners = quad.corners.copy()
    corners[:, 1] = np.sign(camera.position[1]) * 0.06
    flipped = corners[[1, 0, 3, 2]]
    return occluder(corners if camera.position[1] < 0 else flipped)


@pytest.mark.parametrize("height", [0.01, 0.03, 0.08])
def test_a_lifted_cube_is_not_on_the_table(left: Camera, right: Camera, height: float) -> None:
    position = np.array([0.02, -0.03, 0.02 + height])
    rotation = rotation_of(np.array([0.1, -0.15, 0.0])) @ about_z(0.5)
    quads = cube_quads(position, rotation)
    found = Estimator().estimate([sighting(camera, quads) for camera in (left, right)])
    assert isinstance(found, Estimate), found
    assert not found.on_table
    assert found.position == pytest.approx(position, abs=3e-3)
    assert found.rotation.T @ rotation == pytest.approx(np.eye(3), abs=0.1)


def test_a_lifted_cube_that_one_camera_sees_by_one_tag_has_no_pose(left: Camera) -> None:
    # Only the upper tag is visible in an image from far above.
    from dataclasses import replace

    high = replace(
        left,
        position=np.array([0.0, 0.02, 0.9]),
        rotation=np.array([[0.0, -1, 0], [-1, 0, 0], [0, 0, -1]]),
    )
    quads = cube_quads(np.array([0.0, 0.0, 0.15]), about_z(0.2))
    seen = sighting(high, quads)
    assert seen.tags.numbers == (4,)
    found = Estimator().estimate([seen])
    assert isinstance(found, Rejected)
    assert "fit two poses" in found.reason
    assert "second camera" in found.reason


def test_a_camera_that_has_moved_is_reported(left: Camera, right: Camera) -> None:
    from dataclasses import replace

    quads = cube_quads(np.array([0.0, 0.0, 0.02]), about_z(0.4))
    moved = replace(right, rotation=rotation_of(np.array([0.0, 0.02, 0.02])) @ right.rotation)
    seen = sighting(right, quads)
    wrong = Sighting(camera=moved, exposed_s=0.0, tags=seen.tags)
    found = Estimator().estimate([sighting(left, quads), wrong])
    assert isinstance(found, Rejected)
    assert "a camera has moved" in found.reason
    assert "'extrinsics'" in found.reason


def test_no_tag_gives_no_pose(left: Camera) -> None:
    assert Estimator().estimate([sighting(left, [])]) is None


def test_exposures_at_different_times_of_a_moving_cube(left: Camera, right: Camera) -> None:
    """The cube moves 5 mm between the exposures of the two cameras."""
    estimator, speed, found = Estimator(), np.array([0.3, 0.0, 0.0]), None
    place = {camera.name: camera for camera in (left, right)}
    newest: dict[str, Sighting] = {}
    for image in range(8):
        name, at = ("left", "right")[image % 2], image / 60
        position = np.array([-0.05, 0.03, 0.02]) + at * speed
        camera = place[name]
        newest[name] = sighting(camera, cube_quads(position, about_z(0.8)), at=at, seed=image)
        found = estimator.estimate(list(newest.values()))
        assert isinstance(found, Estimate), found
        assert found.on_table, image
        assert found.exposed_s == at
        assert np.linalg.norm(found.position - position) < 2e-3


def test_the_angular_velocity_of_a_turning_cube(left: Camera) -> None:
    """2 rad/s at 30 Hz is 3.8 degrees from image to image."""
    estimator, found = Estimator(), None
    for image in range(6):
        at = image / 30
        quads = cube_quads(np.array([0.0, 0.0, 0.02]), about_z(0.4 + 2.0 * at))
        found = estimator.estimate([sighting(left, quads, at=at, seed=image)])
    assert isinstance(found, Estimate)
    assert found.spin == pytest.approx([0.0, 0.0, 2.0], abs=0.2)


def test_a_tumbled_cube_is_still_on_the_table(left: Camera, right: Camera) -> None:
    position = np.array([0.0, 0.05, 0.02])
    tumbled = about_z(0.3) @ rotation_of(np.array([np.pi / 2, 0.0, 0.0]))
    quads = cube_quads(position, tumbled)
    found = Estimator().estimate([sighting(camera, quads) for camera in (left, right)])
    assert isinstance(found, Estimate)
    assert found.on_table
    assert found.rotation.T @ tumbled == pytest.approx(np.eye(3), abs=0.03)


def test_the_quaternion_has_w_first() -> None:
    estimate = Estimate(
        exposed_s=0.0,
        position=np.zeros(3),
        rotation=about_z(-2.0),
        spin=np.zeros(3),
        on_table=True,
        residual_px=0.0,
        tags=1,
        cameras=(),
    )
    assert estimate.quaternion == pytest.approx([np.cos(1.0), 0, 0, -np.sin(1.0)])
