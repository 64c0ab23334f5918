"""Common style of the figures."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.lib.files import PICTURES, check_outputs, check_suffix, replace_bytes

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")
"""Palette of Okabe and Ito, safe for colour-blind readers."""


def tidy(axes: Axes, title: str) -> None:
    """Adds a title and a faint grid, and removes the frame."""
    axes.set_title(title, fontsize="medium", loc="left")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Writes the figure as a whole; exits with a message if the file cannot be written."""
    check_suffix(path, PICTURES)
    check_outputs(path)
    drawn = BytesIO()
    try:
        figure.savefig(drawn, dpi=120, format=path.suffix[1:].lower())
    except (OSError, ValueError) as error:
        raise SystemExit(f"cannot write the figure {path}: {error}") from None
    replace_bytes(path, drawn.getvalue())
