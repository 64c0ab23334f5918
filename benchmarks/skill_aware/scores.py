"""Scores on the skill-aware benchmark: those in skill-eval's JSON files, and the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.lib.inputs import is_number, named, read_json
from skill_robots.tasks.skill_aware.benchmark import CELLS, SPLITS, Cell, cell_name
from skill_robots.tasks.skill_aware.scenes import FRICTIONS, MASSES
from skill_runtime.console.flags import UsageError

PUBLISHED_SPLITS: dict[str, tuple[float, float, float]] = {
    "TESAC, published": (0.50, 0.31, 0.22),
    "CCM, published": (0.80, 0.49, 0.29),
    "SaTESAC, published": (0.92, 0.56, 0.37),
    "SaCCM, published": (0.93, 0.57, 0.36),
}
"""Success in train, moderate and extreme: Yu et al. (NeurIPS 2024), Table 1, Panda."""

_SACCM = (
    (0.97, 0.94, 0.87, 0.87),
    (0.93, 0.93, 0.74, 0.14),
    (0.95, 0.69, 0.25, 0.10),
    (0.95, 0.56, 0.25, 0.08),
    (0.95, 0.52, 0.20, 0.07),
)
PUBLISHED_CELLS: dict[Cell, float] = {
    Cell(friction, mass): value
    for friction, row in zip(FRICTIONS, _SACCM, strict=True)
    for mass, value in zip(MASSES, row, strict=True)
}
"""SaCCM's success by cell, from the data in the authors' release."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One policy, or several training seeds of one method."""

    runs: tuple[dict[Cell, float], ...]
    """Success by cell."""
    episodes: int | None
    """Episodes per cell, over all runs; None if the files do not contain it."""

    def split(self, name: str) -> list[float]:
        """Returns the mean success over a split's cells, run by run."""
        return [float(np.mean([run[cell] for cell in SPLITS[name]])) for run in self.runs]

    def cell(self, cell: Cell) -> list[float]:
        """Returns the success in one cell, run by run."""
        return [run[cell] for run in self.runs]

    def mean(self, cell: Cell) -> float:
        """Returns the success in one cell, averaged over the runs."""
        return float(np.mean(self.cell(cell)))


def read_scores(entries: Sequence[str]) -> dict[str, Score]:
    """Reads scores by name, from ``NAME=FILE,FILE,...``; several files are training seeds.

    ``FILE#key`` selects one part of a file with several scores.
    """
    return {name: _read(paths) for name, paths in named(entries, "FILE").items()}


def _read(paths: Sequence[Path]) -> Score:
    runs: list[dict[Cell, float]] = []
    episodes: list[int] = []
    for path in paths:
        content = _part(path)
        cells = _object(content.get("cells"))
        missing = [cell_name(cell) for cell in CELLS if cell_name(cell) not in cells]
        if missing:
            raise UsageError(
                f"{path} lacks the cells {', '.join(missing[:4])} ...; give a file of "
                "`skill-eval --task skill-aware --json FILE`"
            )
        runs.append({cell: _share(path, cell, cells[cell_name(cell)]) for cell in CELLS})
        count = _episodes(path, content)
        episodes += [] if count is None else [count]
    known = len(episodes) == len(runs)
    return Score(runs=tuple(runs), episodes=sum(episodes) if known else None)


def _object(value: object) -> dict[str, object]:
    """Returns an object of JSON, empty if the value is none."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _share(path: Path, cell: Cell, value: object) -> float:
    """Returns the success in a cell; exits if it is no share."""
    if not is_number(value) or not 0.0 <= value <= 1.0:
        raise UsageError(
            f"{path}: the success of cell {cell_name(cell)} is {value!r}, not a number from 0 to 1"
        )
    return float(value)


def _episodes(path: Path, content: dict[str, Any]) -> int | None:
    """Returns the episodes per cell, None if unknown; exits if they are no positive integer."""
    count: object = _object(content.get("settings")).get("episodes", content.get("episodes"))
    if count is None:
        return None
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise UsageError(f"{path}: settings.episodes is {count!r}, not a positive integer")
    return count


def _part(path: Path) -> dict[str, Any]:
    name, _, key = str(path).partition("#")
    content = read_json(Path(name))
    for step in filter(None, key.split("/")):
        inner = content.get(step)
        if not isinstance(inner, dict):
            raise UsageError(f"{name} has no part {step!r}; it has {', '.join(content)}")
        content = cast("dict[str, Any]", inner)
    return content
