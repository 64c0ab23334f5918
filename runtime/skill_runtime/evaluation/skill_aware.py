"""The skill-aware benchmark for skill-eval: success in every cell of friction and mass.

The benchmark itself is ``skill_robots.tasks.skill_aware.benchmark``; this module runs it for the
command line and prints its table.
"""

from __future__ import annotations

import time
from typing import Any

from tqdm import tqdm

from skill_robots.tasks.engine import Engine
from skill_robots.tasks.skill_aware.benchmark import (
    CELLS,
    EPISODE_STEPS,
    SPLITS,
    BenchmarkResult,
    Cell,
    benchmark,
    cell_name,
)
from skill_robots.tasks.skill_aware.compatibility import check_fits_skill_aware
from skill_robots.tasks.skill_aware.engines import make_scenes
from skill_robots.tasks.skill_aware.scenes import (
    ACTION_SIZE,
    FRICTION_LIMIT,
    FRICTIONS,
    MASSES,
    SkillAwareScenes,
)
from skill_runtime.evaluation.options import EvaluationOptions
from skill_runtime.evaluation.report import Outcome, identity, load, title

EPISODES = 50
"""Default number of episodes per cell."""

SCENES: dict[Engine, int] = {"bullet": 20, "mujoco": 50}
"""Number of scenes stepped together; the result does not depend on it."""


def evaluate_skill_aware(arguments: EvaluationOptions) -> Outcome:
    """Runs every cell from the same starts.

    Raises:
        UnsupportedPolicyError: the policy does not fit the benchmark.
        PolicyFileError, PolicyError, EngineMissingError: see each class.
    """
    started = time.monotonic()
    engine = arguments.engine or "bullet"
    episodes = EPISODES if arguments.episodes is None else arguments.episodes
    policy, manifest = load(arguments, ACTION_SIZE)
    if manifest is not None:
        check_fits_skill_aware(manifest)
    n = min(SCENES[engine], episodes * len(CELLS))
    scenes = make_scenes(engine, n, arguments.threads or 1)
    total = -(-episodes * len(CELLS) // n) * n * EPISODE_STEPS
    try:
        with tqdm(total=total, unit="step", desc="evaluating", disable=None, leave=False) as bar:

            def on_step(stepped: SkillAwareScenes) -> None:
                bar.update(stepped.n)

            result = benchmark(
                policy,
                scenes,
                episodes=episodes,
                seed=arguments.seed,
                on_step=on_step,
            )
    finally:
        scenes.close()
    report = identity(arguments, policy, manifest) | {
        "engine": engine,
        "episodes": episodes,
        "episode_steps": EPISODE_STEPS,
        "wall_time_s": round(time.monotonic() - started, 2),
    }
    return Outcome(
        table=_table(report, result),
        content={
            "success": result.success,
            "at_end": result.at_end,
            "cells": result.cells,
            "labels": result.labels,
            "settings": report,
        },
    )


def _table(report: dict[str, Any], result: BenchmarkResult) -> str:
    lines = [
        title(report),
        f"skill-aware benchmark on {report['engine']}, {report['episodes']} episodes a cell, "
        f"seed {report['seed']}, {report['wall_time_s']:.1f} s",
        "",
        "  success    " + "   ".join(f"{name} {rate:.3f}" for name, rate in result.success.items()),
        "  at the end " + "   ".join(f"{name} {rate:.3f}" for name, rate in result.at_end.items()),
        "",
        *_grid("success", {name: f"{rate:.2f}" for name, rate in result.cells.items()}),
        "",
        *_grid(
            "picked up",
            {name: f"{shares['pick']:.2f}" for name, shares in result.labels.items()},
        ),
        "",
        "  t training cells of the published agents, m moderate, e extreme; friction is the",
        f"  table's label: twice the cube-table coefficient, which is at most {FRICTION_LIMIT:g}",
    ]
    return "\n".join(lines)


def _grid(heading: str, values: dict[str, str]) -> list[str]:
    split = {cell: name[0] for name, cells in SPLITS.items() for cell in cells}
    lines = [f"  {heading:<12}" + "".join(f"{mass:>7g} kg" for mass in MASSES)]
    for friction in FRICTIONS:
        cells = [Cell(friction, mass) for mass in MASSES]
        row = "".join(f"{values[cell_name(cell)]:>8} {split[cell]}" for cell in cells)
        lines.append(f"  friction {friction:<5g}"[:14].ljust(14) + row)
    return lines
