"""Tables and bar pictures of scored rows: the mean over training seeds, with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.discovery.comparison.study import Scored, StudyOptions
from benchmarks.lib.figures import COLOURS, save, tidy
from benchmarks.lib.report import print_table, write_json
from skill_training.run.metrics_log import STEP
from skill_training.sweep.table import FINAL, mean_with_interval

Columns = Mapping[str, tuple[str, str]]
"""Title and format of each column, by the name of its metric."""

BAR_INCHES = 0.34


def cell(values: Sequence[float], form: str) -> str:
    """Formats the mean and its 95 % bootstrap interval; a dash without a value."""
    if not values:
        return "-"
    mean, low, high = (format(one, form) for one in mean_with_interval(np.array(values)))
    return mean if low == high else f"{mean} [{low}, {high}]"


def print_scores(
    title: str,
    scored: Sequence[Scored],
    columns: Columns,
    extra: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Prints a Markdown table; a metric that no row has is left out.

    Args:
        title: Line above the table.
        scored: The rows.
        columns: The columns.
        extra: Further columns by their titles, with a cell for each row.
    """
    shown = {name: one for name, one in columns.items() if any(name in s.metrics for s in scored)}
    further = dict(extra or {})
    headers = ["row", "seeds", *(head for head, _ in shown.values()), *further]
    print(f"\n{title}\n")
    print_table(
        headers,
        [
            [
                one.row.title,
                one.count,
                *(cell(one.metrics.get(name, []), form) for name, (_, form) in shown.items()),
                *(cells[place] for cells in further.values()),
            ]
            for place, one in enumerate(scored)
        ],
    )


def steps_until(scored: Scored, name: str, value: float) -> str:
    """Formats when each training seed first had a metric of at least ``value`` [1,000 steps]."""
    found: list[str] = []
    for log in scored.logs:
        reached = [record[STEP] for record in log if record.get(name, -np.inf) >= value]
        found.append(f"{reached[0] / 1000:.0f}" if reached else "never")
    return ", ".join(found) or "-"


def minutes(scored: Scored) -> str:
    """Formats the mean wall-clock time of collection and gradient steps [min].

    It is that of the last record before the final evaluation, without any evaluation. The steps
    after that record, at most one interval of the log, are not counted.
    """
    training = [[one for one in log if not _is_final(one)] for log in scored.logs]
    times = [records[-1]["wall_time_s"] / 60 for records in training if records]
    return f"{np.mean(times):.1f}" if times else "-"


def _is_final(record: Mapping[str, float]) -> bool:
    return any(name.startswith(FINAL) for name in record)


def draw_bars(scored: Sequence[Scored], name: str, label: str, path: Path) -> None:
    """Draws a horizontal bar for each row, with its interval and a dot for each training seed."""
    rows = [one for one in scored if one.metrics.get(name)]
    if not rows:
        print(f"no row has {name} yet; {path} was not written")
        return
    figure = Figure(figsize=(7.0, 1.0 + BAR_INCHES * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, one in enumerate(rows):
        values = np.array(one.metrics[name])
        mean, low, high = mean_with_interval(values)
        axes.barh(place, mean, height=0.66, color=COLOURS[0], alpha=0.55)
        axes.plot([low, high], [place, place], color="black", linewidth=1.2)
        axes.plot(values, np.full(len(values), place), "o", color=COLOURS[1], markersize=3.5)
    axes.set_yticks(range(len(rows)), [one.row.title for one in rows])
    axes.invert_yaxis()
    tidy(axes, label)
    axes.axvline(0.0, color="black", linewidth=0.8)
    save(figure, path)
    print(f"wrote {path}")


def write_scores(
    options: StudyOptions, scored: Sequence[Scored], settings: Mapping[str, object]
) -> None:
    """Writes the scores of each training seed, if there is a path."""
    rows = {
        one.row.key: {
            "title": one.row.title,
            "algorithm": one.row.algorithm,
            "flags": list(one.row.flags),
            "seeds": list(one.seeds),
            "metrics": one.metrics,
        }
        for one in scored
    }
    write_json(options.json, {"settings": settings, "rows": rows})
