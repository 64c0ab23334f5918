"""The printable pages: drawn again from their own commands, the tags have their true size."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from examples.tag_tracking import TrackerError
from examples.tag_tracking.detection import Image, TagDetector
from examples.tag_tracking.sheet import (
    PAPER_MM,
    Page,
    Paper,
    cube_page,
    pdf_of,
    table_page,
    write_sheet,
)

POINT_MM = 25.4 / 72
DOTS_PER_MM = 8
RECTANGLE = re.compile(r"^([01]) g (\S+) (\S+) (\S+) (\S+) re f$", re.MULTILINE)
LINE = re.compile(r"(\S+) (\S+) m (\S+) (\S+) l S")


def drawn(page: Page) -> Image:
    """Returns the filled rectangles of a page as an image of 8 dots per mm, top row first."""
    height, width = round(page.height * DOTS_PER_MM), round(page.width * DOTS_PER_MM)
    image = np.full((height, width), 255, np.uint8)
    for match in RECTANGLE.finditer(page.content):
        x, y, w, h = (float(text) * POINT_MM * DOTS_PER_MM for text in match.groups()[1:])
        top, bottom = round(height - y - h), round(height - y)
        image[top:bottom, round(x) : round(x + w)] = 255 * int(match[1])
    return image


def sides_mm(page: Page, wanted: range) -> dict[int, float]:
    """Returns the side of each tag that a detector finds on the page [mm]."""
    tags = TagDetector(wanted).find(drawn(page))
    sides = [np.linalg.norm(np.roll(c, -1, axis=0) - c, axis=1).mean() for c in tags.corners]
    return dict(zip(tags.numbers, np.array(sides) / DOTS_PER_MM, strict=True))


@pytest.mark.parametrize("paper", sorted(PAPER_MM))
def test_the_cube_page_has_six_tags_of_34_mm(paper: Paper) -> None:
    sides = sides_mm(cube_page(paper), range(30))
    assert sorted(sides) == [0, 1, 2, 3, 4, 5]
    assert list(sides.values()) == pytest.approx([34.0] * 6, abs=0.2)


@pytest.mark.parametrize("paper", sorted(PAPER_MM))
def test_the_sheet_has_twelve_tags_of_45_mm_at_56_mm(paper: Paper) -> None:
    page = table_page(paper)
    assert sorted(sides_mm(page, range(30))) == list(range(10, 22))
    tags = TagDetector(range(30)).find(drawn(page))
    middles = dict(zip(tags.numbers, tags.corners.mean(axis=1) / DOTS_PER_MM, strict=True))
    assert middles[11] - middles[10] == pytest.approx([56, 0], abs=0.1)  # to the right
    assert middles[13] - middles[10] == pytest.approx([0, 56], abs=0.1)  # downwards
    # The cross is in the middle of the page, half of a pitch below the second row.
    middle = np.array([page.width, page.height]) / 2
    assert middles[14] + [0, 28] == pytest.approx(middle, abs=0.2)


@pytest.mark.parametrize("make", [cube_page, table_page])
@pytest.mark.parametrize("paper", sorted(PAPER_MM))
def test_every_line_is_on_the_paper_and_the_ruler_measures_100_mm(
    make: Callable[[Paper], Page], paper: Paper
) -> None:
    page = make(paper)
    lines = np.array(
        [[float(v) * POINT_MM for v in m.groups()] for m in LINE.finditer(page.content)]
    )
    places = lines.reshape(-1, 2)
    assert (places > 5).all()  # a printer's margin
    assert (places < np.array([page.width, page.height]) - 5).all()
    lengths = np.linalg.norm(lines[:, 2:] - lines[:, :2], axis=1)
    assert (np.abs(lengths - 100.0) < 1e-3).sum() == 1


def test_the_tags_of_the_net_are_a_face_apart() -> None:
    tags = TagDetector(range(6)).find(drawn(cube_page("a4")))
    middles = dict(zip(tags.numbers, tags.corners.mean(axis=1) / DOTS_PER_MM, strict=True))
    for number in (0, 1, 2):
        assert middles[number + 1] - middles[number] == pytest.approx([40, 0], abs=0.1)
    assert middles[4] - middles[0] == pytest.approx([0, -40], abs=0.1)
    assert middles[5] - middles[0] == pytest.approx([0, 40], abs=0.1)


def test_the_cross_reference_table_finds_every_object() -> None:
    pdf = pdf_of([cube_page("a4"), table_page("a4")])
    start = int(pdf.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    rows = pdf[start:].split(b"\n")
    assert rows[0] == b"xref"
    count = int(rows[1].split()[1])
    for number in range(1, count):
        place = int(rows[2 + number].split()[0])
        assert pdf[place:].startswith(f"{number} 0 obj\n".encode())
    assert pdf.count(b"/Type /Page ") == 2


def test_a_folder_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(TrackerError, match="cannot write"):
        write_sheet(tmp_path / "none" / "tags.pdf", "a4")


def test_opencv_is_the_headless_one() -> None:
    """The other package needs a screen's libraries, and both together break each other."""
    assert "GUI:                           NONE" in cv2.getBuildInformation()
