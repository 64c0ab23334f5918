"""The picture of an evaluation: the path of the cube for each skill, seen from above."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle, Wedge

from skill_proto.arrays import Array
from skill_robots.motion.action import ActionConfig
from skill_robots.tasks.tabletop.trajectories import Trajectories
from skill_runtime.evaluation.figure_file import save_figure

REACH_M = 0.855
"""Reach of the Panda, from its first axis (Franka Emika, datasheet) [m]."""

BACKGROUND, SURFACE, RULE, TEXT, QUIET = "#0e1117", "#161b24", "#2a3240", "#e8ecf2", "#8b95a5"


def save_fan(trajectories: Trajectories, path: Path, *, title: str, subtitle: str) -> None:
    """Draws all pushes, coloured by skill, and writes the picture.

    The left panel shows displacement from the cube's own start, the right panel the same paths on
    the table in front of the arm. The first two components of a skill give its colour.

    Raises:
        OutputError: the file cannot be written.
    """
    figure = Figure(figsize=(13.0, 7.5), facecolor=BACKGROUND)
    fan = figure.add_axes((0.03, 0.035, 0.46, 0.797))
    table = figure.add_axes((0.51, 0.035, 0.46, 0.797))
    colours = np.tile(skill_colours(trajectories.skills), (len(trajectories.cube), 1))
    _draw_fan(fan, trajectories, colours)
    _draw_table(table, trajectories, colours)
    heading = figure.text(0.03, 0.935, title, color=TEXT, fontsize=19, fontweight="bold")
    heading.set_parse_math(False)  # a name with two dollar signs is no formula
    figure.text(0.03, 0.895, subtitle, color=QUIET, fontsize=11.5)
    save_figure(figure, path, dpi=140)


def skill_colours(skills: Array) -> Array:
    """Returns the RGB colour of each skill ``(k, Z)``: its angle as a hue of constant lightness.

    OKLCH with L = .74, C = .145, by B. Ottosson's matrices (A perceptual color space for image
    processing, 2020), so that every direction has the same visual weight.
    """
    x, y = (skills[:, 0], skills[:, 1]) if skills.shape[1] > 1 else np.zeros((2, len(skills)))
    hue = np.arctan2(y, x) + 0.5
    lightness, chroma = 0.74, 0.145
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    cone = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip((to_linear @ cone**3).T, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _from_above(xy: Array) -> Array:
    """Converts world (x, y) to the picture: x (away from the arm) up, y (to its left) left."""
    return np.stack([-xy[..., 1], xy[..., 0]], axis=-1)


def _draw_fan(axes: Axes, trajectories: Trajectories, colours: Array) -> None:
    paths = _from_above(trajectories.displacement).reshape(-1, trajectories.cube.shape[2], 2)
    extent = max(0.12, 1.06 * float(np.abs(paths).max()))
    _prepare(axes, (-extent, extent), (-extent, extent))
    for radius in np.arange(0.1, 1.4 * extent, 0.1):
        axes.add_patch(Circle((0, 0), radius, fill=False, color=RULE, lw=0.9, zorder=1))
        # The labels stand on the diagonal, which has the most room.
        corner = radius * np.sqrt(0.5)
        if corner < 0.97 * extent:
            _note(axes, (corner, -corner), f"{100 * radius:.0f} cm")
    _draw_paths(axes, paths, colours)
    axes.add_patch(_cube((0.0, 0.0), edgecolor=TEXT, facecolor=SURFACE))
    _caption(axes, "displacement of the cube from its start, one colour per skill")


def _draw_table(axes: Axes, trajectories: Trajectories, colours: Array) -> None:
    actions = ActionConfig()
    base = _from_above(np.array(actions.base_position[:2]))
    paths = _from_above(trajectories.cube).reshape(-1, trajectories.cube.shape[2], 2)
    half = 0.56
    _prepare(axes, (-half, half), (base[1] - 0.12, base[1] - 0.12 + 2 * half))
    axes.add_patch(
        Wedge(tuple(base), REACH_M, 0, 180, width=0.004, facecolor=QUIET, alpha=0.7, zorder=1)
    )
    _note(axes, (0.0, base[1] + REACH_M + 0.022), "reach of the arm")
    low, high = np.array(actions.workspace_low), np.array(actions.workspace_high)
    corner = (-high[1], low[0])
    axes.add_patch(
        Rectangle(
            corner,
            high[1] - low[1],
            high[0] - low[0],
            fill=False,
            ec=QUIET,
            lw=1.0,
            ls=(0, (4, 4)),
            zorder=1,
        )
    )
    _note(axes, (corner[0] + 0.1, corner[1] - 0.06), "workspace of the hand")
    _draw_arm(axes, base)
    _draw_paths(axes, paths, colours)
    _draw_directions(axes)
    _caption(axes, "the same pushes on the table, from above")


def _draw_directions(axes: Axes) -> None:
    """Draws the world's x and y in a corner. Both pictures have the same directions."""
    for end, name in (((0.12, 0.16), "x"), ((0.02, 0.06), "y")):
        axes.annotate(
            name,
            xy=(0.12, 0.06),
            xytext=end,
            xycoords="axes fraction",
            color=QUIET,
            fontsize=10,
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "<-", "color": QUIET, "shrinkB": 0},
        )


def _draw_arm(axes: Axes, base: Array) -> None:
    """Draws the arm at its low start, with the hand over the middle of the table."""
    for width, colour in ((15.0, "#3a4352"), (11.0, "#f2f4f7")):
        axes.plot(
            [base[0], 0.0],
            [base[1], -0.02],
            color=colour,
            lw=width,
            alpha=0.16,
            solid_capstyle="round",
            zorder=1.2,
        )
    axes.add_patch(Circle(tuple(base), 0.062, fc="#f2f4f7", ec="#3a4352", lw=1.5, zorder=3))
    axes.add_patch(Circle(tuple(base), 0.030, fc="#3a4352", ec="none", zorder=3))


def _draw_paths(axes: Axes, paths: Array, colours: Array) -> None:
    """Draws paths ``(n, points, 2)`` that get brighter towards the end, which has a dot."""
    points = paths.shape[1]
    segments = np.stack([paths[:, :-1], paths[:, 1:]], axis=2).reshape(-1, 2, 2)
    alpha = np.tile(np.linspace(0.25, 0.95, points - 1), len(paths))
    rgba = np.column_stack([np.repeat(colours, points - 1, axis=0), alpha])
    axes.add_collection(
        LineCollection(list(segments), colors=rgba, linewidths=1.15, capstyle="round", zorder=2)
    )
    axes.scatter(
        paths[:, -1, 0],
        paths[:, -1, 1],
        s=16,
        c=colours,
        edgecolors=SURFACE,
        linewidths=0.6,
        zorder=2.5,
    )


def _cube(centre: tuple[float, float], *, edgecolor: str, facecolor: str) -> FancyBboxPatch:
    size = 0.03
    return FancyBboxPatch(
        (centre[0] - size / 2, centre[1] - size / 2),
        size,
        size,
        lw=1.4,
        ec=edgecolor,
        fc=facecolor,
        boxstyle="round,pad=0.005",
        zorder=3,
    )


def _prepare(axes: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    axes.set_xlim(*x)
    axes.set_ylim(*y)
    axes.set_aspect("equal")
    axes.set_facecolor(SURFACE)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _note(axes: Axes, at: tuple[float, float], text: str) -> None:
    axes.text(
        *at,
        text,
        color=QUIET,
        fontsize=9,
        ha="center",
        va="center",
        zorder=4,
        bbox={"facecolor": SURFACE, "edgecolor": "none", "pad": 1.2, "alpha": 0.75},
    )


def _caption(axes: Axes, text: str) -> None:
    axes.text(0.0, 1.022, text, transform=axes.transAxes, color=TEXT, fontsize=11.5)
