"""A sweep from its command to its table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from skill_training.config import TrainConfig
from skill_training.errors import ConfigError, RunDirectoryError
from skill_training.run.metrics_log import FILE_NAME, read
from skill_training.run.session.replaced_file import replace_text
from skill_training.sweep.grid import Run, make_runs, parse_seeds, parse_setting
from skill_training.sweep.local import Ended, run_locally
from skill_training.sweep.on_ray import MARK, run_on_ray
from skill_training.sweep.process import env_steps, tail
from skill_training.sweep.table import FINAL, Row, summarize, to_json, to_text

TABLE = "table.json"
COLUMNS = 6
"""Number of metrics in the printed table, if none are named."""


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """The options of a sweep."""

    algorithm: str
    folder: Path
    """Folder of the run directories."""
    seeds: str
    settings: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    """Flags of all runs."""
    jobs: int = 0
    """Processes at a time on this machine; 0 takes one for each processor."""
    ray: str | None = None
    """Address of a Ray cluster; None for this machine."""
    metrics: tuple[str, ...] = ()
    """Metrics in the printed table; () for the first ones."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of a sweep."""

    table: str
    failures: list[str]
    """A line for each run that has failed."""


def run_sweep(
    options: SweepOptions,
    config_of: Callable[[Sequence[str]], TrainConfig],
    check: Callable[[TrainConfig], None],
) -> Outcome:
    """Runs the missing runs of a sweep, and writes its table.

    Args:
        options: The sweep.
        config_of: Returns the configuration of the words ``ALGORITHM FLAGS``.
        check: Checks that a run can start.

    Raises:
        ConfigError: a flag is wrong; nothing was started.
        RunDirectoryError: the folder holds another sweep, or cannot be written.
    """
    if options.jobs < 0:
        raise ConfigError(f"--jobs takes a number of processes or 0, got {options.jobs}")
    settings = [parse_setting(text) for text in options.settings]
    runs = make_runs(parse_seeds(options.seeds), settings, options.common)
    configs = {run: config_of([options.algorithm, *run.flags]) for run in runs}
    steps = sum(config.run.env_steps for config in configs.values())
    for first in {run.setting: run for run in reversed(runs)}.values():
        check(configs[first])
    _claim(options, runs)
    folder = options.folder.resolve()
    with tqdm(total=steps, unit="step", unit_scale=True, disable=None, leave=False) as bar:

        def show() -> None:
            bar.n = min(steps, sum(env_steps(folder / run.name) for run in runs))
            bar.refresh()

        left = [run for run in runs if not (folder / run.name / "policy.onnx").is_file()]
        ended = _execute(options, left, folder, show)
    failures = [_explain(one, folder) for one in ended if one.code != 0]
    return Outcome(table=_write_table(options, runs, folder), failures=failures)


def _execute(
    options: SweepOptions, runs: Sequence[Run], folder: Path, show: Callable[[], None]
) -> list[Ended]:
    if not runs:
        return []
    if options.ray is not None:
        return run_on_ray(options.ray, options.algorithm, runs, folder, show)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    jobs = options.jobs or cpus or 1
    return run_locally(options.algorithm, runs, folder, jobs, show)


def _claim(options: SweepOptions, runs: Sequence[Run]) -> None:
    """Writes the definition of the sweep, or checks that the folder holds the same one.

    More seeds and settings may be added to a sweep; its common flags stay.
    """
    mark = options.folder / MARK
    own: dict[str, Any] = {"algorithm": options.algorithm, "common": list(options.common)}
    try:
        if mark.is_file():
            known = json.loads(mark.read_text(encoding="utf-8"))
            if {name: known.get(name) for name in own} != own:
                raise RunDirectoryError(
                    f"{options.folder} holds another sweep ({known.get('algorithm')} "
                    f"{' '.join(known.get('common', []))}); choose another --folder"
                )
        options.folder.mkdir(parents=True, exist_ok=True)
        listed = [asdict(run) for run in runs]
        replace_text(mark, json.dumps(own | {"runs": listed}, indent=2) + "\n")
    except (OSError, ValueError) as error:
        raise RunDirectoryError(f"cannot use the folder {options.folder}: {error}") from None


def _final(run: Path) -> dict[str, float] | None:
    """Returns the record of the final evaluation of a run; None before it."""
    try:
        records = read(run / FILE_NAME)
    except (OSError, RunDirectoryError):
        return None
    found = [record for record in records if any(name.startswith(FINAL) for name in record)]
    return found[-1] if found else None


def _write_table(options: SweepOptions, runs: Sequence[Run], folder: Path) -> str:
    finals = {run.name: record for run in runs if (record := _final(folder / run.name)) is not None}
    rows = summarize(runs, finals)
    replace_text(folder / TABLE, json.dumps(to_json(rows), indent=2) + "\n")
    return f"{to_text(rows, _columns(options, rows))}\nwrote {folder / TABLE}"


def _columns(options: SweepOptions, rows: Sequence[Row]) -> list[str]:
    known = list(dict.fromkeys(name for row in rows for name in row.metrics))
    return list(options.metrics) or known[:COLUMNS]


def _explain(ended: Ended, folder: Path) -> str:
    log = folder / "logs" / f"{ended.run.name}.log"
    try:
        lines = tail(log).strip().splitlines()
    except OSError:
        lines = []
    said = f": {ended.reason or lines[-1]}" if ended.reason or lines else ""
    return f"{ended.run.name} ended with code {ended.code}{said} (see {log})"
