"""The printable pages as a PDF at true size: the net of the cube, and the calibration sheet.

The PDF is written by hand (ISO 32000-1): filled rectangles, lines and one built-in font. A page
has a ruler, with which the scale of the print is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Literal

from skill_proto.files.atomic_file import replace_bytes
from skill_robots.objects import CUBE_SIZE

from . import TrackerError
from .tags import (
    CELLS,
    CUBE_TAG_M,
    FACES,
    SHEET_PITCH_M,
    SHEET_ROWS,
    SHEET_TAG_M,
    Face,
    sheet_places,
    tag_cells,
)

Paper = Literal["a4", "letter"]

PAPER_MM: dict[Paper, tuple[float, float]] = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}
"""Width and height [mm]."""

POINTS_PER_MM = 72 / 25.4
RULER_MM = 100.0
EDGE_MM = 1000 * CUBE_SIZE
FLAP_MM = 8.0
"""Width of the flaps that are glued [mm]."""

NET = {"+x": (0, 0), "+y": (1, 0), "-x": (2, 0), "-y": (3, 0), "+z": (0, 1), "-z": (0, -1)}
"""Column and row of each face in the net; rows count upwards."""


class Page:
    """Drawing commands of one page; places in mm from the lower left corner.

    Args:
        paper: its size.
    """

    def __init__(self, paper: Paper) -> None:
        self.width, self.height = PAPER_MM[paper]
        self._commands: list[str] = []

    @property
    def content(self) -> str:
        """The page's content stream."""
        return "\n".join(self._commands)

    def rectangle(
        self, x: float, y: float, width: float, height: float, *, white: bool = False
    ) -> None:
        """Fills a rectangle, in black or in white."""
        place = f"{_mm(x)} {_mm(y)} {_mm(width)} {_mm(height)}"
        self._commands.append(f"{int(white)} g {place} re f")

    def line(self, start: tuple[float, float], end: tuple[float, float], *, dashed: bool) -> None:
        """Draws a thin grey line."""
        pattern = "[3 3] 0 d" if dashed else "[] 0 d"
        ends = f"{_mm(start[0])} {_mm(start[1])} m {_mm(end[0])} {_mm(end[1])} l S"
        self._commands.append(f".5 G .5 w {pattern} {ends}")

    def text(self, x: float, y: float, text: str, *, size: float = 9.0, grey: float = 0.0) -> None:
        """Writes one line; ``size`` is in points."""
        escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        place = f"{_mm(x)} {_mm(y)} Td ({escaped}) Tj"
        self._commands.append(f"{grey:g} g BT /F1 {size:g} Tf {place} ET")

    def tag(self, number: int, x: float, y: float, size: float) -> None:
        """Draws a tag with its lower left corner at x, y: a black square with white cells.

        White neighbours in a row are one piece, so that no printer draws a line between them.
        """
        cell = size / CELLS
        self.rectangle(x, y, size, size)
        for row, cells in enumerate(tag_cells(number)):
            bottom = y + size - (row + 1) * cell
            for black, group in groupby(range(CELLS), key=cells.__getitem__):
                columns = list(group)
                if not black:
                    width = len(columns) * cell
                    self.rectangle(x + columns[0] * cell, bottom, width, cell, white=True)

    def ruler(self, y: float) -> None:
        """Draws the line that must measure 100 mm."""
        left = (self.width - RULER_MM) / 2
        self.line((left, y), (left + RULER_MM, y), dashed=False)
        for tick in range(11):
            x = left + tick * RULER_MM / 10
            self.line((x, y), (x, y + (3 if tick % 5 == 0 else 1.5)), dashed=False)
        text = "This line must measure 100 mm. Print at 100 % ('actual size'), never 'fit to page'."
        self.text(left, y - 4, text, size=7)


def write_sheet(path: Path, paper: Paper) -> None:
    """Writes both pages.

    Raises:
        TrackerError: the file cannot be written.
    """
    try:
        replace_bytes(path, pdf_of([cube_page(paper), table_page(paper)]))
    except OSError as error:
        raise TrackerError(f"cannot write {path}: {error}") from None


def cube_page(paper: Paper) -> Page:
    """Returns the net of the cube: six faces of 4 cm to fold around it."""
    page = Page(paper)
    left = (page.width - 4 * EDGE_MM - FLAP_MM) / 2
    low = page.height / 2
    page.text(left, page.height - 24, f"Tags for the cube of {EDGE_MM:g} mm", size=13)
    for line, text in enumerate(
        (
            "AprilTag 36h11, black squares of 34 mm. Check the ruler first.",
            "Cut along the solid lines, fold along the dashed ones, and glue the paper around the",
            "cube: the flaps below the faces, +z upwards. Matt paper; glossy paper reflects lamps.",
        )
    ):
        page.text(left, page.height - 31 - 4.5 * line, text)
    for face in FACES:
        column, row = NET[face.name]
        _draw_face(page, face, left + column * EDGE_MM, low + row * EDGE_MM)
    for start, end, dashed in _net_lines():
        page.line((left + start[0], low + start[1]), (left + end[0], low + end[1]), dashed=dashed)
    page.ruler(22)
    return page


def _draw_face(page: Page, face: Face, x: float, y: float) -> None:
    size = 1000 * CUBE_TAG_M
    margin = (EDGE_MM - size) / 2
    page.tag(face.tag, x + margin, y + margin, size)
    # Small and grey, so that it does not disturb the white margin of the tag.
    page.text(x + margin, y + 0.8, f"{face.name}  tag {face.tag}", size=4, grey=0.6)


def _net_lines() -> Iterator[tuple[tuple[float, float], tuple[float, float], bool]]:
    """Yields start, end and whether the line is a fold, from the lower left corner of +x [mm]."""
    a = EDGE_MM
    for column in range(1, 5):
        yield (column * a, 0), (column * a, a), True
    yield (0, a), (a, a), True
    yield (0, 0), (a, 0), True
    outline = [(0, a), (0, 2 * a), (a, 2 * a), (a, a)]
    flap = FLAP_MM
    for column in range(1, 4):  # a flap above and below each side that has no neighbour there
        x = column * a
        outline += [(x + flap / 2, a + flap), (x + a - flap / 2, a + flap), (x + a, a)]
        yield (x, a), (x + a, a), True
        yield (x, 0), (x + a, 0), True
    outline += [(4 * a + flap, a - flap / 2), (4 * a + flap, flap / 2), (4 * a, 0)]
    for column in range(3, 0, -1):
        x = column * a
        outline += [(x + a - flap / 2, -flap), (x + flap / 2, -flap), (x, 0)]
    outline += [(a, -a), (0, -a), (0, a)]
    for start, end in pairwise(outline):
        yield start, end, False


def table_page(paper: Paper) -> Page:
    """Returns the calibration sheet: twelve tags, a cross at the world's origin and an arrow."""
    page = Page(paper)
    x, y = page.width / 2, page.height / 2
    size, pitch = 1000 * SHEET_TAG_M, 1000 * SHEET_PITCH_M
    for number, (right, up) in sheet_places().items():
        page.tag(number, x + 1000 * right - size / 2, y + 1000 * up - size / 2, size)
    page.line((x - 5, y), (x + 5, y), dashed=False)
    page.line((x, y - 5), (x, y + 5), dashed=False)
    top = y + (SHEET_ROWS / 2) * pitch
    page.line((x, top + 1), (x, top + 14), dashed=False)
    page.line((x, top + 14), (x - 2, top + 10), dashed=False)
    page.line((x, top + 14), (x + 2, top + 10), dashed=False)
    page.text(x + 4, top + 9, "+x, away from the base of the arm", size=9)
    page.text(x + 4, top + 4.5, "cross: origin, 0.6 m in front of the base", size=7)
    page.text(x - pitch * 1.5, top + 9, "Calibration sheet", size=13)
    page.text(x - pitch * 1.5, top + 4.5, "flat on the table, or on a board", size=7)
    page.ruler(y - (SHEET_ROWS / 2) * pitch - 5)
    return page


def pdf_of(pages: list[Page]) -> bytes:
    """Returns a PDF file with these pages."""
    first = 4
    kids = " ".join(f"{first + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, page in enumerate(pages):
        box = f"[0 0 {_mm(page.width)} {_mm(page.height)}]"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents {first + 2 * index + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        length = len(page.content.encode("latin-1"))
        objects.append(f"<< /Length {length} >>\nstream\n{page.content}\nendstream")
    parts, places = [b"%PDF-1.4\n"], list[int]()
    for number, content in enumerate(objects, start=1):
        places.append(sum(map(len, parts)))
        parts.append(f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1"))
    start = sum(map(len, parts))
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    parts.append(f"xref\n0 {size}\n0000000000 65535 f \n{table}".encode())
    parts.append(f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return b"".join(parts)


def _mm(length: float) -> str:
    """Returns a length as text in points."""
    return f"{length * POINTS_PER_MM:.4f}"
