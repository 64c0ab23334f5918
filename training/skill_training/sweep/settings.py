"""Settings of the runs of a sweep, and whether a run that is there has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from skill_training.config import TrainConfig, differences
from skill_training.errors import RunDirectoryError
from skill_training.run.directory import RunDirectory
from skill_training.sweep.grid import Run

ConfigOf = Callable[[Sequence[str]], TrainConfig]
"""Returns the configuration of the words ``ALGORITHM FLAGS``."""


def configs_of(runs: Sequence[Run], config_of: ConfigOf) -> dict[str, TrainConfig]:
    """Returns the configurations that the flags of runs request, by the name of the run.

    Args:
        runs: The runs.
        config_of: Parses the flags of a run.

    Raises:
        ConfigError: a flag is wrong.
    """
    settings: dict[tuple[str, str], TrainConfig] = {}
    configs: dict[str, TrainConfig] = {}
    for run in runs:
        # The seeds of a setting differ in no other flag, and parsing takes a while.
        key = (run.algorithm, run.setting)
        if key not in settings:
            settings[key] = config_of([run.algorithm, *run.flags])
        config = settings[key]
        configs[run.name] = replace(config, run=replace(config.run, seed=run.seed))
    return configs


def is_there(folder: Path, run: Run) -> bool:
    """Returns whether a run was begun in its directory, or a policy is in it."""
    directory = RunDirectory(folder / run.name)
    return directory.has_run or directory.is_finished


def refuse_others(directory: RunDirectory, wanted: TrainConfig) -> None:
    """Refuses a run whose results would stand under a title that is not its own.

    Raises:
        RunDirectoryError: it has other settings, which the message names, or none that can be read.
    """
    if not directory.has_run:
        raise RunDirectoryError(
            f"{directory.path} holds a policy without config.json, so nothing says with which "
            "settings it was trained; restore that file, remove the directory, or choose another "
            "--folder"
        )
    changed = differences(directory.config(), wanted)
    if changed:
        listed = "; ".join(f"{name} is {was}, not {now}" for name, (was, now) in changed.items())
        raise RunDirectoryError(
            f"{directory.path} holds a run with other settings ({listed}); give the world and the "
            "flags of that run, or choose another --folder"
        )
