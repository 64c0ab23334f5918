"""``skill-train``: train skills, export a run, plot training curves."""

from __future__ import annotations

import dataclasses
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, cast

import tyro

from skill_robots.worlds.errors import WorldError
from skill_training.config import AlgorithmSettings, RunSettings, Settings, TrainConfig
from skill_training.data.allocation import is_out_of_memory
from skill_training.errors import (
    ConfigError,
    LostResultError,
    NothingToShipError,
    TrainingError,
)
from skill_training.export.compatibility import DEFAULT_OPSET
from skill_training.flag_errors import InvalidSettings, flag_errors, settings_registry
from skill_training.recipes.registry import RECIPES, default_config, recipe_for, recipe_of
from skill_training.run import job, policy_export
from skill_training.run.directory import RunDirectory
from skill_training.run.session import changes
from skill_training.run.session.ending import resume_command
from skill_training.run.session.interruption import EXIT_CODE, Interruption
from skill_training.run.session.streams import unfailing_output
from skill_training.words import before_common, gathered, value_of

LOST_RESULT = 1
USER_ERROR = 2

SWEEP = "sweep"

TOO_LARGE = (
    "the run needs more memory than there is; lower --n-envs, the batch size, or the sizes of the "
    "hidden layers and of the representation"
)

DESCRIPTION = """\
Train robot skills and export each as one self-describing ONNX file.

A signal that ends the program, as Ctrl-C does, saves a checkpoint and prints the command that
continues the run. --version prints the version. Exit codes: 0 done, 1 ended without a result,
2 cannot be done as asked, 128 + n ended by signal n.
"""


@dataclass(frozen=True, kw_only=True)
class Train:
    """Base of the training commands. Each algorithm has one, which is derived from its recipe."""

    algorithm: AlgorithmSettings
    run: RunSettings
    task: Settings

    world: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """World to learn in: tabletop, ant, half_cheetah, hopper, walker, humanoid, one with hidden
    quantities as varied_ant or crippled_ant, one of Gymnasium as gymnasium:Reacher-v5, or a
    function that makes one as my_module:make. For high also a task: ant_multi_goal,
    half_cheetah_goal, half_cheetah_hurdle. --task has the flags of the world or task."""

    preset: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Row of settings, and its world, that the other flags change: paper-ant and
    paper-half-cheetah are those of the papers of CSF and METRA, fast-ant and discovered-panda are
    ours. Each difference from the paper is printed, with --help too."""

    run_dir: Path | None = None
    """Directory of the run. Default: logs/ALGORITHM/TIME_seedN. If it holds a run with the same
    settings, that run continues from its checkpoint."""

    resume: Path | None = None
    """Continue the run in this directory with its own settings. Only --env-steps, --device,
    --matmul, --threads and the intervals can be given beside it; they hold from then on."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """Export the policy of a run as one ONNX file, with a Markdown card beside it."""

    run_dir: tyro.conf.Positional[Path]
    """Directory of the run. An unfinished run is exported from its last checkpoint."""
    out: Path
    """Policy file to write, such as models/csf_panda.onnx. Its card gets the same name in .md."""
    opset: int = DEFAULT_OPSET
    """Operator set of ONNX, 18 to 21. ONNX Runtime 1.18 and newer run all of them."""


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


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Run an algorithm for many seeds and settings; the same command continues it.

    Flags of all runs follow after --, e.g.: skill-train sweep csf --folder logs/weights --seeds
    0..4 --set csf.contrast-weight=1,5,25 -- --world ant --env-steps 640000
    """

    algorithm: tyro.conf.Positional[str]
    """Name of the algorithm, such as csf."""

    folder: Path
    """Folder of the run directories, of their logs and of table.json."""

    seeds: str = "0..2"
    """Seeds, such as 0..9 or 0,4,7."""

    settings: Annotated[
        tuple[str, ...], tyro.conf.arg(name="set", metavar="FLAG=VALUE,VALUE ...")
    ] = ()
    """Flags that vary, each with its values; every combination is run."""

    jobs: int = 0
    """Processes at a time on this machine; 0 takes one for each processor."""

    ray: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Run on a Ray cluster: its address, auto for one that runs here, local for a new one. The
    folder must be on storage that all nodes share."""

    metrics: tuple[str, ...] = ()
    """Metrics in the printed table. Default: the first ones."""


AnyCommand = Train | Export | Plot | Sweep


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the program and exits.

    The exit status is 0 (done), 1 (the training ended without its result: it diverged, or its last
    checkpoint or its policy cannot be written), 2 (mistake of the user) or 128 + n (ended by signal
    n).
    """
    typed = sys.argv[1:] if arguments is None else list(arguments)
    with unfailing_output():
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        try:
            sys.exit(_run(parse(typed), typed))
        except (TrainingError, WorldError) as error:  # a world may fail before the session
            print(f"skill-train: {error}", file=sys.stderr)
            sys.exit(LOST_RESULT if isinstance(error, LostResultError) else USER_ERROR)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            print(f"skill-train: {TOO_LARGE}", file=sys.stderr)
            sys.exit(USER_ERROR)
        except KeyboardInterrupt as interrupt:
            said = "; ".join(("skill-train: interrupted", *map(str, interrupt.args)))
            print(said, file=sys.stderr)
            sys.exit(EXIT_CODE + signal.SIGINT)


def parse(typed: Sequence[str]) -> AnyCommand:
    """Returns the command that the words on the command line give.

    Raises:
        ConfigError: a value is out of its range, or a flag is given twice.
        SystemExit: help was requested, or a flag is unknown or unreadable; tyro has printed it.
    """
    name = typed[0] if typed else ""
    world, preset = value_of("--world", typed), value_of("--preset", typed)
    commands = _commands(name, world, preset)
    try:
        with settings_registry():
            if name not in commands:
                return tyro.cli(
                    _union(commands), prog="skill-train", description=DESCRIPTION, args=typed
                )
            # One command at a time, so that a misspelt flag is compared with its flags alone.
            command = commands[name]
            own = gathered((before_common(typed) if name == SWEEP else typed)[1:])
            options: dict[str, Any] = {"description": command.summary, "args": own}
            if command.default is not None:
                options["default"] = command.default
            return tyro.cli(command.kind, prog=f"skill-train {name}", **options)
    except InvalidSettings as invalid:
        errors = flag_errors(invalid, default_config(name, world, preset))
        raise ConfigError(f"{errors}; see skill-train {name} --help") from None


def train_config(command: Train) -> TrainConfig:
    """Returns the configuration that a command requests.

    Raises:
        ConfigError: its settings do not fit each other.
    """
    default = default_config(command.algorithm.name, command.world, command.preset)
    config = dataclasses.replace(
        default, algorithm=command.algorithm, task=command.task, run=command.run
    )
    if config.world != default.world:
        raise ConfigError(
            f"a flag of --task names the world {config.world}, which contradicts {default.world}; "
            "leave that flag out"
        )
    return config


@dataclass(frozen=True, kw_only=True)
class _Command:
    """A subcommand: its type for tyro, its help text, and its values without flags."""

    kind: type[AnyCommand]
    summary: str
    default: Train | None = None


def _commands(
    chosen: str = "", world: str | None = None, preset: str | None = None
) -> dict[str, _Command]:
    """Returns all subcommands by name.

    Args:
        chosen: Name of the subcommand on the command line.
        world: Its value of ``--world``.
        preset: Its value of ``--preset``.

    Raises:
        ConfigError: the chosen subcommand has no such world or preset.
    """
    training = dict[str, _Command]()
    for recipe in RECIPES:
        for name in recipe.config_types:
            given = (world, preset) if name == chosen else (None, None)
            default = recipe.default_config(name, *given)
            summary = "\n".join((recipe.summaries[name], *recipe.remarks(default)))
            training[name] = _train_command(default, summary)
    others: dict[str, type[AnyCommand]] = {"export": Export, "plot": Plot, SWEEP: Sweep}
    return training | {
        name: _Command(kind=kind, summary=kind.__doc__ or "") for name, kind in others.items()
    }


def _union(commands: Mapping[str, _Command]) -> type[AnyCommand]:
    """Returns the union of all commands, for the help without a command."""
    kinds: list[object] = [
        Annotated[command.kind, tyro.conf.subcommand(name, description=command.summary)]
        for name, command in commands.items()
    ]
    return cast("type[AnyCommand]", reduce(or_, kinds))


def _train_command(default: TrainConfig, summary: str) -> _Command:
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
    return _Command(kind=kind, summary=summary, default=start)


def _sweep(command: Sweep, typed: Sequence[str]) -> int:
    # Imported here: a training process needs none of it.
    from skill_training.sweep.sweep import SweepOptions, run_sweep

    recipe_of(command.algorithm)  # refuses an unknown one
    options = SweepOptions(
        algorithm=command.algorithm,
        folder=command.folder,
        seeds=command.seeds,
        settings=command.settings,
        common=tuple(typed[len(before_common(typed)) + 1 :]),
        jobs=command.jobs,
        ray=command.ray,
        metrics=command.metrics,
    )
    outcome = run_sweep(options, config_of, check)
    for failure in outcome.failures:
        print(f"skill-train sweep: {failure}", file=sys.stderr)
    print(outcome.table)
    if outcome.unknown:
        raise ConfigError(outcome.unknown)
    return LOST_RESULT if outcome.failures else 0


def config_of(words: Sequence[str]) -> TrainConfig:
    """Returns the configuration of a training command.

    Args:
        words: Algorithm and flags.

    Raises:
        ConfigError: a value is out of its range, or settings do not fit each other.
        SystemExit: a flag is unknown or unreadable; tyro has printed it.
    """
    command = parse(words)
    assert isinstance(command, Train)
    return train_config(command)


def check(config: TrainConfig) -> None:
    """Checks that a run can start.

    Raises:
        ConfigError: it cannot.
    """
    recipe_for(config).check(config)


def _run(command: AnyCommand, typed: Sequence[str]) -> int:
    if isinstance(command, Sweep):
        return _sweep(command, typed)
    if isinstance(command, Export):
        policy_export.export(job.open_run(command.run_dir), command.out, opset=command.opset)
        print(f"wrote {command.out} and {command.out.with_suffix('.md')}")
        return 0
    if isinstance(command, Plot):
        # Imported here, so that a training process does not load matplotlib.
        from skill_training.run.plot import plot_runs

        plot_runs(command.run_dirs, command.out, command.curves)
        print(f"wrote {command.out}")
        return 0
    return _train(command, typed)


def _train(command: Train, typed: Sequence[str]) -> int:
    changed = {} if command.resume is None else changes.requested(typed, command.run)
    directory = _run_directory(command)
    config = directory.config()
    for line in (f"run directory: {directory.path}", *recipe_for(config).remarks(config)):
        print(line, file=sys.stderr)
    with Interruption.caught() as interruption:
        try:
            if job.train(directory, changed, interruption):
                print(f"wrote {directory.policy} and {directory.card}", file=sys.stderr)
                return 0
        except NothingToShipError as reason:
            print(f"finished without a policy file: {reason}", file=sys.stderr)
            return 0
        except KeyboardInterrupt:
            kept = (f"{directory.checkpoint} is kept",) if directory.checkpoint.is_file() else ()
            raise KeyboardInterrupt(*kept) from None
    if interruption.signal is None:
        return LOST_RESULT
    resume = resume_command(config.algorithm_name, directory.path)
    print(
        f"stopped by {interruption.signal.name} with a checkpoint; continue with: {resume}",
        file=sys.stderr,
    )
    return EXIT_CODE + interruption.signal


def _run_directory(command: Train) -> RunDirectory:
    """Returns the directory of the run to continue, or of a new run.

    Raises:
        TrainingError: --resume names a run of another algorithm, or the directory is unusable.
    """
    config = train_config(command)
    if command.resume is None:
        if command.run_dir is None:
            return job.start(config)
        directory = RunDirectory(command.run_dir)
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
