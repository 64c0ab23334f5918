"""Trains the rows of a table through the sweep, scores their policies, and collects the scores.

Everything is kept in one folder, and the same command goes on where the last one ended, also after
a kill: the sweep keeps a directory for each run, and each evaluation has a file of its own.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter
from tqdm import tqdm

from benchmarks.discovery.comparison.pool import run_jobs
from benchmarks.discovery.comparison.rows import Row
from benchmarks.discovery.comparison.scoring import Extent, Job
from benchmarks.lib.inputs import numbers
from benchmarks.lib.ranges import Count, PositiveInt
from skill_proto.files.atomic_file import replace_text
from skill_robots.worlds.registry import TABLETOP, WorldConfig, world_name
from skill_runtime.console.flags import UsageError
from skill_training.cli import check, config_of
from skill_training.errors import TrainingError
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import FILE_NAME, read
from skill_training.sweep.execution import Place, is_finished, processors, run_missing
from skill_training.sweep.grid import Run, make_variant_runs, parse_seeds
from skill_training.sweep.settings import configs_of, refuse_others
from skill_training.words import COMMON, flag_names


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """Options of the programs that train and score rows.

    Flags of all runs follow after --, those of each row's algorithm as --algorithm.NAME.
    """

    folder: Path
    """Folder of the run directories, their logs and the scores."""
    env_steps: PositiveInt
    """Environment steps of each run."""
    seeds: str = "0..2"
    """Training seeds, such as 0..2 or 0,4."""
    rows: tuple[str, ...] = ()
    """Rows to train and score, by name; default: all."""
    jobs: Count = 0
    """Processes at a time; 0 takes one for each processor."""
    eval_seeds: str = "100..109"
    """Evaluation seeds."""
    extent: Extent = field(default_factory=Extent)
    """Number of rollouts of one evaluation seed."""
    train: bool = True
    """Train the missing runs. Without it the program scores and prints the finished ones, also
    while another process trains."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The scores of one row."""

    row: Row
    wanted: int
    """Number of training seeds."""
    seeds: tuple[int, ...]
    """Training seeds that are scored; () for random actions."""
    metrics: dict[str, list[float]]
    """Means over the evaluation seeds, one for each training seed."""
    logs: list[list[dict[str, float]]]
    """Records of the metrics log of each training seed."""

    @property
    def count(self) -> str:
        """How many training seeds are scored."""
        if self.row.algorithm is None:
            return "-"
        missing = self.wanted - len(self.seeds)
        return f"{len(self.seeds)} of {self.wanted}" if missing else f"{self.wanted}"


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the words before and after ``--``."""
    if COMMON not in words:
        return list(words), []
    place = list(words).index(COMMON)
    return list(words[:place]), list(words[place + 1 :])


def choose(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Returns the named rows, all without names; exits if there is no such row."""
    known = {row.key: row for row in rows}
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"--rows names {', '.join(twice)} twice; give each row once")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"there is no row {', '.join(unknown)}; choose from {', '.join(known)}")
    return [known[name] for name in names] if names else list(rows)


def world_flags(world: str, common: Sequence[str]) -> list[str]:
    """Returns the flags of all runs in a world."""
    return [*common] if world == TABLETOP else ["--world", world, *common]


def run_study(
    options: StudyOptions,
    rows: Sequence[Row],
    world: str,
    common: Sequence[str],
    steps: Mapping[str, int] | None = None,
) -> tuple[list[Scored], list[str]]:
    """Trains and scores rows.

    Args:
        options: The options.
        rows: All rows of the program.
        world: Value of ``--world``.
        common: Flags of all runs, apart from those of the options.
        steps: Environment steps by row, if they differ.

    Returns:
        The rows with their scores so far, and a line for each run or evaluation that failed.
    """
    chosen = choose(rows, options.rows)
    flags = world_flags(world, common)
    _refuse_overlap(chosen, [*flags, "--env-steps"])
    try:
        seeds = parse_seeds(options.seeds)
        eval_seeds = parse_seeds(options.eval_seeds, "--eval-seeds")
        runs = make_variant_runs(
            [
                row.variant(
                    (*flags, "--env-steps", str((steps or {}).get(row.key, options.env_steps)))
                )
                for row in chosen
                if row.algorithm is not None
            ],
            seeds,
            [],
        )
        failures: list[str] = []
        if options.train and runs:
            place = Place(folder=options.folder, jobs=options.jobs)
            failures = run_missing(runs, {"algorithm": None}, place, config_of, check)
        jobs = _jobs(options, chosen, runs, flags, eval_seeds)
    except TrainingError as error:
        raise UsageError(str(error)) from None
    failures += _score(options, jobs)
    return [_collect(options, row, runs, jobs, len(seeds)) for row in chosen], failures


def report_failures(failures: Sequence[str]) -> None:
    """Prints what failed and exits with 1; does nothing without a failure."""
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        sys.exit(1)


def _refuse_overlap(rows: Sequence[Row], flags: Sequence[str]) -> None:
    """Exits if a flag of all runs is one that a row or the program sets."""
    for row in rows:
        if row.algorithm is None:
            continue
        names = flag_names(row.variant(flags).flags)
        twice = sorted({f"--{name}" for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(
                f"{', '.join(twice)} is set for the row {row.key} already; leave it out, or choose "
                "other --rows"
            )


# Scores -------------------------------------------------------------------------------------------


def _jobs(
    options: StudyOptions,
    rows: Sequence[Row],
    runs: Sequence[Run],
    flags: Sequence[str],
    eval_seeds: Sequence[int],
) -> dict[Path, Job]:
    """Returns the evaluations of the finished runs and of random actions, by their files.

    Raises:
        ConfigError: a flag is wrong.
        RunDirectoryError: a finished run has other settings.
    """
    subjects: list[tuple[str, Path | None, WorldConfig]] = []
    finished = [run for run in runs if is_finished(options.folder, run)]
    for name, wanted in configs_of(finished, config_of).items():
        directory = RunDirectory(options.folder / name)
        refuse_others(directory, wanted)
        subjects.append((name, directory.policy, _world(wanted)))
    random = next((row for row in rows if row.algorithm is None), None)
    if random is not None:
        words = [word.replace("--algorithm.", "--csf.") for word in flags]
        subjects.append((random.key, None, _world(config_of(["csf", *words]))))
    return {
        _score_file(options, name, seed): Job(
            policy=policy, world=world, seed=seed, extent=options.extent
        )
        for name, policy, world in subjects
        for seed in eval_seeds
    }


def _score_file(options: StudyOptions, name: str, seed: int) -> Path:
    return options.folder / "scores" / name / f"{seed}.json"


def _world(config: object) -> WorldConfig:
    assert isinstance(config, SkillConfig)
    return config.task


def _score(options: StudyOptions, jobs: dict[Path, Job]) -> list[str]:
    """Runs the missing evaluations; returns a line for each that failed."""
    missing = {path: job for path, job in jobs.items() if _read(path, job) is None}
    failures: list[str] = []
    with tqdm(total=len(missing), unit="evaluation", disable=None, leave=False) as bar:
        for path, found in run_jobs(missing, options.jobs or processors()):
            if isinstance(found, str):
                failures.append(f"{path.parent.name}, evaluation seed {path.stem}: {found}")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_text(path, json.dumps(_identity(missing[path]) | {"metrics": found}) + "\n")
            bar.update()
    return failures


def _identity(job: Job) -> dict[str, Any]:
    """Returns the facts by which a file of scores is recognised as one of this evaluation."""
    digest = None if job.policy is None else hashlib.sha256(job.policy.read_bytes()).hexdigest()
    settings = TypeAdapter(type(job.world)).dump_python(job.world, mode="json")
    world = {"name": world_name(job.world), "settings": settings}
    return {"policy": digest, "extent": asdict(job.extent), "world": world}


def _read(path: Path, job: Job) -> dict[str, float] | None:
    """Returns the metrics of an evaluation; None if it is missing or another one."""
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict):
        return None
    found, own = cast("dict[str, object]", content), _identity(job)
    metrics = numbers(found.get("metrics"))
    return metrics if metrics and {name: found.get(name) for name in own} == own else None


def _collect(
    options: StudyOptions, row: Row, runs: Sequence[Run], jobs: dict[Path, Job], wanted: int
) -> Scored:
    own = [run for run in runs if run.setting == row.key]
    names = {run.name: run.seed for run in own} or {row.key: -1}
    seeds, values, logs = list[int](), dict[str, list[float]](), list[list[dict[str, float]]]()
    for name, seed in names.items():
        scores = [
            found
            for path, job in jobs.items()
            if path.parent.name == name and (found := _read(path, job)) is not None
        ]
        if not scores:
            continue
        if row.algorithm is not None:
            seeds.append(seed)
            logs.append(read(options.folder / name / FILE_NAME))
        for metric in scores[0]:
            values.setdefault(metric, []).append(sum(one[metric] for one in scores) / len(scores))
    return Scored(row=row, wanted=wanted, seeds=tuple(seeds), metrics=values, logs=logs)
