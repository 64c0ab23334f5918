"""A film: frames with captions, written as one animated picture."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from skill_robots.worlds.camera.offscreen import Frame
from skill_runtime.console.output_file import write_file
from skill_runtime.evaluation.options import FILM_FORMATS

COLOURS = 128
"""Colours of a GIF, which every program shows, and which is large."""

PALETTE_FRAMES = 8
"""Frames from which these colours are chosen."""

FRAME_MS = 80
"""Intended duration of a frame [ms]."""

TEXT, SHADE = (255, 255, 255), (18, 22, 30)
MARGIN = 10


class Film:
    """Collects frames and writes them to a file.

    Args:
        frame_ms: Duration of a frame [ms], see :func:`frame_time`.
    """

    def __init__(self, frame_ms: int) -> None:
        self._frame_ms = frame_ms
        self._frames: list[Image.Image] = []

    def add(self, frame: Frame, title: str = "", text: str = "") -> Image.Image:
        """Adds a frame with a line of text above and below, and returns it to be drawn on."""
        picture = Image.fromarray(frame)
        draw = ImageDraw.Draw(picture)
        if title:
            _write(draw, (MARGIN, MARGIN), title, 17, "la")
        if text:
            _write(draw, (MARGIN, picture.height - MARGIN), text, 14, "ld")
        self._frames.append(picture)
        return picture

    def save(self, path: Path) -> None:
        """Writes the file; the end of its name gives the format, see ``options.FILM_FORMATS``.

        A file that exists is replaced whole or not at all.

        Raises:
            ValueError: the format is unknown, or there is no frame.
            OutputError: the file cannot be written.
        """
        check_format(path)
        if not self._frames:
            raise ValueError("the film has no frame")
        suffix = path.suffix.lower()
        frames = _paletted(self._frames) if suffix == ".gif" else self._frames
        first, *others = frames
        options: dict[str, Any] = {"quality": 70} if suffix == ".webp" else {}
        content = BytesIO()
        first.save(
            content,
            format=suffix[1:].upper(),
            save_all=True,
            append_images=others,
            duration=self._frame_ms,
            loop=0,
            optimize=False,
            **options,
        )
        write_file(path, content.getvalue())


def frame_time(control_rate_hz: float) -> tuple[int, int]:
    """Returns the control steps of a frame, and its duration [ms], for a film in real time.

    A GIF counts time in 10 ms. Of the durations around :data:`FRAME_MS` this is the one that loses
    least by it; of equal ones, the nearest.
    """
    step_ms = 1000.0 / control_rate_hz
    first = max(1, math.ceil(FRAME_MS / 2 / step_ms - 1e-9))
    last = max(first, math.floor(2 * FRAME_MS / step_ms + 1e-9))

    def loss(steps: int) -> tuple[float, float]:
        exact = steps * step_ms
        return round(abs(_tens(exact) / exact - 1.0), 3), abs(exact - FRAME_MS)

    steps = min(range(first, last + 1), key=loss)
    return steps, _tens(steps * step_ms)


def _tens(milliseconds: float) -> int:
    return max(10, 10 * round(milliseconds / 10))


def check_format(path: Path) -> None:
    """Checks the end of the name of a film.

    Raises:
        ValueError: it is not in ``options.FILM_FORMATS``.
    """
    if path.suffix.lower() not in FILM_FORMATS:
        raise ValueError(f"{path}: a film is written as {', '.join(FILM_FORMATS)}")


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, anchor: str
) -> None:
    font = ImageFont.load_default(size)
    draw.text(place, text, fill=TEXT, font=font, anchor=anchor, stroke_width=2, stroke_fill=SHADE)


def _paletted(frames: list[Image.Image]) -> list[Image.Image]:
    """Returns the frames in the colours of some of them, so that equal places stay equal.

    A palette for each frame, or dithering, would change places that are at rest; a GIF stores
    every changed place.
    """
    chosen = frames[:: max(1, len(frames) // PALETTE_FRAMES)]
    width, height = frames[0].size
    sheet = Image.new("RGB", (width, height * len(chosen)))
    for number, frame in enumerate(chosen):
        sheet.paste(frame, (0, number * height))
    palette = sheet.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
