"""Runs the missing runs of a sweep, on this machine or on a Ray cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from skill_proto.files.atomic_file import replace_text
from skill_training.config import TrainConfig
from skill_training.errors import ConfigError, RunDirectoryError
from skill_training.run.directory import RunDirectory
from skill_training.sweep.grid import Run
from skill_training.sweep.local import Ended, log_file, run_locally
from skill_training.sweep.on_ray import MARK, run_on_ray
from skill_training.sweep.process import env_steps, last_line
from skill_training.sweep.settings import ConfigOf, configs_of, is_there, refuse_others

Check = Callable[[TrainConfig], None]
"""Checks that a run can start."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the runs are, and on how many processors or on which cluster they run."""

    folder: Path
    """Folder of the run directories."""
    jobs: int = 0
    """Processes at a time on this machine; 0 takes one for each processor."""
    ray: str | None = None
    """Address of a Ray cluster; None for this machine."""


def is_finished(folder: Path, run: Run) -> bool:
    """Returns whether a run has trained and exported its policy."""
    return RunDirectory(folder / run.name).is_finished


def run_missing(
    runs: Sequence[Run],
    definition: Mapping[str, Any],
    place: Place,
    config_of: ConfigOf,
    check: Check,
) -> list[str]:
    """Runs those that are not finished; returns a line for each that failed.

    Args:
        runs: All runs of the sweep.
        definition: Plain JSON values that every continuation of the sweep shares.
        place: Where they run.
        config_of: Parses the flags of a run.
        check: Is called once for each setting.

    Raises:
        ConfigError: a flag is wrong; no run was started.
        RunDirectoryError: the folder holds another sweep or a run with other settings, or cannot be
            written; no run was started.
    """
    if place.jobs < 0:
        raise ConfigError(f"--jobs takes a number of processes or 0, got {place.jobs}")
    folder = place.folder.resolve()
    left = [run for run in runs if not is_finished(folder, run)]
    configs = configs_of(runs, config_of)
    # The seeds of a setting differ in no other flag.
    first = {(run.algorithm, run.setting): run for run in reversed(left)}
    for run in first.values():
        check(configs[run.name])
    _claim(place.folder, definition, runs, configs)
    steps = sum(configs[run.name].run.env_steps for run in left)
    with tqdm(total=steps, unit="step", unit_scale=True, disable=None, leave=False) as bar:

        def show() -> None:
            bar.n = min(steps, sum(env_steps(folder / run.name) for run in left))
            bar.refresh()

        ended = _execute(left, place, folder, show)
    return [_explain(one, folder) for one in ended if one.code != 0]


def _execute(
    runs: Sequence[Run], place: Place, folder: Path, show: Callable[[], None]
) -> list[Ended]:
    if not runs:
        return []
    if place.ray is not None:
        return run_on_ray(place.ray, runs, folder, show)
    return run_locally(runs, folder, place.jobs or processors(), show)


def processors() -> int:
    """Returns the number of processors that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return count or 1


def _claim(
    folder: Path,
    definition: Mapping[str, Any],
    runs: Sequence[Run],
    configs: Mapping[str, TrainConfig],
) -> None:
    """Writes the definition of the sweep, or checks that the folder holds the same one.

    More seeds and settings may be added to a sweep. Its definition, and the flags of a run that it
    has, stay. The runs that are there have the settings that their flags request.
    """
    mark = folder / MARK
    try:
        known: dict[str, Any] = {}
        if mark.is_file():
            known = json.loads(mark.read_text(encoding="utf-8"))
            if {name: known.get(name) for name in definition} != definition:
                raise RunDirectoryError(
                    f"{folder} holds another sweep ({_describe(known)}); choose another --folder"
                )
        listed = {one["name"]: one for one in known.get("runs", [])}
        for run in runs:
            older = listed.get(run.name, {"flags": list(run.flags)})
            own = [older.get("algorithm", run.algorithm), *older["flags"]]
            if own != [run.algorithm, *run.flags]:
                raise RunDirectoryError(
                    f"{folder} holds a run {run.name} with other settings ({' '.join(own)}); "
                    "choose another --folder"
                )
            listed[run.name] = asdict(run)
        for run in runs:
            if is_there(folder, run):
                refuse_others(RunDirectory(folder / run.name), configs[run.name])
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**definition, "runs": list(listed.values())}, indent=2)
        replace_text(mark, text + "\n")
    except (OSError, ValueError) as error:
        raise RunDirectoryError(f"cannot use the folder {folder}: {error}") from None


def _describe(known: Mapping[str, Any]) -> str:
    """Returns algorithm and flags of a sweep, or the settings that a comparison has."""
    if known.get("algorithm"):
        return " ".join([known["algorithm"], *known.get("common", [])])
    settings = dict.fromkeys(one.get("setting", "") for one in known.get("runs", []))
    return f"a comparison of {', '.join(settings)}"


def _explain(ended: Ended, folder: Path) -> str:
    log = log_file(folder, ended.run.name)
    reason = ended.reason
    if not reason:
        with suppress(OSError):
            reason = last_line(log)
    said = f": {reason}" if reason else ""
    return f"{ended.run.name} ended with code {ended.code}{said} (see {log})"
