"""Video files as cameras, and the errors of cameras that do not work."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from examples.tag_tracking import TrackerError
from examples.tag_tracking.camera import Camera
from examples.tag_tracking.camera_file import CameraEntry
from examples.tag_tracking.sources import EndOfVideo, Frame, VideoSource
from examples.tag_tracking.watching import Watch

RATE_HZ = 50.0


@pytest.fixture
def entry(tmp_path: Path) -> CameraEntry:
    """A video of five images whose brightness is their number."""
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE_HZ, (64, 64))
    for number in range(5):
        writer.write(np.full((64, 64, 3), 50 * number, np.uint8))
    writer.release()
    return CameraEntry(name="left", source=str(path), width=64, height=64, delay_s=0.02)


def test_a_file_is_played_at_its_own_rate(entry: CameraEntry) -> None:
    source = VideoSource(entry)
    start = time.monotonic()
    frames = [source.read() for _ in range(5)]
    passed = time.monotonic() - start
    assert [round(float(frame.image.mean()) / 50) for frame in frames] == [0, 1, 2, 3, 4]
    exposed = np.array([frame.exposed_s for frame in frames])
    assert exposed[0] >= start - 0.02
    assert np.diff(exposed) == pytest.approx([1 / RATE_HZ] * 4)
    assert passed >= 4 / RATE_HZ - 0.001
    with pytest.raises(EndOfVideo, match=r"camera 'left' .* has ended"):
        source.read()
    source.close()


def test_another_size_than_that_of_the_calibration_is_refused(entry: CameraEntry) -> None:
    source = VideoSource(replace(entry, width=1280, height=720))
    with pytest.raises(TrackerError) as caught:
        source.read()
    assert "delivers 64 x 64 px, the camera file says 1280 x 720" in str(caught.value)
    assert "--size 64 64" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (97, "number of a device; devices here:"),
        ("/none/video.avi", "the file must exist"),
        ("http://127.0.0.1:1/stream", "open the URL in a video player"),
    ],
)
def test_a_camera_that_is_not_there_is_named(
    entry: CameraEntry, source: int | str, said: str
) -> None:
    with pytest.raises(TrackerError) as caught:
        VideoSource(replace(entry, source=source))
    assert f"camera 'left' (source {source}) cannot be opened. Fix:" in str(caught.value)
    assert said in str(caught.value)


class Stepped:
    """A source whose images are released one by one, with given times of exposure."""

    def __init__(self) -> None:
        self._frames: list[Frame] = []
        self._news = threading.Condition()
        self.is_closed = False

    def release(self, exposed_s: float) -> None:
        """Makes one image available."""
        with self._news:
            self._frames.append(Frame(image=np.full((64, 64), 128, np.uint8), exposed_s=exposed_s))
            self._news.notify()

    def read(self) -> Frame:
        """Returns the next image."""
        with self._news:
            if not self._news.wait_for(lambda: bool(self._frames), 5.0):
                raise TrackerError("camera fails")
            return self._frames.pop(0)

    def close(self) -> None:
        """Notes the call."""
        self.is_closed = True


def exposures(watch: Watch) -> list[float]:
    """Returns the times of exposure of the next sightings."""
    return sorted(sighting.exposed_s for sighting in watch.wait(5.0))


def test_images_that_belong_together_are_returned_together(left: Camera, right: Camera) -> None:
    sources = {left: Stepped(), right: Stepped()}
    with Watch(sources) as watch:
        sources[left].release(1.0)
        assert exposures(watch) == [1.0]
        sources[right].release(1.02)
        assert exposures(watch) == [1.0, 1.02]
        sources[left].release(1.06)  # 40 ms after that of the other camera
        assert exposures(watch) == [1.02, 1.06]
        sources[left].release(1.10)  # 80 ms: the other camera is left out
        assert exposures(watch) == [1.1]
        sources[right].release(1.09)  # exposed before the last pose
        assert exposures(watch) == []
        for source in sources.values():
            source.release(9.0)
    assert all(source.is_closed for source in sources.values())


def test_a_camera_that_fails_ends_the_watch(left: Camera) -> None:
    class Failing(Stepped):
        def read(self) -> Frame:
            raise TrackerError("camera 'left' delivers no image")

    with Watch({left: Failing()}) as watch, pytest.raises(TrackerError, match="delivers no image"):
        watch.wait(5.0)


def test_an_image_that_opencv_refuses_ends_the_watch(left: Camera) -> None:
    class Coloured(Stepped):
        def read(self) -> Frame:
            return Frame(image=np.zeros((64, 64, 7), np.uint8), exposed_s=1.0)

    with (
        Watch({left: Coloured()}) as watch,
        pytest.raises(TrackerError, match="camera 'left': OpenCV") as caught,
    ):
        watch.wait(5.0)
    assert "\n" not in str(caught.value)
