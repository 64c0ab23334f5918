"""Learning curves of the methods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.context.suite.methods import METHODS
from benchmarks.context.suite.results import Scored
from benchmarks.lib.figures import COLOURS, save, tidy
from skill_proto.arrays import Array
from skill_training.recipes.context.evaluation import SPLITS
from skill_training.run.metrics_log import STEP

EVALUATION = "eval/return."


def draw_curves(worlds: Sequence[Scored], path: Path) -> None:
    """Draws the return against environment steps, a row for each world and a column for each set.

    A line is the mean over training seeds; the band is their range.
    """
    drawn = [one for one in worlds if any(one.logs.values())]
    if not drawn:
        return
    figure = Figure(figsize=(9.0, 0.6 + 2.3 * len(drawn)), layout="constrained")
    grid = figure.subplots(len(drawn), len(SPLITS), squeeze=False)
    for found, axes_of_world in zip(drawn, grid, strict=True):
        for split, axes in zip(SPLITS, axes_of_world, strict=True):
            for name, logs in found.logs.items():
                if not logs:
                    continue
                steps, values = curve(logs, f"{EVALUATION}{split}")
                again, place = divmod(list(METHODS).index(name), len(COLOURS))
                colour, style = COLOURS[place], "--" if again else "-"
                title = METHODS[name][0]
                axes.plot(steps / 1000, values.mean(axis=0), style, color=colour, label=title)
                low, high = values.min(axis=0), values.max(axis=0)
                axes.fill_between(steps / 1000, low, high, color=colour, alpha=0.2, linewidth=0)
            tidy(axes, f"{found.world}, {split}")
            axes.set_xlabel("thousand environment steps")
        axes_of_world[0].set_ylabel("return")
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    save(figure, path)
    print(f"wrote {path}")


def curve(logs: Sequence[Sequence[dict[str, float]]], name: str) -> tuple[Array, Array]:
    """Returns steps ``(k,)`` and values ``(seeds, k)`` of a metric at steps that all runs have."""
    series = [{row[STEP]: row[name] for row in log if name in row} for log in logs]
    steps = sorted(set.intersection(*(set(one) for one in series)))
    return np.array(steps), np.array([[one[step] for step in steps] for one in series])
