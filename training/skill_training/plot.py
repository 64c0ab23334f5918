"""Training curves: the evaluations of one or several runs, drawn into one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skill_training.config import TrainConfig, differences
from skill_training.errors import RunDirectoryError
from skill_training.metrics_log import FILE_NAME, STEP, read
from skill_training.run_directory import RunDirectory

Rows = list[dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One metric over training."""

    metric: str
    title: str
    top: float
    """Upper end of the axis, unless values lie above it."""


PANELS = (
    Panel(metric="moved_share_10cm", title="cube moved > 10 cm [share]", top=1.0),
    Panel(metric="displacement_cells_2cm", title="2 cm cells reached", top=500.0),
    Panel(metric="octants", title="octants reached", top=8.0),
    Panel(metric="displacement_r2", title="R² of displacement from skill", top=1.0),
    Panel(metric="median_displacement_m", title="median displacement [m]", top=0.4),
    Panel(metric="phi_singular_value_ratio", title="singular-value ratio of φ", top=1.0),
)


def plot_runs(directories: Sequence[Path], out: Path) -> None:
    """Draws the evaluations of these runs over environment steps into ``out``.

    Raises:
        RunDirectoryError: no run is given, one has no evaluation yet, or ``out`` cannot be written.
    """
    if not directories:
        raise RunDirectoryError("no run directory is given; name at least one")
    curves = [_evaluations(path) for path in directories]
    names = labels(directories)
    figure = Figure(figsize=(10.5, 5.6), layout="constrained")
    for panel, axes in zip(PANELS, figure.subplots(2, 3).flat, strict=True):
        _draw(axes, panel, list(zip(names, curves, strict=True)))
    lines, texts = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        lines, texts, frameon=False, fontsize="small", loc="outside lower center", ncols=2
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, dpi=150)
    except (OSError, ValueError) as error:
        raise RunDirectoryError(f"cannot write the picture {out}: {error}") from None


def _evaluations(directory: Path) -> Rows:
    if not directory.is_dir():
        raise RunDirectoryError(f"there is no directory {directory}")
    rows = [row for row in read(directory / FILE_NAME) if f"eval/{PANELS[0].metric}" in row]
    if not rows:
        raise RunDirectoryError(f"the run in {directory} has no evaluation yet")
    return rows


def labels(directories: Sequence[Path]) -> list[str]:
    """Names of these runs: algorithm and seed, and the other settings in which they differ."""
    configs = [RunDirectory(path).config() for path in directories]
    labels: list[str] = []
    for config in configs:
        label = f"{config.algorithm_name}, seed {config.run.seed}"
        labels.append(label + "".join(f", {item}" for item in _special(config, configs)))
    return labels


def _special(config: TrainConfig, others: Sequence[TrainConfig]) -> list[str]:
    paths = {
        path: now
        for other in others
        if other.algorithm_name == config.algorithm_name
        for path, (_, now) in differences(other, config).items()
        if path != "run.seed"
    }
    return [f"{path.rpartition('.')[2]} {now}" for path, now in sorted(paths.items())]


def _draw(axes: Axes, panel: Panel, runs: list[tuple[str, Rows]]) -> None:
    name, top = f"eval/{panel.metric}", panel.top
    for label, rows in runs:
        points = [(row[STEP] / 1e6, row[name]) for row in rows if name in row]
        axes.plot([x for x, _ in points], [y for _, y in points], linewidth=1.4, label=label)
        top = max([top, *(y for _, y in points)])
    axes.set_title(panel.title, fontsize="medium", loc="left")
    axes.set_xlabel("million environment steps", fontsize="small")
    axes.set_xlim(left=0.0)
    axes.set_ylim(0.0, 1.03 * top)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
