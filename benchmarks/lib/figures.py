"""Common style of the figures."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skill_runtime.evaluation.figure_file import save_figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")
"""Palette of Okabe and Ito, safe for colour-blind readers."""


def tidy(axes: Axes, title: str) -> None:
    """Adds a title and a faint grid, and removes the frame."""
    axes.set_title(title, fontsize="medium", loc="left")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Writes the figure in the resolution of the benchmarks, as ``save_figure`` does.

    Raises:
        OutputError: The file cannot be written.
    """
    save_figure(figure, path, dpi=120)
