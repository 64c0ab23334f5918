"""Compares rows in any world: trains, scores, prints a table, and draws bars."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from benchmarks.discovery.comparison.cost import equal_compute
from benchmarks.discovery.comparison.rows import Row
from benchmarks.discovery.comparison.study import (
    StudyOptions,
    choose,
    report_failures,
    run_study,
    split_words,
    world_flags,
)
from benchmarks.discovery.comparison.tables import (
    Columns,
    draw_bars,
    minutes,
    print_scores,
    write_scores,
)
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt
from skill_robots.worlds.registry import TABLETOP

COLUMNS: Columns = {
    "coverage_cells": ("cells", ".0f"),
    "moved_share_10cm": ("> 10 cm", ".3f"),
    "displacement_cells_2cm": ("cells", ".0f"),
    "median_displacement": ("median distance", ".2f"),
    "octants": ("octants", ".1f"),
    "displacement_r2": ("R2", ".3f"),
    "goal_staying_share": ("staying at goals", ".3f"),
    "goal_share_5cm": ("goals 5 cm", ".3f"),
    "mean_return": ("return", ".0f"),
}


@dataclass(frozen=True, kw_only=True)
class WorldOptions(StudyOptions):
    """Options of a comparison in any world."""

    world: str = "ant"
    """World, as for skill-train --world."""
    folder: Path = Path("logs/discovery")
    """Folder of the run directories, their logs and the scores."""
    env_steps: PositiveInt = 3_200_000
    """Environment steps of each run."""
    equal: Literal["steps", "compute"] = "steps"
    """compute: each row gets the environment steps that take the processor time of the first
    chosen row with --env-steps. The costs are measured once, and kept in the folder."""
    picture: Path | None = None
    """Bar picture of the first column; default: bars.png in the folder."""


def run_comparison(name: str, description: str | None, title: str, rows: Sequence[Row]) -> None:
    """Runs the program ``benchmarks.discovery.<name>``; words after ``--`` hold for all rows."""
    own, common = split_words(sys.argv[1:])
    run_program(
        lambda options: compare(title, options, rows, common),
        WorldOptions,
        prog=f"python -m benchmarks.discovery.{name}",
        description=description,
        args=own,
    )


def compare(title: str, config: WorldOptions, rows: Sequence[Row], common: Sequence[str]) -> None:
    """Trains and scores the rows, prints the table, and draws the picture."""
    chosen: Sequence[Row] = choose(rows, config.rows)
    steps: dict[str, int] | None = None
    if config.equal == "compute":
        flags = world_flags(config.world, common)
        steps = equal_compute(chosen, flags, config.env_steps, config.folder)
    # The names are chosen already.
    scored, failures = run_study(replace(config, rows=()), chosen, config.world, common, steps)
    extra = {
        "M steps": [_millions(one.row, config, steps) for one in scored],
        "minutes": [minutes(one) for one in scored],
    }
    columns = {name: one for name, one in COLUMNS.items() if _is_shown(name, config.world)}
    print_scores(f"{title} in {config.world}: mean [95 % interval]", scored, columns, extra)
    known = {name for one in scored for name in one.metrics}
    first = next((name for name in columns if name in known), None)
    settings = {"world": config.world, "env_steps": config.env_steps, "flags": list(common)}
    write_scores(config, scored, settings | {"equal": config.equal, "steps": steps})
    if first is not None:
        draw_bars(scored, first, LABELS.get(first, first), config.picture or _bars(config))
    report_failures(failures)


LABELS = {
    "coverage_cells": "cells that 48 skills visit",
    "displacement_cells_2cm": "2 cm cells of displacement that 48 skills visit",
    "mean_return": "mean return of an episode",
}
"""Titles of the picture."""


def _is_shown(name: str, world: str) -> bool:
    return name != "moved_share_10cm" or world == TABLETOP


def _bars(config: WorldOptions) -> Path:
    return config.folder / "bars.png"


def _millions(row: Row, config: WorldOptions, steps: dict[str, int] | None) -> str:
    if row.algorithm is None:
        return "-"
    return f"{(config.env_steps if steps is None else steps[row.key]) / 1e6:.2f}"
