"""Intrinsics and extrinsics of a camera from the calibration sheet.

Intrinsics: Zhang, "A flexible new technique for camera calibration", PAMI 2000, as in OpenCV, from
views of the sheet at several angles. Extrinsics: the sheet lies on the table at a known place.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from skill_proto.arrays import Array

from . import TrackerError
from .camera import quaternion_of
from .camera_file import CameraEntry, Extrinsics, Intrinsics, matrix_of
from .detection import TagDetector, Tags
from .sources import EndOfVideo, Source
from .tags import sheet_corners

VIEWS = 20
"""Views for the intrinsics."""

LEAST_VIEWS, LEAST_TAGS = 8, 8

MOVED_SHARE = 0.04
"""A view counts if the sheet has moved by this share of the image's width since every other."""

STILL_PX = 1.5
"""A view of a camera counts if the sheet moved by less than this since the image before [px]."""

FOCAL_SHARE = 0.01
"""Largest standard deviation of the focal lengths, as a share of them."""

INTRINSICS_PX, EXTRINSICS_PX = 1.0, 1.0
"""Largest root mean square errors [px]."""

EXTRINSIC_IMAGES = 30

IDLE_IMAGES = 600
"""The calibration gives up after this many images without progress (20 s)."""

Say = Callable[[str], object]


def collect_views(source: Source, *, is_live: bool, say: Say) -> list[Tags]:
    """Collects views of the sheet from different places and angles.

    Args:
        source: images of the camera.
        is_live: a camera, whose sheet must be still in a view; else a file.
        say: prints progress.

    Raises:
        TrackerError: the camera fails, or too few views are found.
    """
    detector, views, before = TagDetector(sheet_corners()), list[Tags](), None
    idle = 0
    say(f"hold the sheet in {VIEWS} places and angles, still for a moment in each")
    while len(views) < VIEWS and idle < IDLE_IMAGES:
        try:
            image = source.read().image
        except EndOfVideo:
            break
        tags = detector.find(image)
        idle += 1
        is_still = not is_live or (before is not None and _moved(tags, before) < STILL_PX)
        before = tags
        enough = MOVED_SHARE * image.shape[1]
        is_new = all(_moved(tags, view) > enough for view in views)
        if len(tags.numbers) >= LEAST_TAGS and is_still and is_new:
            views.append(tags)
            idle = 0
            say(f"view {len(views)} of {VIEWS}: {len(tags.numbers)} tags")
    if len(views) < LEAST_VIEWS:
        raise TrackerError(
            f"{len(views)} views of the calibration sheet were found, {LEAST_VIEWS} are needed. "
            "Fix: bright light without reflections, the whole sheet in the image, flat on a board"
        )
    return views


def _moved(tags: Tags, other: Tags) -> float:
    """Returns the mean distance of the corners in two views [px]; infinite without a common tag."""
    places = dict(zip(other.numbers, other.corners, strict=True))
    distances = [
        float(np.linalg.norm(corners - places[number], axis=1).mean())
        for number, corners in zip(tags.numbers, tags.corners, strict=True)
        if number in places
    ]
    return float(np.mean(distances)) if distances else math.inf


def intrinsics_from(views: list[Tags], size: tuple[int, int]) -> Intrinsics:
    """Calibrates the lens.

    Args:
        views: of the sheet.
        size: width and height of the images [px].

    Raises:
        TrackerError: the error is too large, or the focal length remains uncertain.
    """
    places = sheet_corners()
    # The third radial coefficient would follow the noise at the edges of the image.
    rms, matrix, distortion, _, _, deviations, _, _ = cv2.calibrateCameraExtended(
        [_on_sheet(view, places) for view in views],
        [view.corners.reshape(-1, 1, 2).astype(np.float32) for view in views],
        size,
        np.eye(3),
        np.zeros(5),
        flags=cv2.CALIB_FIX_K3,
    )
    uncertain = float((deviations.ravel()[:2] / matrix[[0, 1], [0, 1]]).max())
    if rms > INTRINSICS_PX:
        raise TrackerError(
            f"the corners of the sheet are {rms:.2f} px from their places, {INTRINSICS_PX:g} px is "
            "the limit. Fix: a flat sheet at true size, sharp images, no motion"
        )
    if uncertain > FOCAL_SHARE:
        raise TrackerError(
            f"the focal length is uncertain by {uncertain:.1%}, {FOCAL_SHARE:.0%} is the limit. "
            "Fix: turn the sheet by up to 45 degrees in the views, also near the image's corners"
        )
    return Intrinsics(
        focal_px=(float(matrix[0, 0]), float(matrix[1, 1])),
        centre_px=(float(matrix[0, 2]), float(matrix[1, 2])),
        distortion=tuple(map(float, distortion.ravel()[:5])),
        residual_px=float(rms),
    )


def _on_sheet(view: Tags, places: dict[int, Array]) -> Array:
    corners = np.concatenate([places[number] for number in view.numbers])
    return corners.astype(np.float32).reshape(-1, 1, 3)


def observe_sheet(source: Source, camera: str) -> Tags:
    """Returns the median corners of the sheet over some images of a camera at rest.

    Raises:
        TrackerError: the camera fails, or the sheet is not visible.
    """
    detector = TagDetector(sheet_corners())
    seen: dict[int, list[Array]] = {}
    for _ in range(EXTRINSIC_IMAGES):
        try:
            tags = detector.find(source.read().image)
        except EndOfVideo:
            break
        for number, corners in zip(tags.numbers, tags.corners, strict=True):
            seen.setdefault(number, []).append(corners)
    if len(seen) < LEAST_TAGS:
        raise TrackerError(
            f"camera {camera!r} sees {len(seen)} tags of the calibration sheet, {LEAST_TAGS} are "
            "needed. Fix: lay the sheet flat on the table, in view of all cameras, in bright light"
        )
    numbers = tuple(sorted(seen))
    medians = [np.median(np.array(seen[number]), axis=0) for number in numbers]
    return Tags(numbers=numbers, corners=np.array(medians))


def extrinsics_from(entry: CameraEntry, tags: Tags) -> Extrinsics:
    """Computes the place of a camera from the sheet on the table.

    Raises:
        TrackerError: the camera has no intrinsics, the error is too large, or the camera would be
            below the table.
    """
    if entry.intrinsics is None:
        raise TrackerError(
            f"camera {entry.name!r} has no intrinsics. Fix: run 'tag_tracker.py intrinsics' first"
        )
    places = sheet_corners()
    points = np.concatenate([places[number] for number in tags.numbers])
    pixels = tags.corners.reshape(-1, 2)
    matrix, distortion = matrix_of(entry.intrinsics), np.array(entry.intrinsics.distortion)
    _, turn, shift = cv2.solvePnP(points, pixels, matrix, distortion, flags=cv2.SOLVEPNP_IPPE)
    turn, shift = cv2.solvePnPRefineLM(points, pixels, matrix, distortion, turn, shift)
    projected, _ = cv2.projectPoints(points, turn, shift, matrix, distortion)
    rms = float(np.sqrt(((projected[:, 0] - pixels) ** 2).sum(axis=1).mean()))
    to_world = cv2.Rodrigues(turn)[0].T
    position = -to_world @ shift.ravel()
    if rms > EXTRINSICS_PX:
        raise TrackerError(
            f"camera {entry.name!r}: the corners of the sheet are {rms:.2f} px from their places, "
            f"{EXTRINSICS_PX:g} px is the limit. Fix: a flat sheet at true size; 'intrinsics' again"
        )
    x, y, z = position.tolist()
    if z <= 0:
        raise TrackerError(
            f"camera {entry.name!r} would be {-z:.3f} m below the table. Fix: lay the sheet flat "
            "on the table with the tags upwards, the camera above the table; 'intrinsics' again"
        )
    w, i, j, k = quaternion_of(to_world).tolist()
    return Extrinsics(position=(x, y, z), quaternion=(w, i, j, k), residual_px=rms)
