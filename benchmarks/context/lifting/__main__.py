"""How much does the mass of a lifted cube matter, and how soon does a policy infer it?

    python -m benchmarks.context.lifting --runs told=RUN,RUN untold=RUN,RUN none=RUN,RUN

The program prints the masses that arm and grip hold, the scores of hand-designed controllers with
and without the mass, and those of the policies of `skill-train context --world panda_lift` runs: on
the masses of training and on both tests, with the R2 of the estimated log mass by the time since
the start, and that of a ridge regression from the context, the probe. A run with
--context.knowledge told is given the mass, an untold one has no context; the others infer it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.context.lifting.episodes import (
    GOAL_TIMES_S,
    R2_TIMES_S,
    SHOWN_TIMES_S,
    Controller,
    Lifts,
    joined,
    record,
    scores,
    shown,
)
from benchmarks.context.lifting.laws import CONSTANT_GRIP, LAWS, Law
from benchmarks.context.lifting.limits import MASSES_KG, hold
from benchmarks.context.lifting.runs import RunPolicy
from benchmarks.lib.inputs import named
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seeds
from benchmarks.lib.report import print_table, seed_text, write_json
from skill_robots.worlds.lift.config import MASSES, LiftConfig
from skill_robots.worlds.world import Split
from skill_runtime.console.flags import UsageError

Scores = dict[str, float]

PLAIN = ("return", "lost", "squeeze", *(f"at_{t:g}" for t in GOAL_TIMES_S))
JUDGED = tuple(f"{kind}_{t:g}" for kind in ("r2", "probe") for t in R2_TIMES_S)


@dataclass(frozen=True, kw_only=True)
class Config:
    """How much the mass of a lifted cube matters."""

    runs: tuple[str, ...] = ()
    """NAME=DIR,DIR,...: runs of one kind, one directory per training seed."""
    seeds: Seeds = (100, 101, 102)
    """Evaluation seeds."""
    episodes: PositiveInt = 128
    """Episodes of each seed and set."""
    laws: bool = True
    """Measure the limits and the hand-designed controllers, too."""
    json: Path | None = None
    """File of the result, as JSON."""


def measure(
    controller: Controller, task: LiftConfig, config: Config, on_record: Callable[[], object]
) -> Lifts:
    """Returns the episodes of all evaluation seeds."""
    parts = [
        (record(controller, task, config.episodes, seed), on_record())[0] for seed in config.seeds
    ]
    return joined(parts)


def print_limits() -> list[dict[str, float]]:
    """Prints and returns sag and slip of held cubes by mass."""
    sag, slip = hold(np.array(MASSES_KG))
    found = [
        {"mass": mass, "sag": float(one), "slip": float(other)}
        for mass, one, other in zip(MASSES_KG, sag, slip, strict=True)
    ]
    print("held in the air for 2.4 s with the strongest grip\n")
    print_table(
        ["mass [kg]", "sag of the hand [mm]", "slip of the cube [mm]"],
        [
            [f"{row['mass']:g}", f"{row['sag'] * 1e3:.1f}", f"{row['slip'] * 1e3:.1f}"]
            for row in found
        ],
    )
    return found


def print_shown(lifts: Lifts) -> dict[str, float]:
    """Prints and returns how much of the mass a single observation shows, by time."""
    found = {f"{t:g}": shown(lifts, lifts.observation, t) for t in SHOWN_TIMES_S}
    print(f"\nR2 of the log mass from one observation, of the law: {CONSTANT_GRIP}\n")
    print_table(
        ["after", *(f"{time} s" for time in found)],
        [["R2", *(f"{value:.2f}" for value in found.values())]],
    )
    return found


def print_scores(title: str, rows: Mapping[str, list[Scores]]) -> None:
    """Prints one row per controller: the mean over training seeds, and the range of returns."""
    judged = [name for name in JUDGED if any(name in one for row in rows.values() for one in row)]
    print(f"\n{title}\n")
    print_table(
        ["controller", *(name.replace("_", " ") for name in (*PLAIN, *judged))],
        [
            [name, *(_cell(row, column) for column in (*PLAIN, *judged))]
            for name, row in rows.items()
        ],
    )


def _cell(row: list[Scores], column: str) -> str:
    values = [one[column] for one in row if np.isfinite(one.get(column, np.nan))]
    if not values:
        return "-"
    text = f"{np.mean(values):.1f}" if column == "return" else f"{np.mean(values):.2f}"
    spread = column == "return" and len(values) > 1
    return f"{text} ({min(values):.1f} to {max(values):.1f})" if spread else text


def main(config: Config) -> None:
    """Measures, prints the tables and writes the result."""
    if min(config.episodes, len(config.seeds)) < 1:
        raise UsageError("--episodes must be 1 or more, and --seeds one or more")
    runs = {
        name: [RunPolicy(path) for path in paths]
        for name, paths in named(config.runs, "DIR").items()
    }
    result: dict[str, object] = {"seeds": config.seeds, "episodes": config.episodes}
    policies = sum(map(len, runs.values()))
    total = (policies * len(MASSES) + len(LAWS) * config.laws) * len(config.seeds)
    with tqdm(total=total, unit="record", disable=None, leave=False) as bar:
        if config.laws:
            result["limits"] = print_limits()
            lifts = {
                name: measure(Law(arm=arm, grip=grip), LiftConfig(), config, bar.update)
                for name, (arm, grip) in LAWS.items()
            }
            laws = {name: [scores(one)] for name, one in lifts.items()}
            result["laws"] = laws
            print_scores("hand-designed controllers, masses of training", laws)
            result["shown"] = print_shown(lifts[CONSTANT_GRIP])
        for split in MASSES if runs else ():
            rows = {
                name: [_on(split, policy, config, bar.update) for policy in part]
                for name, part in runs.items()
            }
            result[split] = rows
            ranges = ", ".join(f"{low:g} to {high:g}" for low, high in MASSES[split])
            print_scores(f"policies, {split}: {ranges} kg", rows)
    print(
        f"\n{config.episodes} episodes for each of the evaluation seeds {seed_text(config.seeds)}"
    )
    write_json(config.json, result)


def _on(split: Split, policy: RunPolicy, config: Config, done: Callable[[], object]) -> Scores:
    return scores(measure(policy, replace(policy.task, contexts=split), config, done))


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.context.lifting", description=__doc__)
