"""A sweep from its command to its table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skill_proto.files.atomic_file import replace_text
from skill_training.errors import RunDirectoryError
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import FILE_NAME, read
from skill_training.sweep.execution import Check, Place, run_missing
from skill_training.sweep.grid import Run, make_runs, parse_seeds, parse_setting
from skill_training.sweep.settings import ConfigOf
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
    unknown: str = ""
    """Refusal of metrics that no run has; '' without one."""


def run_sweep(options: SweepOptions, config_of: ConfigOf, check: Check) -> Outcome:
    """Runs the missing runs of a sweep, and writes its table.

    Args:
        options: The sweep.
        config_of: Returns the configuration of the words ``ALGORITHM FLAGS``.
        check: Checks that a run can start.

    Raises:
        ConfigError: a flag is wrong; nothing was started.
        RunDirectoryError: the folder holds another sweep or a run with other settings, or cannot be
            written.
    """
    settings = [parse_setting(text) for text in options.settings]
    seeds = parse_seeds(options.seeds)
    runs = make_runs(options.algorithm, seeds, settings, options.common)
    definition = {"algorithm": options.algorithm, "common": list(options.common)}
    place = Place(folder=options.folder, jobs=options.jobs, ray=options.ray)
    failures = run_missing(runs, definition, place, config_of, check)
    rows = _write_table(options, runs)
    known = list(dict.fromkeys(name for row in rows for name in row.metrics))
    # Names are known once a run has ended.
    unknown = [name for name in options.metrics if known and name not in known]
    columns = [name for name in options.metrics if name not in unknown] or known[:COLUMNS]
    return Outcome(
        table=f"{to_text(rows, columns)}\nwrote {options.folder.resolve() / TABLE}",
        failures=failures,
        unknown=_refusal(unknown, known) if unknown else "",
    )


def final_record(run: Path) -> dict[str, float] | None:
    """Returns the record of the final evaluation of a run; None before it."""
    try:
        records = read(run / FILE_NAME)
    except (OSError, RunDirectoryError):
        return None
    found = [record for record in records if any(name.startswith(FINAL) for name in record)]
    return found[-1] if found else None


def _refusal(unknown: Sequence[str], known: Sequence[str]) -> str:
    return f"--metrics {' '.join(unknown)}: no run has it; there are {', '.join(known)}"


def _write_table(options: SweepOptions, runs: Sequence[Run]) -> list[Row]:
    """Writes the results as JSON, and returns them."""
    folder = options.folder.resolve()
    # A record without a configuration may be that of other settings.
    begun = [folder / run.name for run in runs if RunDirectory(folder / run.name).has_run]
    finals = {path.name: record for path in begun if (record := final_record(path)) is not None}
    rows = summarize(runs, finals)
    replace_text(folder / TABLE, json.dumps(to_json(rows), indent=2) + "\n")
    return rows
