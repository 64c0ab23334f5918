"""The results of a sweep: mean and interval of each metric over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skill_proto.arrays import Array
from skill_training.sweep.grid import Run

RESAMPLES = 2000
"""Number of bootstrap samples."""

FINAL = "final/"
"""Prefix of the metrics of a run's final evaluation."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """The results of one setting."""

    setting: str
    seeds: tuple[int, ...]
    """Seeds of the runs that have ended."""
    metrics: dict[str, tuple[float, float, float]]
    """Mean, and lower and upper end of the 95 % bootstrap interval of the mean, by name."""


def summarize(runs: Sequence[Run], finals: Mapping[str, Mapping[str, float]]) -> list[Row]:
    """Returns a row for each setting, in order.

    Args:
        runs: All runs of the sweep.
        finals: Record of the final evaluation of each run that has ended, by name.
    """
    rows: list[Row] = []
    for setting in dict.fromkeys(run.setting for run in runs):
        ended = [run for run in runs if run.setting == setting and run.name in finals]
        records = [finals[run.name] for run in ended]
        every = dict.fromkeys(name for record in records for name in record)
        names = [name for name in every if name.startswith(FINAL)]
        metrics = {
            name.removeprefix(FINAL): mean_with_interval(
                np.array([record[name] for record in records if name in record])
            )
            for name in names
        }
        rows.append(Row(setting=setting, seeds=tuple(run.seed for run in ended), metrics=metrics))
    return rows


def mean_with_interval(values: Array) -> tuple[float, float, float]:
    """Returns the mean of values ``(n,)`` and its 95 % percentile bootstrap interval.

    With one value the interval is that value.
    """
    draws = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def to_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Returns the rows as plain JSON values."""
    return [
        {
            "setting": row.setting,
            "seeds": list(row.seeds),
            "metrics": {
                name: {"mean": mean, "low": low, "high": high}
                for name, (mean, low, high) in row.metrics.items()
            },
        }
        for row in rows
    ]


def to_text(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Returns a Markdown table of the named metrics; a setting without an ended run has dashes."""
    head = ["setting", "seeds", *names]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [_cell(row.metrics.get(name)) for name in names]
        lines.append([row.setting or "as given", str(len(row.seeds)), *cells])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = [
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    return "\n".join(f"| {line} |" for line in padded)


def _cell(value: tuple[float, float, float] | None) -> str:
    if value is None:
        return "-"
    mean, low, high = value
    return f"{mean:.3g}" if low == high else f"{mean:.3g} [{low:.3g}, {high:.3g}]"
