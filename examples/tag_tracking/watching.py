"""One thread for each camera: it waits for images and finds the tags in them.

OpenCV releases the interpreter lock while it decodes and detects, so the cameras run in parallel.
Only the newest image of each camera counts.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping

import cv2

from . import TrackerError
from .camera import Camera
from .detection import Image, TagDetector
from .estimator import Sighting
from .sources import Source
from .tags import cube_corners

TOGETHER_S = 0.045
"""Images of several cameras count for one pose if their exposures differ by less [s]: more than one
period at 30 Hz, and a little jitter."""

GRACE_S = 0.01
"""A pose waits for the image of another camera that is due within this time [s]."""


class Watcher:
    """Watches one camera in a thread.

    Args:
        camera: the calibrated camera.
        source: its images.
        news: notified after each image.
    """

    def __init__(self, camera: Camera, source: Source, news: threading.Condition) -> None:
        self.camera = camera
        self._source, self._news = source, news
        self._detector = TagDetector(cube_corners())
        self._ended = threading.Event()
        self.sighting: Sighting | None = None
        self.image: Image | None = None
        self.images = 0
        self._arrived_s = self._period_s = 0.0
        self.error: TrackerError | None = None
        self._thread = threading.Thread(target=self._run, name=camera.name, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread and frees the camera."""
        self._ended.set()
        self._thread.join(timeout=2.0)
        self._source.close()

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                frame = self._source.read()
                tags = self._detector.find(frame.image)
                sighting = Sighting(camera=self.camera, exposed_s=frame.exposed_s, tags=tags)
                with self._news:
                    self.sighting, self.image = sighting, frame.image
                    self.images += 1
                    self._note_arrival(time.monotonic())
                    self._news.notify_all()
        except TrackerError as error:
            self._fail(error)
        except cv2.error as error:
            text = " ".join(str(error).split())  # OpenCV's text has several lines
            self._fail(TrackerError(f"camera {self.camera.name!r}: {text}"))

    def _fail(self, error: TrackerError) -> None:
        with self._news:
            self.error = error
            self._news.notify_all()

    def _note_arrival(self, now: float) -> None:
        interval = now - self._arrived_s
        is_first = not self._arrived_s
        self._arrived_s = now
        if not is_first:
            self._period_s += (interval - self._period_s) * (0.1 if self._period_s else 1.0)

    def is_due(self, now: float) -> bool:
        """Returns whether the next image is expected within :data:`GRACE_S`."""
        return 0.0 <= self._arrived_s + self._period_s - now <= GRACE_S


class Watch:
    """Watches all cameras.

    Args:
        cameras: each calibrated camera with its images.
    """

    def __init__(self, cameras: Mapping[Camera, Source]) -> None:
        self._news = threading.Condition()
        self.watchers = [Watcher(camera, source, self._news) for camera, source in cameras.items()]
        self._seen: dict[str, int] = {}
        self._newest_s = -math.inf

    def __enter__(self) -> Watch:
        for watcher in self.watchers:
            watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        for watcher in self.watchers:
            watcher.close()

    def wait(self, timeout_s: float) -> list[Sighting]:
        """Waits for a new image; returns the newest of each camera that belong together.

        Returns:
            An empty list if no image arrives in time, or only one that was exposed before the last.

        Raises:
            TrackerError: a camera fails, or a video file ends.
        """
        with self._news:
            self._news.wait_for(self._has_news, timeout_s)
            self._wait_for_others()
            for watcher in self.watchers:
                if watcher.error is not None:
                    raise watcher.error
            self._seen = {watcher.camera.name: watcher.images for watcher in self.watchers}
            found = [w.sighting for w in self.watchers if w.sighting is not None]
        newest = max((sighting.exposed_s for sighting in found), default=-math.inf)
        if newest <= self._newest_s:
            return []
        self._newest_s = newest
        return [sighting for sighting in found if newest - sighting.exposed_s < TOGETHER_S]

    def _wait_for_others(self) -> None:
        """Waits for the images of other cameras that are due now: those of synchronised cameras."""
        now = time.monotonic()
        late = [w for w in self.watchers if not self._is_new(w) and w.is_due(now)]
        if len(late) < len(self.watchers):
            self._news.wait_for(lambda: all(self._is_new(w) for w in late), GRACE_S)

    def _is_new(self, watcher: Watcher) -> bool:
        return watcher.images > self._seen.get(watcher.camera.name, 0)

    def _has_news(self) -> bool:
        return any(watcher.error or self._is_new(watcher) for watcher in self.watchers)
