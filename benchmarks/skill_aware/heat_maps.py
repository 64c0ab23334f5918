r"""Draws success in every cell of the skill-aware benchmark, several policies side by side.

    python -m benchmarks.skill_aware.heat_maps \
        --scores "fixed pick=pick.json" "SaCCM=s0.json,s1.json,s2.json"

The files are those of benchmarks/skill_aware/table.py. The published scores are the last panel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from benchmarks.lib.figures import save
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Some
from benchmarks.skill_aware.scores import PUBLISHED_CELLS, read_scores
from skill_robots.tasks.skill_aware.benchmark import CELLS, TRAIN, Cell
from skill_robots.tasks.skill_aware.scenes import FRICTIONS, MASSES

COLUMNS = (4, 5, 3)
"""Candidates for the number of panels in a row; the one with the fewest empty places wins."""
PANEL_INCHES = (2.3, 2.5)
LIGHT = 0.55
"""Success above which the cell is too light for white digits."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Heat maps of success by cell."""

    scores: Some[str]
    """NAME=FILE,FILE,...: results of skill-eval; the files of a name are averaged."""
    out: Path = Path("logs/skill_aware_cells.png")
    """Write the picture to this file."""


def draw_map(axes: Axes, title: str, success: dict[Cell, float]) -> AxesImage:
    """Draws friction upwards, mass to the right; the published training cells have a frame."""
    grid = np.array([[success[Cell(friction, mass)] for mass in MASSES] for friction in FRICTIONS])
    image = axes.imshow(grid, cmap="cividis", vmin=0.0, vmax=1.0, origin="lower")
    for row, friction in enumerate(FRICTIONS):
        for column, mass in enumerate(MASSES):
            value = grid[row, column]
            colour = "black" if value > LIGHT else "white"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour,
                      fontsize="small")  # fmt: skip
            if Cell(friction, mass) in TRAIN:
                axes.add_patch(
                    Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, ec=colour, lw=1)
                )
    axes.set_xticks(range(len(MASSES)), [f"{mass:g}" for mass in MASSES])
    axes.set_yticks(range(len(FRICTIONS)), [f"{friction:g}" for friction in FRICTIONS])
    axes.tick_params(length=0)
    axes.set_title(title, fontsize="medium", loc="left")
    return image


def main(config: Config) -> None:
    """Reads the scores and draws the picture."""
    scores = {
        name: {cell: score.mean(cell) for cell in CELLS}
        for name, score in read_scores(config.scores).items()
    }
    maps = {**scores, "SaCCM, published": PUBLISHED_CELLS}
    columns = min(COLUMNS, key=lambda count: -len(maps) % count)
    rows = -(-len(maps) // columns)
    size = (columns * PANEL_INCHES[0] + 0.6, rows * PANEL_INCHES[1] + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    images = [draw_map(axes, *item) for axes, item in zip(panels, maps.items(), strict=False)]
    for axes in panels[len(maps) :]:
        axes.set_axis_off()
    figure.colorbar(images[0], ax=panels, shrink=0.6, label="success")
    figure.supxlabel("mass [kg]; framed: the published training cells", fontsize="small")
    figure.supylabel("friction label", fontsize="small")
    save(figure, config.out)
    print(f"wrote {config.out}")


if __name__ == "__main__":
    run_program(
        main, Config, prog="python -m benchmarks.skill_aware.heat_maps", description=__doc__
    )
