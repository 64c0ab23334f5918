"""Lens and place of a camera are recovered from images of the sheet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from examples.tag_tracking import TrackerError
from examples.tag_tracking.calibrate import (
    collect_views,
    extrinsics_from,
    intrinsics_from,
    observe_sheet,
)
from examples.tag_tracking.camera import Camera
from examples.tag_tracking.camera_file import CameraEntry, Intrinsics
from examples.tag_tracking.detection import Image, Tags
from examples.tag_tracking.fit import rotation_of
from examples.tag_tracking.sources import EndOfVideo, Frame
from examples.tag_tracking.tags import sheet_corners
from tests.support.printed_tags import picture, sheet_quads

LENS = (-0.12, 0.05, 0.0005, -0.0008, 0.0)
FOCAL = 870.0


class Images:
    """A source of given images, then the end."""

    def __init__(self, images: Iterator[Image]) -> None:
        self._images = images

    def read(self) -> Frame:
        """Returns the next image."""
        image = next(self._images, None)
        if image is None:
            raise EndOfVideo("the end")
        return Frame(image=image, exposed_s=0.0)

    def close(self) -> None:
        """Has no effect."""


@pytest.fixture(scope="module")
def distorted(left: Camera) -> Camera:
    """The left camera with a real lens."""
    matrix = np.array([[FOCAL, 0, 645.0], [0, FOCAL + 2, 352.0], [0, 0, 1]])
    return replace(left, matrix=matrix, distortion=np.array(LENS))


def sheet_views(camera: Camera, count: int) -> Iterator[Image]:
    """Yields images of the sheet in front of a camera at the origin, from many angles."""
    random = np.random.default_rng(5)
    home = replace(camera, rotation=np.eye(3), position=np.zeros(3))
    for _ in range(count):
        tilt = rotation_of(random.uniform(-0.6, 0.6, 3))
        facing = tilt @ np.diag([1.0, -1.0, -1.0])
        place = np.array([*random.uniform(-0.09, 0.09, 2), random.uniform(0.42, 0.55)])
        yield picture(home, sheet_quads(facing, place), noise=1.0)


@pytest.mark.slow
def test_the_lens_is_recovered_from_views_of_the_sheet(distorted: Camera) -> None:
    said: list[str] = []
    views = collect_views(Images(sheet_views(distorted, 16)), is_live=False, say=said.append)
    assert len(views) >= 14
    lens = intrinsics_from(views, distorted.size)
    assert lens.focal_px == pytest.approx((FOCAL, FOCAL + 2), rel=0.005)
    assert lens.centre_px == pytest.approx((645.0, 352.0), abs=5.0)
    assert lens.residual_px < 0.3
    # Pixels matter, not coefficients: rays of the whole image agree within half a pixel.
    found = replace(
        distorted,
        matrix=np.array(
            [
                [lens.focal_px[0], 0, lens.centre_px[0]],
                [0, lens.focal_px[1], lens.centre_px[1]],
                [0, 0, 1],
            ]
        ),
        distortion=np.array(lens.distortion),
    )
    home = {"rotation": np.eye(3), "position": np.zeros(3)}
    rays = np.array([[x, y, 1.0] for x in (-0.5, 0, 0.5) for y in (-0.3, 0, 0.3)])
    shift = replace(found, **home).project(rays) - replace(distorted, **home).project(rays)
    assert np.abs(shift - shift.mean(axis=0)).max() < 2.0
    assert "view 1 of 20" in said[1]


def entry_of(camera: Camera) -> CameraEntry:
    """Returns an entry with the exact lens and no place."""
    matrix = camera.matrix
    lens = Intrinsics(
        focal_px=(matrix[0, 0], matrix[1, 1]),
        centre_px=(matrix[0, 2], matrix[1, 2]),
        distortion=tuple(camera.distortion),
        residual_px=0.0,
    )
    return CameraEntry(name=camera.name, source=0, width=1280, height=720, intrinsics=lens)


def test_the_place_is_recovered_from_the_sheet_on_the_table(distorted: Camera) -> None:
    images = (picture(distorted, sheet_quads(), seed=seed) for seed in range(3))
    tags = observe_sheet(Images(images), "left")
    place = extrinsics_from(entry_of(distorted), tags)
    assert place.position == pytest.approx(distorted.position, abs=2e-3)
    camera = replace(entry_of(distorted), extrinsics=place).camera()
    # A point of the table is seen where it is, to a quarter of a pixel.
    points = np.array([[0.1, 0.1, 0.02], [-0.1, 0.1, 0.02], [0.0, 0.0, 0.0]])
    assert camera.project(points) == pytest.approx(distorted.project(points), abs=0.3)
    assert place.residual_px < 0.4


def test_a_sheet_of_another_size_is_refused(distorted: Camera) -> None:
    """A print at 97 % has a place too, but a bent one is not flat."""
    quads = sheet_quads()
    lifts = [np.array([0, 0, 0.02 * (index % 3 == 0)]) for index in range(len(quads))]
    bent = [replace(q, corners=q.corners + lift) for q, lift in zip(quads, lifts, strict=True)]
    tags = observe_sheet(Images(iter([picture(distorted, bent)])), "left")
    with pytest.raises(TrackerError, match=r"from their places, 1 px is the limit. Fix: a flat"):
        extrinsics_from(entry_of(distorted), tags)


def test_without_the_sheet_the_camera_is_named(distorted: Camera) -> None:
    with pytest.raises(TrackerError, match="camera 'left' sees 0 tags of the calibration sheet"):
        observe_sheet(Images(iter([picture(distorted, [])])), "left")


def test_too_few_views_are_refused(distorted: Camera) -> None:
    views = Images(sheet_views(distorted, 2))
    with pytest.raises(TrackerError, match=r"2 views of the calibration sheet .* 8 are needed"):
        collect_views(views, is_live=False, say=lambda _: None)


def test_places_need_a_lens(distorted: Camera) -> None:
    tags = observe_sheet(Images(iter([picture(distorted, sheet_quads())])), "left")
    with pytest.raises(TrackerError, match="has no intrinsics"):
        extrinsics_from(replace(entry_of(distorted), intrinsics=None), tags)


def test_a_camera_below_the_table_is_refused(distorted: Camera) -> None:
    rotation = np.eye(3)  # the optical axis points upwards
    below = replace(distorted, rotation=rotation, position=np.array([0.02, 0.01, -0.5]))
    places = sheet_corners()
    corners = np.array([below.project(corners) for corners in places.values()])
    with pytest.raises(
        TrackerError, match=r"camera 'left' would be 0\.500 m below the table. Fix:"
    ):
        extrinsics_from(entry_of(below), Tags(numbers=tuple(places), corners=corners))
