"""How do the encoders compare on bodies whose masses, dampings and joints differ?

    python -m benchmarks.context.suite --worlds varied_half_cheetah --seeds 0..2 --env-steps 2000000

Trains each method on each of SaMI's ten bodies with `skill-train context`, and prints the return on
the contexts of training and of both tests beside the published one, and R2 of each hidden quantity
at the end of an episode. The same command goes on after an interruption. The published runs have
62,500 gradient steps, 2,000,000 environment steps here; the default is a small part of that. Flags
of all runs follow after --, e.g. -- --window 100
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.context.suite.methods import METHODS, PUBLISHED_METHODS, runs_of
from benchmarks.context.suite.picture import draw_curves
from benchmarks.context.suite.published import PUBLISHED
from benchmarks.context.suite.results import Scored, print_world, scored, to_json
from benchmarks.discovery.comparison.study import report_failures, split_words
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Count, PositiveInt, Some
from benchmarks.lib.report import write_json
from skill_runtime.console.flags import UsageError
from skill_training.cli import check, config_of
from skill_training.errors import TrainingError
from skill_training.sweep.execution import Place, run_missing
from skill_training.sweep.grid import parse_seeds


@dataclass(frozen=True, kw_only=True)
class Config:
    """Context encoders on bodies with hidden quantities."""

    worlds: Some[str] = tuple(PUBLISHED)
    """Worlds to train in."""
    methods: Some[str] = PUBLISHED_METHODS
    """Methods to compare: tesac, ccm, satesac, saccm, told, untold, sance-cross, forward-model,
    supervised."""
    seeds: str = "0..2"
    """Training seeds, such as 0..2 or 0,4."""
    env_steps: PositiveInt = 160_000
    """Environment steps of each run; 32 for each gradient step."""
    episodes: PositiveInt = 16
    """Episodes of each set of contexts in the final evaluation."""
    eval_interval: PositiveInt = 40_000
    """Environment steps between two points of the curves, of 8 episodes for each set."""
    folder: Path = Path("logs/context_suite")
    """Folder of the run directories, one folder for each world."""
    jobs: Count = 0
    """Processes at a time; 0 takes one for each processor."""
    train: bool = True
    """Train the missing runs. Without it the program prints the finished ones."""
    curves: tuple[str, ...] = ("varied_half_cheetah", "varied_hopper", "varied_ant")
    """Worlds in the picture of learning curves."""
    picture: Path | None = None
    """Learning curves; default: curves.png in the folder."""
    json: Path | None = None
    """File of the result, as JSON."""


def refuse_unknown(config: Config) -> None:
    """Exits if a world or a method is unknown."""
    known = {"worlds": PUBLISHED, "curves": PUBLISHED, "methods": METHODS}
    for name, choices in known.items():
        wrong = [one for one in getattr(config, name) if one not in choices]
        if wrong:
            raise UsageError(f"--{name} takes some of {', '.join(choices)}; got {', '.join(wrong)}")


def run_world(world: str, config: Config, common: list[str]) -> tuple[Scored, list[str]]:
    """Trains the missing runs of a world; returns the results, and a line for each failure."""
    flags = [
        *("--env-steps", str(config.env_steps), "--final-eval-episodes", str(config.episodes)),
        *("--eval-interval", str(config.eval_interval), "--eval-episodes", "8", *common),
    ]
    folder = config.folder / world
    try:
        runs = runs_of(world, config.methods, parse_seeds(config.seeds), flags)
        failures: list[str] = []
        if config.train:
            place = Place(folder=folder, jobs=config.jobs)
            failures = run_missing(runs, {"algorithm": None}, place, config_of, check)
        return scored(world, folder, runs), failures
    except TrainingError as error:
        raise UsageError(str(error)) from None


def main(config: Config, common: list[str]) -> None:
    """Trains, prints a table for each world, and draws the curves."""
    refuse_unknown(config)
    results: list[Scored] = []
    failures: list[str] = []
    for world in config.worlds:
        found, failed = run_world(world, config, common)
        failures += failed
        results.append(found)
        print_world(found)
    settings = {"env_steps": config.env_steps, "flags": common, "seeds": config.seeds}
    write_json(config.json, {"settings": settings, "worlds": [to_json(one) for one in results]})
    shown = [one for one in results if one.world in config.curves]
    draw_curves(shown, config.picture or config.folder / "curves.png")
    report_failures(failures)


if __name__ == "__main__":
    own, after = split_words(sys.argv[1:])
    prog = "python -m benchmarks.context.suite"
    run_program(
        lambda config: main(config, after), Config, prog=prog, description=__doc__, args=own
    )
