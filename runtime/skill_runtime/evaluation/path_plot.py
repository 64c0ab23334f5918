"""Picture of the paths of a set of skills, coloured by the skill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from skill_proto.arrays import Array


def save_paths(coordinates: Array, skills: Array, path: Path, *, title: str, unit: str) -> None:
    """Draws the paths in the plane, or a single coordinate over the steps.

    Args:
        coordinates: ``(n, steps + 1, C)``; the first two coordinates are drawn.
        skills: ``(n, Z)``; the colour is the direction of the first two entries, or the number of
            the skill.
        path: File to write.
        title: Title of the picture.
        unit: Unit of the coordinates.
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
    if plane:
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel(f"x [{unit}]")
        axes.set_ylabel(f"y [{unit}]")
    else:
        axes.set_xlabel("control step")
        axes.set_ylabel(f"x [{unit}]")
    axes.grid(alpha=0.3)
    axes.set_title(title, fontsize=10)
    figure.savefig(path, dpi=150)


def _hues(skills: Array) -> Array:
    """Returns a number from 0 to 1 for each skill."""
    n = len(skills)
    if skills.shape[1] == 2:
        return (np.arctan2(skills[:, 1], skills[:, 0]) + np.pi) / (2 * np.pi)
    if skills.shape[1] > 2:
        return skills.argmax(axis=1) / skills.shape[1]
    return np.arange(n) / n
