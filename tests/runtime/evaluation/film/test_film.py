"""The file of a film: its frames, their time, and its formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skill_runtime.console.streams import OutputError
from skill_runtime.evaluation.film.film import Film, frame_time
from skill_runtime.evaluation.options import FILM_FORMATS


def film(frames: int = 5) -> Film:
    """Returns a film at 12.5 Hz: a red square moves over a grey table."""
    made = Film(80)
    for number in range(frames):
        frame = np.full((60, 80, 3), 128, np.uint8)
        frame[20:30, 10 * number : 10 * number + 10] = (230, 40, 20)
        made.add(frame)
    return made


@pytest.mark.parametrize("suffix", FILM_FORMATS)
def test_every_format_has_all_frames_at_their_rate(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    film().save(path)
    with Image.open(path) as picture:
        assert (picture.size, getattr(picture, "n_frames", 1)) == ((80, 60), 5)
        for number in range(5):
            picture.seek(number)
            pixels = np.asarray(picture.convert("RGB")).astype(int)
            red = pixels[25, 10 * number + 5]
            assert abs(red - (230, 40, 20)).max() < 30
            assert abs(pixels[50] - 128).max() < 12
        assert picture.info["duration"] == pytest.approx(80.0)
        assert picture.info.get("loop", 0) == 0


@pytest.mark.parametrize(
    ("rate_hz", "steps", "duration_ms"),
    [(25.0, 2, 80), (62.5, 5, 80), (20.0, 2, 100), (60.0, 6, 100), (100.0, 8, 80), (12.0, 1, 80)],
)
def test_a_frame_lasts_whole_hundredths_of_a_second(
    rate_hz: float, steps: int, duration_ms: int
) -> None:
    assert frame_time(rate_hz) == (steps, duration_ms)


def test_a_gif_of_a_loop_at_62_5_hz_is_in_real_time(tmp_path: Path) -> None:
    steps, duration_ms = frame_time(62.5)
    made = Film(duration_ms)
    for number in range(0, 50, steps):
        made.add(np.full((6, 8, 3), 5 * number, np.uint8))
    made.save(tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as picture:
        shown_ms = 0
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            shown_ms += picture.info["duration"]
    assert shown_ms == 50 * 16


def test_text_is_written_on_the_frame() -> None:
    plain = np.full((60, 200, 3), 128, np.uint8)
    assert (np.asarray(Film(100).add(plain)) == plain).all()
    written = np.asarray(Film(100).add(plain, "title", "text"))
    assert (written[:30] != 128).any()
    assert (written[30:] != 128).any()


def test_the_case_of_the_format_does_not_matter(tmp_path: Path) -> None:
    film().save(tmp_path / "film.GIF")
    with Image.open(tmp_path / "film.GIF") as picture:
        assert (picture.format, getattr(picture, "n_frames", 1)) == ("GIF", 5)


def test_a_film_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*film\.gif: Not a directory"):
        film().save(tmp_path / "file" / "film.gif")


def test_another_format_and_an_empty_film_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"film\.mp4: a film is written as \.gif"):
        film().save(tmp_path / "film.mp4")
    with pytest.raises(ValueError, match="no frame"):
        Film(100).save(tmp_path / "film.gif")
    assert list(tmp_path.iterdir()) == []
