"""Processor time of one environment step of each row, for comparisons at equal compute."""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.discovery.comparison.rows import Row
from benchmarks.lib.inputs import numbers
from skill_proto.files.atomic_file import replace_text
from skill_runtime.console.flags import UsageError
from skill_training.cli import config_of
from skill_training.config import TrainConfig
from skill_training.device import configure_matmul
from skill_training.errors import TrainingError
from skill_training.recipes.recipe import Learner
from skill_training.recipes.registry import recipe_for

UPDATES = 40
"""Gradient steps of one measurement."""

ROUNDS = 3
"""Measurements of each row, in turns; the fastest counts."""

COSTS = "costs.json"


def equal_compute(
    rows: Sequence[Row], flags: Sequence[str], env_steps: int, folder: Path
) -> dict[str, int]:
    """Returns the environment steps of each row that cost as much as those of the first one.

    Args:
        rows: The rows; the first is the reference.
        flags: Flags of all runs.
        env_steps: Environment steps of the first row.
        folder: Folder of the file of costs, which has the seconds of each command. A command that
            it has is not measured again, so that an interrupted comparison goes on with the same
            steps.
    """
    trained = [row for row in rows if row.algorithm is not None]
    if not trained:
        return {}
    costs = _read(folder / COSTS)
    commands = {row.key: command(row, flags) for row in trained}
    missing = [row for row in trained if commands[row.key] not in costs]
    if missing:
        try:
            costs |= {commands[key]: found for key, found in measure(missing, flags).items()}
        except TrainingError as error:
            raise UsageError(str(error)) from None
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / COSTS, json.dumps(costs, indent=2) + "\n")
    reference = costs[commands[trained[0].key]] * env_steps
    return {key: round(reference / costs[one]) for key, one in commands.items()}


def command(row: Row, flags: Sequence[str]) -> str:
    """Returns the command whose cost is measured: algorithm and all flags, the world among them."""
    variant = row.variant(flags)
    return shlex.join(["skill-train", variant.algorithm, *variant.flags])


def measure(rows: Sequence[Row], flags: Sequence[str]) -> dict[str, float]:
    """Returns the processor time of an environment step of each row with its updates [s].

    Raises:
        TrainingError: a flag is wrong, or a run cannot start.
    """
    best: dict[str, float] = {}
    with tqdm(total=ROUNDS * len(rows), unit="measurement", disable=None, leave=False) as bar:
        learners = {row.key: _learner(row, flags) for row in rows}
        try:
            for _ in range(ROUNDS):
                for name, (config, learner) in learners.items():
                    found = _time(config, learner)
                    best[name] = min(found, best.get(name, found))
                    bar.update()
        finally:
            for _, learner in learners.values():
                learner.close()
    return best


def _learner(row: Row, flags: Sequence[str]) -> tuple[TrainConfig, Learner]:
    variant = row.variant(flags)
    config = config_of([variant.algorithm, *variant.flags])
    # The policy acts from the start: random actions cost less.
    config = replace(config, run=replace(config.run, warmup_steps=0))
    torch.set_num_threads(config.run.threads)
    device = torch.device("cpu")
    configure_matmul(device, config.run.matmul)
    return config, recipe_for(config).build_learner(config, device)


def _time(config: TrainConfig, learner: Learner) -> float:
    """Returns the processor time of one environment step [s]."""
    start = time.process_time()
    learner.collect_round()
    collected = time.process_time()
    for _ in range(UPDATES):
        learner.update()
    updated = time.process_time()
    collecting = (collected - start) / learner.steps_per_round
    return collecting + (updated - collected) / UPDATES / config.run.env_steps_per_update


def _read(path: Path) -> dict[str, float]:
    try:
        found = numbers(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
    return {command: cost for command, cost in (found or {}).items() if 0.0 < cost < math.inf}
