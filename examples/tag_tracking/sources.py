"""Images of a camera, each with its time of exposure.

A source is a device (a number), the URL of a stream, or a video file, which is played at its own
rate. The time of exposure is that of the driver if the driver reports it on the monotonic clock, as
Linux does for USB cameras; otherwise it is the time of arrival minus the delay of the camera file.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2

from . import TrackerError
from .camera_file import CameraEntry
from .detection import Image

CREDIBLE_S = 1.0
"""A time of exposure of the driver is used if it is at most this old [s]."""

FILE_RATE_HZ = 30.0
"""Rate of a video file that does not name one [Hz]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One image."""

    image: Image
    exposed_s: float
    """Time of exposure on this machine's monotonic clock [s]."""


class EndOfVideo(TrackerError):  # noqa: N818  the end of a file is no error of its own
    """The video file has no further image."""


class Source(Protocol):
    """Images of one camera."""

    def read(self) -> Frame:
        """Waits for the next image.

        Raises:
            TrackerError: no image arrives.
            EndOfVideo: the file has ended.
        """
        ...

    def close(self) -> None:
        """Frees the camera."""
        ...


class VideoSource:
    """A device, a stream or a file, opened through OpenCV.

    Args:
        entry: the camera's entry of the camera file.

    Raises:
        TrackerError: it cannot be opened, or its images have another size than the calibration.
    """

    def __init__(self, entry: CameraEntry) -> None:
        self._entry = entry
        self._is_file = isinstance(entry.source, str) and "://" not in entry.source
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._capture = self._open()
        if not self._capture.isOpened():
            raise TrackerError(f"{self._name} cannot be opened. Fix: {self._advice()}")
        rate = self._capture.get(cv2.CAP_PROP_FPS) if self._is_file else 0.0
        self._period_s = 1 / rate if 1 <= rate <= 1000 else 1 / FILE_RATE_HZ
        self._due: float | None = None

    @property
    def _name(self) -> str:
        return f"camera {self._entry.name!r} (source {self._entry.source})"

    def _open(self) -> cv2.VideoCapture:
        entry = self._entry
        if not isinstance(entry.source, int):
            return cv2.VideoCapture(entry.source)
        on_linux = sys.platform == "linux"
        capture = cv2.VideoCapture(entry.source, cv2.CAP_V4L2 if on_linux else cv2.CAP_ANY)
        # USB 2 carries 30 images of 1280 x 720 a second only if the camera compresses them.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, entry.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, entry.height)
        capture.set(cv2.CAP_PROP_FPS, FILE_RATE_HZ)
        return capture

    def _advice(self) -> str:
        source = self._entry.source
        if isinstance(source, int):
            devices = sorted(str(path) for path in Path("/dev").glob("video*"))
            return (
                f"'source' of the camera file is the number of a device; devices here: "
                f"{', '.join(devices) or 'none'}. Another program may be using it, or this user "
                "may not (group 'video')"
            )
        if self._is_file:
            return "the file must exist, in a format that OpenCV reads"
        return "open the URL in a video player on this machine first"

    def read(self) -> Frame:
        """Waits for the next image; see :class:`Source`."""
        if self._is_file:
            return self._read_file()
        got, image = self._capture.read()
        arrived = time.monotonic()
        if not got:
            raise TrackerError(f"{self._name} delivers no image. Fix: check its cable or network")
        self._check_size(image)
        reported = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        is_credible = isinstance(self._entry.source, int) and (
            0 <= arrived - reported <= CREDIBLE_S
        )
        return Frame(image=image, exposed_s=reported if is_credible else arrived - self._delay_s)

    @property
    def _delay_s(self) -> float:
        return self._entry.delay_s

    def _read_file(self) -> Frame:
        got, image = self._capture.read()
        if not got:
            raise EndOfVideo(f"{self._name} has ended")
        self._check_size(image)
        now = time.monotonic()
        self._due = now if self._due is None else max(self._due + self._period_s, now - 1.0)
        time.sleep(max(0.0, self._due - now))
        return Frame(image=image, exposed_s=self._due - self._delay_s)

    def _check_size(self, image: Image) -> None:
        height, width = image.shape[:2]
        if (width, height) != (self._entry.width, self._entry.height):
            raise TrackerError(
                f"{self._name} delivers {width} x {height} px, the camera file says "
                f"{self._entry.width} x {self._entry.height}. Fix: run 'intrinsics' again with a "
                f"size that the camera has, e.g. --size {width} {height}"
            )

    def close(self) -> None:
        """Frees the camera."""
        self._capture.release()
