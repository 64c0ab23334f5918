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
from pydantic import ValidationError

from skill_proto.validation_text import describe_errors
from skill_training.config import AlgorithmSettings, RunSettings, Settings, TrainConfig
from skill_training.errors import ConfigError, NothingToShipError, TrainingError
from skill_training.recipes.registry import RECIPES, default_config
from skill_training.run import job
from skill_training.run.directory import RunDirectory, default_path

USER_ERROR = 2
INTERRUPTED = 130

TRAINING = """

Collects on CPU, learns on CPU or CUDA, and leaves policy.onnx with its card in the run directory.
Ctrl-C saves a checkpoint and says how to go on.
"""


@dataclass(frozen=True, kw_only=True)
class Train:
    """Base of the training commands; those are made from the recipes, one for each algorithm."""

    algorithm: AlgorithmSettings
    run: RunSettings
    task: Settings

    run_dir: Path | None = None
    """Where the run is kept; logs/ALGORITHM/TIME_seedN unless given. If a run with the same
    settings is there, it is continued from its checkpoint."""

    resume: Path | None = None
    """Continue the run in this directory with the settings it was started with; no other flag
    may be given."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """Export the policy of a run as one ONNX file, with a Markdown card beside it."""

    run_dir: tyro.conf.Positional[Path]
    """Directory of the run; an unfinished one is exported as it was at its last checkpoint."""

    out: Path
    """The file to write, such as models/csf_panda.onnx. The card's name ends in .md."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Draw the training curves of one or more runs into one picture."""

    run_dirs: tyro.conf.Positional[tuple[Path, ...]]
    """Directories of the runs."""

    curves: tuple[str, ...] = ()
    """What to draw, as named in metrics.jsonl, such as train/critic/loss; the main curves of these
    kinds of runs unless given."""

    out: Path
    """The picture to write, such as curves.png."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the program and exits: 0 done, 2 a mistake of the user's, 130 interrupted."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        sys.exit(_run(parse(arguments)))
    except TrainingError as error:
        print(f"skill-train: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        print("skill-train: interrupted; a checkpoint already written is kept", file=sys.stderr)
        sys.exit(INTERRUPTED)


def parse(arguments: Sequence[str] | None) -> Train | Export | Plot:
    """The command that these arguments (None: those of the process) give.

    Raises:
        ConfigError: a value is out of its range.
        SystemExit: help was asked for, or a flag is unknown or unreadable; already explained.
    """
    try:
        return tyro.cli(
            _commands(),
            prog="skill-train",
            description="Train robot skills and export each as one self-describing ONNX file.",
            args=arguments,
        )
    except ValidationError as error:
        raise ConfigError(f"{describe_errors(error)}; see --help") from None


def train_config(command: Train) -> TrainConfig:
    """The configuration that a command asks for.

    Raises:
        ConfigError: its settings do not fit each other.
    """
    kind = type(default_config(command.algorithm.name))
    return kind(algorithm=command.algorithm, task=command.task, run=command.run)


def _commands() -> type[Train | Export | Plot]:
    """The union of all commands, as tyro reads it."""
    commands: list[object] = [
        _train_command(recipe.default_config(name), recipe.summaries[name])
        for recipe in RECIPES
        for name in recipe.config_types
    ]
    commands.append(Annotated[Export, tyro.conf.subcommand("export")])
    commands.append(Annotated[Plot, tyro.conf.subcommand("plot")])
    return cast("type[Train | Export | Plot]", reduce(or_, commands))


def _train_command(default: TrainConfig, summary: str) -> object:
    """The command of one algorithm: its flags carry its name, and its defaults are its own."""
    name = default.algorithm_name
    algorithm = tyro.conf.arg(name=name, help=f"Settings of {name}.")
    run = tyro.conf.arg(name="", help="Length, seed, device and bookkeeping.")
    task = tyro.conf.arg(help="What varies between episodes.")
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
    return Annotated[
        kind, tyro.conf.subcommand(name, default=start, description=summary + TRAINING)
    ]


def _run(command: Train | Export | Plot) -> int:
    if isinstance(command, Export):
        job.export(job.open_run(command.run_dir), command.out)
        print(f"wrote {command.out} and {command.out.with_suffix('.md')}")
        return 0
    if isinstance(command, Plot):
        # Here, so that a training process does not carry matplotlib.
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
    print(f"stopped with a checkpoint; go on with: {resume}", file=sys.stderr)
    return INTERRUPTED


def _run_directory(command: Train) -> RunDirectory:
    """The directory to train in: of the run to continue, or of one that starts now.

    Raises:
        TrainingError: --resume with other flags or another algorithm, or an unusable directory.
    """
    config = train_config(command)
    if command.resume is None:
        directory = RunDirectory(command.run_dir or default_path(config))
        job.start_or_continue(directory, config)
        return directory
    if command.run_dir is not None or config != default_config(config.algorithm_name):
        raise ConfigError(
            "--resume continues a run with the settings it was started with; give no other flag"
        )
    directory = job.open_run(command.resume)
    trained = directory.config().algorithm_name
    if trained != config.algorithm_name:
        raise ConfigError(
            f"{command.resume} holds a run of {trained}; continue it with: skill-train {trained} "
            f"--resume {command.resume}"
        )
    return directory
