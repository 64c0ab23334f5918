"""How fast does coverage grow, in gradient steps and in environment steps?

    python -m benchmarks.discovery.curves --runs CSF=logs/csf/a,logs/csf/b METRA=logs/metra/c

Draws the evaluations during training of one or more kinds of runs, and prints a table. Runs in Ant
are shown beside the authors' own run of CSF.

An evaluation during training has one episode for each of 48 skills, with the integrator of
training. The scores of a finished policy, with the integrator of Gymnasium's file, are those of
skill-eval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.lib.figures import COLOURS, save, tidy
from benchmarks.lib.inputs import named
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Some
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_runtime.console.flags import UsageError
from skill_training.errors import TrainingError
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import FILE_NAME, STEP, read

UPDATES = "updates"

METRICS = ("eval/coverage_cells", "eval/displacement_cells_2cm")
"""Coverage in a world, and on the tabletop."""

PUBLISHED_NAME = "CSF, its authors' run"

PUBLISHED_STEPS_PER_UPDATE = 32

PUBLISHED: tuple[tuple[float, float], ...] = (
    (0.8e6, 4),
    (1.6e6, 7),
    (2.4e6, 225),
    (3.2e6, 511),
    (4.0e6, 830),
    (4.8e6, 1275),
    (6.4e6, 1643),
    (8.0e6, 1738),
    (9.6e6, 2010),
    (11.2e6, 2112),
    (12.8e6, 2156),
    (14.4e6, 2040),
    (16.0e6, 2217),
)
"""Environment steps, and cells that 48 skills visit, of the authors' code of CSF on Ant, seed 0:
public training logs of github.com/bz5989/Junior-IW, with the published settings."""

PUBLISHED_WORLD = "ant"

MORE_UPDATES = (11_000,)
"""Columns of the table in addition to those of the published run."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Coverage during training."""

    runs: Some[str]
    """NAME=DIR,DIR,...: run directories of one kind, one for each training seed."""
    out: Path = Path("logs/discovery/curves.png")
    """The picture."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The evaluations of one run."""

    world: str | None
    updates: Array
    """``(n,)`` gradient steps."""
    env_steps: Array
    """``(n,)``."""
    cells: Array
    """``(n,)``."""

    def at(self, updates: float) -> float | None:
        """Returns the cells after some gradient steps, interpolated; None beyond the run."""
        if not len(self.updates) or not self.updates[0] <= updates <= self.updates[-1]:
            return None
        return float(np.interp(updates, self.updates, self.cells))


def read_curve(path: Path) -> Curve:
    """Reads the evaluations of a run; exits with the reason if there are none."""
    try:
        world = RunDirectory(path).config().world
        records = read(path / FILE_NAME)
    except TrainingError as error:
        raise UsageError(str(error)) from None
    name = next((one for one in METRICS if any(one in record for record in records)), None)
    if name is None:
        raise UsageError(f"the run in {path} has no evaluation of coverage yet ({METRICS[0]})")
    found = [record for record in records if name in record]
    return Curve(
        world=world,
        updates=np.array([record[UPDATES] for record in found]),
        env_steps=np.array([record[STEP] for record in found]),
        cells=np.array([record[name] for record in found]),
    )


def published() -> Curve:
    """Returns the authors' curve."""
    steps, cells = np.array(PUBLISHED).T
    return Curve(
        world=PUBLISHED_WORLD,
        updates=steps / PUBLISHED_STEPS_PER_UPDATE,
        env_steps=steps,
        cells=cells,
    )


def columns(curves: Sequence[Curve]) -> list[float]:
    """Returns the gradient steps of the table's columns, up to the end of the longest run."""
    longest = max(float(curve.updates[-1]) for curve in curves)
    wanted = sorted({*MORE_UPDATES, *published().updates.tolist()})
    return [one for one in wanted if one <= longest] or [longest]


def print_curves(kinds: dict[str, list[Curve]]) -> None:
    """Prints the mean cells of each kind of run after some gradient steps."""
    at = columns([curve for name, one in kinds.items() if name != PUBLISHED_NAME for curve in one])
    rows: list[list[str]] = []
    for name, curves in kinds.items():
        cells: list[str] = []
        for updates in at:
            values = [found for curve in curves if (found := curve.at(updates)) is not None]
            cells.append(_range(values))
        rows.append([name, str(len(curves)), *cells])
    print_table(["cells after k updates", "runs", *(f"{one / 1000:g}" for one in at)], rows)


def _range(values: Sequence[float]) -> str:
    """Formats the mean, and the least and the largest value if there are several."""
    if not values:
        return "-"
    mean = f"{np.mean(values):.0f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.0f} to {max(values):.0f})"


def draw(kinds: dict[str, list[Curve]], path: Path) -> None:
    """Draws the cells over gradient steps and over environment steps."""
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    own = [curve for name, one in kinds.items() if name != PUBLISHED_NAME for curve in one]
    for place, (name, curves) in enumerate(kinds.items()):
        colour = COLOURS[place % len(COLOURS)]
        for number, curve in enumerate(curves):
            label = name if number == 0 else None
            for axes, steps in ((left, curve.updates / 1e3), (right, curve.env_steps / 1e6)):
                if name == PUBLISHED_NAME:
                    axes.plot(steps, curve.cells, "o", color="black", markersize=4, label=label)
                else:
                    axes.plot(steps, curve.cells, color=colour, linewidth=1.4, label=label)
    updates, steps = (
        max(float(values[-1]) for values in ends)
        for ends in ([curve.updates for curve in own], [curve.env_steps for curve in own])
    )
    shown = [cells for n, cells in PUBLISHED if PUBLISHED_NAME in kinds and n <= steps]
    top = max([*shown, *(float(curve.cells.max()) for curve in own)])
    _finish(left, "k gradient steps", updates / 1e3, top)
    _finish(right, "M environment steps", steps / 1e6, top)
    left.legend(frameon=False, fontsize="small")
    save(figure, path)
    print(f"wrote {path}")


def _finish(axes: Axes, label: str, longest: float, top: float) -> None:
    tidy(axes, "cells that 48 skills visit")
    axes.set_xlabel(label, fontsize="small")
    axes.set_xlim(0.0, 1.02 * longest)
    axes.set_ylim(0.0, 1.08 * top)


def main(config: Config) -> None:
    """Reads the runs, prints the table and draws the picture."""
    found = named(config.runs, "DIR")
    kinds = {name: [read_curve(path) for path in paths] for name, paths in found.items()}
    if not kinds:
        raise UsageError("--runs needs at least one NAME=DIR")
    if any(curve.world == PUBLISHED_WORLD for one in kinds.values() for curve in one):
        kinds[PUBLISHED_NAME] = [published()]
    print_curves(kinds)
    result = {
        name: [
            {
                "updates": curve.updates.tolist(),
                "env_steps": curve.env_steps.tolist(),
                "cells": curve.cells.tolist(),
            }
            for curve in curves
        ]
        for name, curves in kinds.items()
    }
    write_json(config.json, {"curves": result})
    draw(kinds, config.out)


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.discovery.curves", description=__doc__)
