r"""Prints the tables of the skill-aware benchmark: success by split and cell, with the published.

    python -m benchmarks.skill_aware.table --reference pick --subject shipped --scores \
        still=still.json pick=pick.json saccm=s0.json,s1.json,s2.json shipped=shipped.json

Each file is an output of `skill-eval --task skill-aware --json FILE`. Several files of one name are
training seeds of one method. A cell shows skill-awareness if the subject exceeds the reference, a
fixed pick, by more than two standard errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Some
from benchmarks.lib.report import print_table, write_json
from benchmarks.skill_aware.scores import PUBLISHED_CELLS, PUBLISHED_SPLITS, Score, read_scores
from skill_robots.tasks.skill_aware.benchmark import CELLS, SPLITS, Cell, cell_name
from skill_runtime.console.flags import UsageError

HELD_OUT_BOX = Cell(5.0, 10.0)
"""The only cell of the moderate split outside the shipped policy's training range."""

STANDARD_ERRORS = 2.0


@dataclass(frozen=True, kw_only=True)
class Config:
    """Success on the skill-aware benchmark, by split and by cell."""

    scores: Some[str]
    """NAME=FILE,FILE,...: results of skill-eval; FILE#key selects one part of a file."""
    reference: str
    """Name of the fixed pick."""
    subject: str
    """Name of the policy that is compared with the reference, cell by cell."""
    json: Path | None = None
    """Write the result to this file."""


def spread(values: list[float]) -> str:
    """Returns the mean, and the range of several values."""
    text = f"{np.mean(values):.3f}"
    return text if len(values) == 1 else f"{text} ({min(values):.2f} to {max(values):.2f})"


def split_rows(scores: dict[str, Score]) -> list[list[str]]:
    """Returns one row for each policy, then one for each published method."""
    rows = [
        [
            name,
            *(spread(score.split(split)) for split in SPLITS),
            spread(score.cell(HELD_OUT_BOX)),
            str(len(score.runs)),
            "?" if score.episodes is None else str(score.episodes // len(score.runs)),
        ]
        for name, score in scores.items()
    ]
    for name, values in PUBLISHED_SPLITS.items():
        saccm = f"{PUBLISHED_CELLS[HELD_OUT_BOX]:.2f}" if name.startswith("SaCCM") else "-"
        rows.append([name, *(f"{value:.2f}" for value in values), saccm, "5", "-"])
    return rows


def gain(subject: Score, reference: Score, cell: Cell) -> tuple[float, float]:
    """Returns the difference of two success rates, and its standard error.

    The error is that of two independent binomial rates, each with one success and one failure added
    (Agresti and Caffo 2000), so that rates of 0 and 1 do not have a zero error.
    """
    error = 0.0
    for score in (subject, reference):
        n = score.episodes or 0
        rate = (score.mean(cell) * n + 1.0) / (n + 2.0)
        error += rate * (1.0 - rate) / (n + 2.0)
    return subject.mean(cell) - reference.mean(cell), math.sqrt(error)


def cell_rows(scores: dict[str, Score], config: Config) -> list[list[str]]:
    """Returns one row per cell."""
    subject, reference = scores[config.subject], scores[config.reference]
    split_of = {cell: name for name, cells in SPLITS.items() for cell in cells}
    rows: list[list[str]] = []
    for cell in CELLS:
        difference, error = gain(subject, reference, cell)
        verdict = "no"
        if difference > STANDARD_ERRORS * error:
            verdict = "yes"
        elif difference < -STANDARD_ERRORS * error:
            verdict = "no, worse"
        rows.append(
            [
                cell_name(cell),
                split_of[cell],
                *(f"{score.mean(cell):.2f}" for score in scores.values()),
                f"{PUBLISHED_CELLS[cell]:.2f}",
                f"{difference:+.2f} ± {error:.2f}",
                verdict,
            ]
        )
    return rows


def main(config: Config) -> None:
    """Prints the tables, and writes the JSON file."""
    scores = read_scores(config.scores)
    for name in (config.reference, config.subject):
        if name not in scores:
            raise UsageError(f"{name!r} is not among the scores {', '.join(scores)}")
        if scores[name].episodes is None:
            raise UsageError(f"the files of {name!r} do not say how many episodes they are of")
    rows = split_rows(scores)
    print_table(
        ["policy", *SPLITS, f"cell {cell_name(HELD_OUT_BOX)}", "runs", "episodes a cell"], rows
    )
    print()
    cells = cell_rows(scores, config)
    gain_title = f"{config.subject} - {config.reference}"
    print_table(
        ["friction,mass", "split", *scores, "SaCCM published", gain_title, "skill-aware"], cells
    )
    shown = [row[0] for row in cells if row[-1] == "yes"]
    listed = "; ".join(shown) or "none"
    print(f"\n{config.subject} shows skill-awareness in {len(shown)} cells: {listed}")
    write_json(config.json, {"splits": rows, "cells": cells, "skill_aware_cells": shown})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.skill_aware.table", description=__doc__)
