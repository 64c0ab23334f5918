r"""Runs the scripted controllers on the skill-aware benchmark, cell by cell.

    python -m benchmarks.skill_aware.scripts \
        --engine bullet --episodes 50 --seed 0 --json scripted.json

`nothing` stands still. `pick` is the same gentle pick in every cell. `rule` chooses a skill from
the true friction and mass. `switch` is context-free: it changes the skill if the cube does not
follow. `skills` is no script: the zero-shot goals of csf_discovered_panda. The file has the scores
of each controller under `policies/NAME`, in the format of skill-eval.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seed, Some
from benchmarks.lib.report import print_table, write_json
from skill_robots.tasks.baselines import StillPolicy
from skill_robots.tasks.engine import Engine, EngineMissingError
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.skill_aware.benchmark import (
    CELLS,
    EPISODE_STEPS,
    BenchmarkResult,
    Cell,
    benchmark,
    cell_name,
)
from skill_robots.tasks.skill_aware.engines import make_scenes
from skill_robots.tasks.skill_aware.scenes import ACTION_SIZE, FRICTIONS, MASSES, SkillAwareScenes
from skill_robots.tasks.skill_aware.scripted.policies import Pick, Push, Rule, Switch
from skill_robots.tasks.skill_aware.scripted.push import SCOOP
from skill_runtime.console.flags import UsageError
from skill_training.recipes.skill_aware.skill_demonstrator import SkillDemonstrator

Name = Literal["nothing", "pick", "slide", "scoop", "rule", "switch", "skills"]

POLICIES: dict[Name, Callable[[], Policy]] = {
    "nothing": lambda: StillPolicy(ACTION_SIZE),
    "pick": Pick,
    "slide": Push,
    "scoop": lambda: Push(SCOOP),
    "rule": Rule,
    "switch": Switch,
    "skills": lambda: SkillDemonstrator(Path("csf_discovered_panda")),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Success of the scripted controllers on the skill-aware benchmark."""

    engine: Engine = "bullet"
    """The published benchmark's engine, or its MuJoCo twin."""
    policies: Some[Name] = ("nothing", "pick", "rule", "switch")
    """The controllers to run."""
    episodes: PositiveInt = 50
    """Episodes per cell."""
    seed: Seed = 0
    """Seed of the starts."""
    scenes: PositiveInt = 20
    """Number of scenes stepped together; the result does not depend on it."""
    threads: PositiveInt = 1
    """Physics threads; only MuJoCo uses more than one."""
    json: Path | None = None
    """Write the result to this file."""


def measure(name: Name, scenes: SkillAwareScenes, config: Config) -> tuple[BenchmarkResult, float]:
    """Returns the controller's scores, and control steps per second of processor time."""
    steps = 0
    batches = -(-len(CELLS) * config.episodes // scenes.n)
    started = time.process_time()
    with tqdm(total=batches * EPISODE_STEPS, desc=name, disable=None, leave=False) as bar:

        def on_step(stepped: SkillAwareScenes) -> None:
            nonlocal steps
            steps += stepped.n
            bar.update()

        result = benchmark(
            POLICIES[name](), scenes, episodes=config.episodes, seed=config.seed, on_step=on_step
        )
    return result, steps / (time.process_time() - started)


def print_cells(name: Name, result: BenchmarkResult) -> None:
    """Prints success over the grid, with the share of episodes in which the cube was picked up."""
    print(f"\n{name}: success (share of episodes in which the cube was picked up)\n")
    names = [[cell_name(Cell(friction, mass)) for mass in MASSES] for friction in FRICTIONS]
    rows = [
        [f"{friction:g}", *(f"{result.cells[c]:.2f} ({result.labels[c]['pick']:.2f})" for c in row)]
        for friction, row in zip(FRICTIONS, names, strict=True)
    ]
    print_table(["friction", *(f"{mass:g} kg" for mass in MASSES)], rows)


def main(config: Config) -> None:
    """Runs the controllers and prints their scores."""
    try:
        scenes = make_scenes(config.engine, config.scenes, config.threads)
    except EngineMissingError as error:
        raise UsageError(str(error)) from None
    results: dict[Name, BenchmarkResult] = {}
    rates: dict[Name, float] = {}
    for name in config.policies:
        results[name], rates[name] = measure(name, scenes, config)
        print_cells(name, results[name])
    scenes.close()
    print(f"\n{config.engine}, {config.episodes} episodes a cell, seed {config.seed}\n")
    splits = {name: [f"{rate:.3f}" for rate in r.success.values()] for name, r in results.items()}
    print_table(
        ["controller", "train", "moderate", "extreme", "steps per CPU second"],
        [[name, *splits[name], f"{rates[name]:.0f}"] for name in config.policies],
    )
    write_json(
        config.json,
        {
            "engine": config.engine,
            "policies": {
                name: asdict(result) | {"steps_per_cpu_second": rates[name]}
                for name, result in results.items()
            },
        },
    )


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.skill_aware.scripts", description=__doc__)
