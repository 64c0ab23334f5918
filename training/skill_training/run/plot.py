"""Training curves of one or several runs in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skill_proto.files.atomic_file import replacing
from skill_training.config import TrainConfig, differences
from skill_training.errors import RunDirectoryError
from skill_training.recipes.recipe import Curve
from skill_training.recipes.registry import recipe_for
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import FILE_NAME, STEP, read

Rows = list[dict[str, float]]

COLUMNS = 3
PANEL_INCHES = (3.5, 2.5)


def plot_runs(directories: Sequence[Path], out: Path, names: Sequence[str] = ()) -> None:
    """Draws curves of these runs over environment steps into ``out``.

    Args:
        directories: The runs.
        out: The picture.
        names: Logged metrics to draw. If empty: the curves that the runs' recipes name and at
            least one run has logged.

    Raises:
        RunDirectoryError: no run is given, a run has no evaluation yet, no run has logged one of
            the names, or ``out`` cannot be written.
    """
    if not directories:
        raise RunDirectoryError("no run directory is given; name at least one")
    logs = [_evaluated(path) for path in directories]
    curves = _named(names, logs) if names else curves_of(directories)
    runs = list(zip(labels(directories), logs, strict=True))
    rows = -(-len(curves) // COLUMNS)
    columns = min(len(curves), COLUMNS)
    size = (columns * PANEL_INCHES[0], rows * PANEL_INCHES[1] + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for curve, axes in zip(curves, panels, strict=False):
        _draw(axes, curve, runs)
    for axes in panels[len(curves) :]:
        axes.set_axis_off()
    _write(figure, out)


def curves_of(directories: Sequence[Path]) -> list[Curve]:
    """Returns the main curves of these runs' recipes that at least one run has logged.

    Raises:
        RunDirectoryError: a run is missing or has no evaluation yet.
    """
    logged = _logged([_evaluated(path) for path in directories])
    configs = [RunDirectory(path).config() for path in directories]
    wanted = {curve.name: curve for config in configs for curve in recipe_for(config).curves}
    found = [curve for name, curve in wanted.items() if name in logged]
    return found or [Curve(name=name, title=name) for name in logged if name.startswith("eval/")]


def labels(directories: Sequence[Path]) -> list[str]:
    """Returns names of these runs: algorithm, seed, and other settings in which they differ."""
    configs = [RunDirectory(path).config() for path in directories]
    labels: list[str] = []
    for config in configs:
        label = f"{config.algorithm_name}, seed {config.run.seed}"
        labels.append(label + "".join(f", {item}" for item in _special(config, configs)))
    return labels


def _evaluated(directory: Path) -> Rows:
    if not directory.is_dir():
        raise RunDirectoryError(f"there is no directory {directory}")
    rows = read(directory / FILE_NAME)
    if not any(name.startswith("eval/") for row in rows for name in row):
        raise RunDirectoryError(f"the run in {directory} has no evaluation yet")
    return rows


def _named(names: Sequence[str], logs: Sequence[Rows]) -> list[Curve]:
    logged = _logged(logs)
    missing = [name for name in names if name not in logged]
    if missing:
        raise RunDirectoryError(
            f"no run has logged {', '.join(missing)}; there are {', '.join(sorted(logged))}"
        )
    return [Curve(name=name, title=name) for name in names]


def _logged(logs: Sequence[Rows]) -> dict[str, None]:
    """Returns the names of all metrics, in the order in which they were first logged."""
    return {name: None for rows in logs for row in rows for name in row if name != STEP}


def _special(config: TrainConfig, others: Sequence[TrainConfig]) -> list[str]:
    paths = {
        path: now
        for other in others
        if other.algorithm_name == config.algorithm_name
        for path, (_, now) in differences(other, config).items()
        if path != "run.seed"
    }
    return [f"{path.rpartition('.')[2]} {now}" for path, now in sorted(paths.items())]


def _draw(axes: Axes, curve: Curve, runs: list[tuple[str, Rows]]) -> None:
    highest: list[float] = [] if curve.top is None else [curve.top]
    lowest = [] if curve.top is None else [0.0]
    for label, rows in runs:
        points = [(row[STEP] / 1e6, row[curve.name]) for row in rows if curve.name in row]
        values = [y for _, y in points]
        axes.plot([x for x, _ in points], values, linewidth=1.4, label=label)
        highest += values
        lowest += values
    axes.set_title(curve.title, fontsize="medium", loc="left")
    axes.set_xlabel("million environment steps", fontsize="small")
    axes.set_xlim(left=0.0)
    if curve.top is not None:
        axes.set_ylim(min(lowest), 1.03 * max(highest))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _write(figure: Figure, out: Path) -> None:
    lines, texts = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        lines, texts, frameon=False, fontsize="small", loc="outside lower center", ncols=2
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as temporary:
            figure.savefig(temporary, dpi=150, format=out.suffix[1:] or "png")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise RunDirectoryError(f"cannot write the picture {out}: {reason}") from None
