"""One thread for each camera: it waits for images and finds the tags in them.

OpenCV releases the interpreter lock while it decodes and detects, so the cameras run in parallel.
Only the newest image of each camera counts.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from . import TrackerError
from .camera import Camera
from .detection import Image, TagDetector
from .estimator import Sighting
from .sources import Source
from .tags import cube_corners

TOGETHER_S = 0.045
"""Images of several cameras count for one pose if their exposures differ by less [s]: more than one
period at 30 Hz, and a little jitter."""


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
                    self._news.notify_all()
        except TrackerError as error:
            with self._news:
                self.error = error
                self._news.notify_all()


class Watch:
    """Watches all cameras.

    Args:
        cameras: each calibrated camera with its images.
    """

    def __init__(self, cameras: Mapping[Camera, Source]) -> None:
        self._news = threading.Condition()
        self.watchers = [Watcher(camera, source, self._news) for camera, source in cameras.items()]
        self._seen = 0

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
            An empty list if no image arrives in time.

        Raises:
            TrackerError: a camera fails, or a video file ends.
        """
        with self._news:
            self._news.wait_for(self._has_news, timeout_s)
            for watcher in self.watchers:
                if watcher.error is not None:
                    raise watcher.error
            count = sum(watcher.images for watcher in self.watchers)
            if count == self._seen:
                return []
            self._seen = count
            found = [w.sighting for w in self.watchers if w.sighting is not None]
        newest = max(sighting.exposed_s for sighting in found)
        return [sighting for sighting in found if newest - sighting.exposed_s < TOGETHER_S]

    def _has_news(self) -> bool:
        return any(watcher.error for watcher in self.watchers) or (
            sum(watcher.images for watcher in self.watchers) > self._seen
        )
