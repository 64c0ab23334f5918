"""``skill-train``: train skills, export a run, plot training curves."""

from __future__ import annotations

import dataclasses
import logging
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, cast

import tyro

from skill_training.config import AlgorithmSettings, RunSettings, Settings, TrainConfig
from skill_training.errors import ConfigError, NothingToShipError, TrainingError
from skill_training.recipes.registry import RECIPES, default_config
from skill_training.run import job
from skill_training.run.directory import RunDirectory, default_path
from skill_training.run.flag_errors import InvalidSettings, flag_errors, settings_registry

USER_ERROR = 2
INTERRUPTED = 130

DESCRIPTION = """\
Train robot skills and export each as one self-describing ONNX file.

A training command collects on CPU and learns on CPU or CUDA. It writes policy.onnx and its card to
the run directory. Ctrl-C saves a checkpoint and prints the command that continues the run.
"""


@dataclass(frozen=True, kw_only=True)
class Train:
    """Base of the training commands. Each algorithm has one, which is derived from its recipe."""

    algorithm: AlgorithmSettings
    run: RunSettings
    task: Settings

    run_dir: Path | None = None
    """Directory of the run. Default: logs/ALGORITHM/TIME_seedN. If it holds a run with the same
    settings, that run continues from its checkpoint."""

    resume: Path | None = None
    """Continue the run in this directory with its own settings. No other flag is allowed."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """Export the policy of a run as one ONNX file, with a Markdown card beside it."""

    run_dir: tyro.conf.Positional[Path]
    """Directory of the run. An unfinished run is exported from its last checkpoint."""

    out: Path
    """Policy file to write, such as models/csf_panda.onnx. Its card gets the same name in .md."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Draw the training curves of one or more runs into one picture."""

    run_dirs: tyro.conf.Positional[tuple[Path, ...]]
    """Directories of the runs."""

    curves: tuple[str, ...] = ()
    """Metrics to draw, by their names in metrics.jsonl, such as train/critic/loss. Default: the
    main curves of the algorithms."""

    out: Path
    """Picture to write, such as curves.png."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the program and exits with 0 (done), 2 (mistake of the user) or 130 (interrupted)."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        sys.exit(_run(parse(arguments)))
    except TrainingError as error:
        print(f"skill-train: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        print("skill-train: interrupted; the last checkpoint is kept", file=sys.stderr)
        sys.exit(INTERRUPTED)


def parse(arguments: Sequence[str] | None) -> Train | Export | Plot:
    """Returns the command that the arguments (None: those of the process) give.

    Raises:
        ConfigError: a value is out of its range, or a flag stands beside --resume.
        SystemExit: help was requested, or a flag is unknown or unreadable; tyro has printed it.
    """
    typed = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with settings_registry():
            command = tyro.cli(
                _commands(),
                prog="skill-train",
                description=DESCRIPTION,
                args=typed,
            )
    except InvalidSettings as invalid:
        # tyro has read the subcommand, so it is the first word.
        name = typed[0]
        errors = flag_errors(invalid, default_config(name))
        raise ConfigError(f"{errors}; see skill-train {name} --help") from None
    if isinstance(command, Train) and command.resume is not None:
        _refuse_flags_beside_resume(typed)
    return command


def train_config(command: Train) -> TrainConfig:
    """Returns the configuration that a command requests.

    Raises:
        ConfigError: its settings do not fit each other.
    """
    kind = type(default_config(command.algorithm.name))
    return kind(algorithm=command.algorithm, task=command.task, run=command.run)


def _refuse_flags_beside_resume(typed: Sequence[str]) -> None:
    """Refuses every flag beside --resume, even one that repeats a setting of the run."""
    flags = [word.partition("=")[0] for word in typed if word.startswith("--")]
    others = [flag for flag in flags if flag != "--resume"]
    if others:
        raise ConfigError(
            "--resume continues a run with its own settings and takes no other flag; leave out "
            f"{', '.join(others)}"
        )


def _commands() -> type[Train | Export | Plot]:
    """Returns the union of all commands for tyro."""
    commands: list[object] = [
        _train_command(recipe.default_config(name), recipe.summaries[name])
        for recipe in RECIPES
        for name in recipe.config_types
    ]
    commands.append(Annotated[Export, tyro.conf.subcommand("export")])
    commands.append(Annotated[Plot, tyro.conf.subcommand("plot")])
    return cast("type[Train | Export | Plot]", reduce(or_, commands))


def _train_command(default: TrainConfig, summary: str) -> object:
    """Returns the command of one algorithm, with the algorithm's flags and defaults."""
    name = default.algorithm_name
    algorithm = tyro.conf.arg(name=name, help=f"Settings of {name}.")
    run = tyro.conf.arg(name="", help="Length, seed, device and bookkeeping.")
    task = tyro.conf.arg(help="Quantities that vary between episodes.")
    kind = dataclasses.make_dataclass(
        f"Train_{name}",
        [
            ("algorithm", Annotated[type(default.algorithm), algorithm]),
            ("run", Annotated[type(default.run), run]),
            ("task", Annotated[type(default.task), task]),
        ],
        bases=(Train,),
        frozen=True,
        kw_only=True,
    )
    start = kind(algorithm=default.algorithm, run=default.run, task=default.task)
    return Annotated[kind, tyro.conf.subcommand(name, default=start, description=summary)]


def _run(command: Train | Export | Plot) -> int:
    if isinstance(command, Export):
        job.export(job.open_run(command.run_dir), command.out)
        print(f"wrote {command.out} and {command.out.with_suffix('.md')}")
        return 0
    if isinstance(command, Plot):
        # Imported here, so that a training process does not load matplotlib.
        from skill_training.run.plot import plot_runs

        plot_runs(command.run_dirs, command.out, command.curves)
        print(f"wrote {command.out}")
        return 0
    return _train(command)


def _train(command: Train) -> int:
    directory = _run_directory(command)
    print(f"run directory: {directory.path}", file=sys.stderr)
    try:
        if job.train(directory):
            print(f"wrote {directory.policy} and {directory.card}", file=sys.stderr)
            return 0
    except NothingToShipError as reason:
        print(f"finished without a policy file: {reason}", file=sys.stderr)
        return 0
    algorithm = directory.config().algorithm_name
    resume = shlex.join(["skill-train", algorithm, "--resume", str(directory.path)])
    print(f"stopped with a checkpoint; continue with: {resume}", file=sys.stderr)
    return INTERRUPTED


def _run_directory(command: Train) -> RunDirectory:
    """Returns the directory of the run to continue, or of a new run.

    Raises:
        TrainingError: --resume names a run of another algorithm, or the directory is unusable.
    """
    config = train_config(command)
    if command.resume is None:
        directory = RunDirectory(command.run_dir or default_path(config))
        job.start_or_continue(directory, config)
        return directory
    directory = job.open_run(command.resume)
    trained = directory.config().algorithm_name
    if trained != config.algorithm_name:
        raise ConfigError(
            f"{command.resume} holds a run of {trained}; continue it with: skill-train {trained} "
            f"--resume {command.resume}"
        )
    return directory
