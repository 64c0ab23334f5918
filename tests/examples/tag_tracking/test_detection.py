"""Tags in images of known corners."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from examples.tag_tracking.camera import Camera
from examples.tag_tracking.detection import TagDetector, refined
from examples.tag_tracking.fit import rotation_of
from examples.tag_tracking.tags import cube_corners, dictionary
from tests.support.printed_tags import cube_quads, picture

from skill_proto.arrays import Array

PLACE = np.array([0.02, 0.03, 0.02])


def about_z(yaw: float) -> Array:
    return rotation_of(np.array([0.0, 0.0, yaw]))


def test_corners_are_accurate_to_a_quarter_of_a_pixel(left: Camera) -> None:
    errors: list[Array] = []
    for seed, yaw in enumerate(np.linspace(-3.0, 3.0, 8)):
        image = picture(left, cube_quads(PLACE, about_z(yaw)), seed=seed)
        tags = TagDetector(cube_corners()).find(image)
        assert 4 in tags.numbers
        for number, corners in zip(tags.numbers, tags.corners, strict=True):
            truth = left.project(cube_corners()[number] @ about_z(yaw).T + PLACE)
            errors.append(corners - truth)
    error = np.concatenate(errors)
    assert np.sqrt((error**2).sum(axis=1).mean()) < 0.25
    assert np.abs(error.mean(axis=0)).max() < 0.05  # no bias, such as half a pixel


def test_lines_along_the_edges_reduce_the_median_error_of_opencv_to_a_fifth(
    left: Camera,
) -> None:
    plain = cv2.aruco.ArucoDetector(dictionary())  # corners without refinement
    before: list[Array] = []
    after: list[Array] = []
    for seed, yaw in enumerate(np.linspace(-3.0, 3.0, 8)):
        image = picture(left, cube_quads(PLACE, about_z(yaw)), seed=seed)
        found, numbers, _ = plain.detectMarkers(image)
        for corners, number in zip(found, numbers.ravel().tolist(), strict=True):
            truth = left.project(cube_corners()[number] @ about_z(yaw).T + PLACE)
            before.append(corners[0] - truth)
            after.append(refined(image, corners[0].astype(np.float64)) - truth)
    distance_before, distance_after = (np.linalg.norm(part, axis=2) for part in (before, after))
    assert np.median(distance_after) < np.median(distance_before) / 5


def test_only_wanted_tags_are_returned(left: Camera) -> None:
    image = picture(left, cube_quads(PLACE, about_z(0.4)))
    assert TagDetector({4}).find(image).numbers == (4,)
    none = TagDetector({17}).find(image)
    assert none.numbers == ()
    assert none.corners.shape == (0, 4, 2)


def test_a_coloured_image_has_the_same_corners(left: Camera) -> None:
    image = picture(left, cube_quads(PLACE, about_z(0.4)))
    grey = TagDetector({4}).find(image)
    coloured = TagDetector({4}).find(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    assert coloured.corners == pytest.approx(grey.corners)


def square_image(shift: float) -> tuple[np.ndarray, Array]:
    """Returns a blurred black square from 20 + shift to 60 + shift px, and its corners."""
    fine = np.full((800, 800), 255, np.uint8)
    low, high = round(10 * (20 + shift)), round(10 * (60 + shift))
    fine[low:high, low:high] = 0
    image = cv2.GaussianBlur(cv2.resize(fine, (80, 80), interpolation=cv2.INTER_AREA), (0, 0), 0.8)
    # An edge between pixel 19 and 20 is at 19.5, since pixel centres have whole numbers.
    a, b = 19.5 + shift, 59.5 + shift
    return image, np.array([[a, a], [b, a], [b, b], [a, b]])


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.5, 0.8])
def test_edges_are_found_between_pixels(shift: float) -> None:
    image, truth = square_image(shift)
    start = truth + np.array([[0.8, -0.6], [-0.5, 0.9], [0.7, 0.7], [-0.9, 0.2]])
    assert refined(image, start) == pytest.approx(truth, abs=0.05)


def test_without_edges_the_corners_stay() -> None:
    start = np.array([[20.0, 20], [60, 20], [60, 60], [20, 60]])
    found = refined(np.full((80, 80), 128, np.uint8), start)
    assert found == pytest.approx(start, abs=1e-6)
