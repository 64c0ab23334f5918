"""The picture of paths: what its axes are called, and its formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_runtime.evaluation.path_plot import save_paths

PLANE = np.random.default_rng(0).uniform(-1.0, 1.0, (3, 5, 2))
NAMES = ("observation.6", "angle_$a$.0")


def texts(folder: Path, drawn: Array, unit: str, title: str = "paths") -> str:
    """Returns an SVG picture, in which each text stands in a comment."""
    path = folder / "paths.SVG"
    save_paths(drawn, np.zeros((3, 0)), path, title=title, names=NAMES, unit=unit)
    return path.read_text()


def test_coordinates_without_a_unit_are_labelled_by_their_names(tmp_path: Path) -> None:
    """A name with two dollar signs is no formula."""
    picture = texts(tmp_path, PLANE, "1", title="a$_$b$")
    for text in (*NAMES, "a$_$b$"):
        assert f"<!-- {text} -->" in picture
    assert "<!-- observation.6 -->" in texts(tmp_path, PLANE[..., :1], "1")


def test_coordinates_in_metres_are_x_and_y(tmp_path: Path) -> None:
    picture = texts(tmp_path, PLANE, "m")
    assert "<!-- x [m] -->" in picture
    assert "<!-- y [m] -->" in picture


@pytest.mark.parametrize(
    ("suffix", "beginning"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")]
)
def test_every_format_is_written(tmp_path: Path, suffix: str, beginning: bytes) -> None:
    path = tmp_path / f"paths{suffix}"
    save_paths(PLANE, np.eye(3), path, title="paths", names=NAMES, unit="m")
    assert path.read_bytes().startswith(beginning)
