"""Picture of the paths of a set of skills, coloured by the skill."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from skill_proto.arrays import Array
from skill_runtime.evaluation.figure_file import save_figure


def save_paths(
    coordinates: Array,
    skills: Array,
    path: Path,
    *,
    title: str,
    names: Sequence[str],
    unit: str,
) -> None:
    """Draws the paths in the plane, or a single coordinate over the steps.

    Args:
        coordinates: ``(n, steps + 1, C)``; the first two coordinates are drawn.
        skills: ``(n, Z)``; the colour is the direction of the first two entries, or the number of
            the skill.
        path: File to write.
        title: Title of the picture.
        names: Names of the coordinates. They label the axes of quantities without a unit.
        unit: Unit of the coordinates.

    Raises:
        OutputError: The file cannot be written.
    """
    figure = Figure(figsize=(5.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    plane = coordinates.shape[-1] > 1
    for line, hue in zip(coordinates, _hues(skills), strict=True):
        colour = colormaps["twilight_shifted"](hue)
        if plane:
            axes.plot(line[:, 0], line[:, 1], color=colour, linewidth=0.9)
        else:
            axes.plot(line[:, 0], color=colour, linewidth=0.9)
    labels = [_label(*pair, unit) for pair in zip("xy", names, strict=False)]
    # A name with two dollar signs is no formula.
    if plane:
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel(labels[0], parse_math=False)
        axes.set_ylabel(labels[1], parse_math=False)
    else:
        axes.set_xlabel("control step")
        axes.set_ylabel(labels[0], parse_math=False)
    axes.grid(alpha=0.3)
    axes.set_title(title, fontsize=10, parse_math=False)
    save_figure(figure, path, dpi=150)


def _label(letter: str, name: str, unit: str) -> str:
    return name if unit == "1" else f"{letter} [{unit}]"


def _hues(skills: Array) -> Array:
    """Returns a number from 0 to 1 for each skill."""
    n = len(skills)
    if skills.shape[1] == 2:
        return (np.arctan2(skills[:, 1], skills[:, 0]) + np.pi) / (2 * np.pi)
    if skills.shape[1] > 2:
        return skills.argmax(axis=1) / skills.shape[1]
    return np.arange(n) / n
