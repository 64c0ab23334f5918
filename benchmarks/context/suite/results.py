"""Results of the runs in one world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.context.suite.methods import METHODS
from benchmarks.context.suite.published import PUBLISHED
from benchmarks.discovery.comparison.tables import cell
from benchmarks.lib.report import print_table
from skill_training.cli import config_of
from skill_training.recipes.context.evaluation import SPLITS
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import FILE_NAME, read
from skill_training.sweep.grid import Run
from skill_training.sweep.settings import configs_of, refuse_others
from skill_training.sweep.sweep import final_record
from skill_training.sweep.table import FINAL

CRIPPLED = "crippled_"
"""Start of the names of joints and legs that may get no torque."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The finished runs of one world."""

    world: str
    finals: dict[str, list[dict[str, float]]]
    """Scores of the final evaluations by method, one dictionary for each training seed."""
    logs: dict[str, list[list[dict[str, float]]]]
    """Records of the metrics logs by method."""


def scored(world: str, folder: Path, runs: Sequence[Run]) -> Scored:
    """Returns the results of the finished runs; a told policy has no file that can be served.

    Raises:
        RunDirectoryError: a finished run has other settings.
    """
    finals: dict[str, list[dict[str, float]]] = {run.setting: [] for run in runs}
    logs: dict[str, list[list[dict[str, float]]]] = {run.setting: [] for run in runs}
    records = {run.name: final_record(folder / run.name) for run in runs}
    finished = [run for run in runs if records[run.name] is not None]
    for name, wanted in configs_of(finished, config_of).items():
        refuse_others(RunDirectory(folder / name), wanted)
    for run in finished:
        record = records[run.name] or {}
        finals[run.setting].append(
            {name.removeprefix(FINAL): value for name, value in record.items()}
        )
        logs[run.setting].append(read(folder / run.name / FILE_NAME))
    return Scored(world=world, finals=finals, logs=logs)


def print_world(found: Scored) -> None:
    """Prints the returns beside the published ones, and R2 of the hidden quantities."""
    print(f"\n{found.world}: return [95 % interval over training seeds], and R2 at the end\n")
    quantities = quantities_of(found)
    headers = ["method", "seeds", *SPLITS, "published", *(f"R2 of {one}" for one in quantities)]
    print_table(headers, [_row(found, name, quantities) for name in found.finals])


def quantities_of(found: Scored) -> dict[str, list[str]]:
    """Returns the hidden quantities that a run has estimated, by title; the joints are one."""
    names = [name for runs in found.finals.values() for run in runs for name in run]
    known = dict.fromkeys(name.split(".")[1] for name in names if name.startswith("r2."))
    groups: dict[str, list[str]] = {}
    for name in known:
        title = "crippled joints, mean" if name.startswith(CRIPPLED) else name
        groups.setdefault(title, []).append(name)
    return groups


def to_json(found: Scored) -> dict[str, Any]:
    """Returns the results as plain JSON values."""
    published = PUBLISHED[found.world]
    return {"world": found.world, "methods": found.finals, "published": published}


def _row(found: Scored, name: str, quantities: Mapping[str, Sequence[str]]) -> list[str]:
    runs = found.finals[name]
    returns = [cell(_values(runs, [f"return.{split}"]), ",.0f") for split in SPLITS]
    published = PUBLISHED[found.world].get(name)
    known = " / ".join(f"{value:,.0f}" for value in published) if published else ""
    shares = [
        " / ".join(_mean(runs, [f"r2.{one}.{split}" for one in group]) for split in SPLITS)
        for group in quantities.values()
    ]
    return [METHODS[name][0], str(len(runs)), *returns, known, *shares]


def _mean(runs: Sequence[dict[str, float]], names: Sequence[str]) -> str:
    values = _values(runs, names)
    return f"{np.mean(values):.2f}" if values else "-"


def _values(runs: Sequence[dict[str, float]], names: Sequence[str]) -> list[float]:
    return [run[name] for run in runs for name in names if name in run]
