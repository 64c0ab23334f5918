"""The camera file: where the images of each camera come from, its lens and its place.

JSON, written by ``tag_tracker.py intrinsics`` and ``extrinsics``; docs/tracker.md describes it.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from skill_proto.arrays import Array
from skill_proto.files.atomic_file import replace_text
from skill_proto.validation_text import describe_errors

from . import TrackerError
from .camera import Camera, rotation_from

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Intrinsics:
    """The lens, in OpenCV's model."""

    focal_px: tuple[Positive, Positive]
    """fx and fy [px]."""
    centre_px: tuple[float, float]
    """cx and cy, the principal point [px]."""
    distortion: Annotated[tuple[float, ...], Field(min_length=4, max_length=14)]
    """k1, k2, p1, p2, and further coefficients in OpenCV's order."""
    residual_px: Annotated[float, Field(ge=0)]
    """Root mean square error of the calibration [px]."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Extrinsics:
    """The place. The camera frame is OpenCV's: x right, y down, z along the optical axis."""

    position: tuple[float, float, float]
    """Of the camera in the world frame [m]."""
    quaternion: tuple[float, float, float, float]
    """Rotation from the camera frame to the world frame, w first."""
    residual_px: Annotated[float, Field(ge=0)]
    """Root mean square error of the calibration [px]."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CameraEntry:
    """One camera."""

    name: Annotated[str, Field(min_length=1, max_length=32)]
    source: Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
    """Number of a device (0 for /dev/video0), URL of a stream, or name of a video file."""
    width: Annotated[int, Field(ge=64, le=16384)]
    height: Annotated[int, Field(ge=64, le=16384)]
    """Size of the images [px]."""
    delay_s: Annotated[float, Field(ge=0, le=1)] = 0.03
    """From the exposure of an image to its arrival in this program, for a source whose driver does
    not report the time of exposure [s]."""
    intrinsics: Intrinsics | None = None
    """Null before ``intrinsics`` has run."""
    extrinsics: Extrinsics | None = None
    """Null before ``extrinsics`` has run."""

    def camera(self) -> Camera:
        """Returns the calibrated camera.

        Raises:
            TrackerError: a calibration is missing.
        """
        if self.intrinsics is None or self.extrinsics is None:
            missing = "intrinsics" if self.intrinsics is None else "extrinsics"
            raise TrackerError(
                f"camera {self.name!r} has no {missing}. Fix: run 'tag_tracker.py {missing}'"
            )
        return Camera(
            name=self.name,
            size=(self.width, self.height),
            matrix=matrix_of(self.intrinsics),
            distortion=np.array(self.intrinsics.distortion),
            rotation=rotation_from(np.array(self.extrinsics.quaternion)).T,
            position=np.array(self.extrinsics.position),
        )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CameraFile:
    """The whole file."""

    version: Literal[1] = 1
    cameras: tuple[CameraEntry, ...] = ()

    def entry_for(self, name: str, source: int | str, size: tuple[int, int]) -> CameraEntry:
        """Returns the uncalibrated entry of a camera, with ``delay_s`` of the one of its name.

        Args:
            name: of the camera.
            source: number of a device, URL of a stream, or name of a video file.
            size: width and height of the images [px].

        Raises:
            TrackerError: a value is out of range; the text names it.
        """
        delays = {camera.name: camera.delay_s for camera in self.cameras}
        width, height = size
        try:
            entry = CameraEntry(name=name, source=source, width=width, height=height)
        except ValidationError as error:
            raise TrackerError(
                f"{describe_errors(error)}. Fix: --camera NAME of 1 to 32 characters, --source "
                "with a device number, URL or video file, --size W H of 64 to 16384 px"
            ) from None
        return replace(entry, delay_s=delays.get(name, entry.delay_s))

    def with_camera(self, entry: CameraEntry) -> CameraFile:
        """Returns the file with this camera in place of the one of its name, or added."""
        names = [camera.name for camera in self.cameras]
        if entry.name not in names:
            return replace(self, cameras=(*self.cameras, entry))
        cameras = tuple(entry if c.name == entry.name else c for c in self.cameras)
        return replace(self, cameras=cameras)


_FILE = TypeAdapter(CameraFile)


def read_camera_file(path: Path) -> CameraFile:
    """Reads a camera file.

    Raises:
        TrackerError: the file cannot be read, or its content is wrong; the text names the entry.
    """
    fix = f"Fix: make one with 'tag_tracker.py intrinsics --file {path} ...' (docs/tracker.md)"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrackerError(f"cannot read the camera file {path}: {error}. {fix}") from None
    try:
        found = _FILE.validate_json(text)
    except ValidationError as error:
        raise TrackerError(f"{path} is no camera file: {describe_errors(error)}. {fix}") from None
    if (problem := _contradiction(found)) is not None:
        raise TrackerError(f"{path} {problem}. {fix}")
    return found


def _contradiction(content: CameraFile) -> str | None:
    """Returns the problem of the file as a whole; None if there is none."""
    names = [camera.name for camera in content.cameras]
    if not names:
        return "contains no camera"
    if len(set(names)) < len(names):
        return "contains a name of a camera twice"
    for camera in content.cameras:
        if camera.extrinsics is not None and math.hypot(*camera.extrinsics.quaternion) < 1e-6:
            return f"has a quaternion of length 0 for camera {camera.name!r}"
    return None


def write_camera_file(path: Path, content: CameraFile) -> None:
    """Writes a camera file.

    Raises:
        TrackerError: the file cannot be written.
    """
    text = json.dumps(_FILE.dump_python(content, mode="json"), indent=2) + "\n"
    try:
        replace_text(path, text)
    except OSError as error:
        raise TrackerError(f"cannot write {path}: {error}") from None


def matrix_of(intrinsics: Intrinsics) -> Array:
    """Returns the intrinsic matrix ``(3, 3)`` [px]."""
    (fx, fy), (cx, cy) = intrinsics.focal_px, intrinsics.centre_px
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
