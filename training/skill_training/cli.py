"""``skill-train``: train skills, export a run, plot training curves."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from pydantic import ValidationError

from skill_proto.manifest import describe_errors
from skill_robots.tasks.tabletop import TabletopConfig
from skill_training import job
from skill_training.algorithms.csf import CsfConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.config import TRAINING_TASK, AlgorithmConfig, RunSettings, TrainConfig
from skill_training.errors import ConfigError, TrainingError
from skill_training.run_directory import RunDirectory, default_path

USER_ERROR = 2
INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class _Train:
    run: Annotated[RunSettings, tyro.conf.arg(name="")] = field(default_factory=RunSettings)
    """Length, seed, device and bookkeeping."""

    task: TabletopConfig = field(default_factory=lambda: TRAINING_TASK)
    """What varies between episodes."""

    run_dir: Path | None = None
    """Where the run is kept; logs/ALGORITHM/TIME_seedN unless given. If a run with the same
    settings is there, it is continued from its checkpoint."""

    resume: Path | None = None
    """Continue the run in this directory with the settings it was started with; no other flag
    may be given."""


@dataclass(frozen=True, kw_only=True)
class TrainCsf(_Train):
    """Train skills with contrastive successor features (CSF).

    Collects on CPU, learns on CPU or CUDA, and leaves policy.onnx with its card in the run
    directory. Ctrl-C saves a checkpoint and says how to go on.
    """

    csf: CsfConfig = field(default_factory=CsfConfig)
    """Settings of contrastive successor features."""

    @property
    def algorithm(self) -> AlgorithmConfig:
        """The algorithm's settings."""
        return self.csf


@dataclass(frozen=True, kw_only=True)
class TrainMetra(_Train):
    """Train skills with METRA.

    Collects on CPU, learns on CPU or CUDA, and leaves policy.onnx with its card in the run
    directory. Ctrl-C saves a checkpoint and says how to go on.
    """

    metra: MetraConfig = field(default_factory=MetraConfig)
    """Settings of METRA."""

    @property
    def algorithm(self) -> AlgorithmConfig:
        """The algorithm's settings."""
        return self.metra


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

    out: Path
    """The picture to write, such as curves.png."""


Command = (
    Annotated[TrainCsf, tyro.conf.subcommand("csf")]
    | Annotated[TrainMetra, tyro.conf.subcommand("metra")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Plot, tyro.conf.subcommand("plot")]
)


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


def parse(arguments: Sequence[str] | None) -> TrainCsf | TrainMetra | Export | Plot:
    """The command that these arguments (None: those of the process) give.

    Raises:
        ConfigError: a value is out of its range.
        SystemExit: help was asked for, or a flag is unknown or unreadable; already explained.
    """
    try:
        return tyro.cli(
            Command,
            prog="skill-train",
            description="Train robot skills and export each as one self-describing ONNX file.",
            args=arguments,
        )
    except ValidationError as error:
        raise ConfigError(f"{describe_errors(error)}; see --help") from None


def train_config(command: TrainCsf | TrainMetra) -> TrainConfig:
    """The configuration that a command asks for.

    Raises:
        ConfigError: its settings do not fit each other.
    """
    return TrainConfig(algorithm=command.algorithm, task=command.task, run=command.run)


def _run(command: TrainCsf | TrainMetra | Export | Plot) -> int:
    if isinstance(command, Export):
        job.export(job.open_run(command.run_dir), command.out)
        print(f"wrote {command.out} and {command.out.with_suffix('.md')}")
        return 0
    if isinstance(command, Plot):
        # Here, so that a training process does not carry matplotlib.
        from skill_training.plot import plot_runs

        plot_runs(command.run_dirs, command.out)
        print(f"wrote {command.out}")
        return 0
    return _train(command)


def _train(command: TrainCsf | TrainMetra) -> int:
    directory = _run_directory(command)
    print(f"run directory: {directory.path}", file=sys.stderr)
    if job.train(directory):
        print(f"wrote {directory.policy} and {directory.card}", file=sys.stderr)
        return 0
    algorithm = directory.config().algorithm_name
    resume = shlex.join(["skill-train", algorithm, "--resume", str(directory.path)])
    print(f"stopped with a checkpoint; go on with: {resume}", file=sys.stderr)
    return INTERRUPTED


def _run_directory(command: TrainCsf | TrainMetra) -> RunDirectory:
    """The directory to train in: of the run to continue, or of one that starts now.

    Raises:
        TrainingError: --resume with other flags or another algorithm, or an unusable directory.
    """
    config = train_config(command)
    if command.resume is None:
        directory = RunDirectory(command.run_dir or default_path(config))
        job.start_or_continue(directory, config)
        return directory
    if command.run_dir is not None or config != TrainConfig(algorithm=type(config.algorithm)()):
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
