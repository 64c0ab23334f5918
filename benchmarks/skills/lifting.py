"""Which policies lift the cube, and from which starts?

    python -m benchmarks.skills.lifting --models logs/csf/RUN/policy.onnx

The task is the tabletop with the gripper. Rows: a script that knows how to lift, which shows that
the plant allows it; random actions; and policy files. Each runs from the nominal starts, and from
starts with the cube between the fingers, half of which hold it already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from tqdm import tqdm

from benchmarks.lib.inputs import open_policy, refuse_twice
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seeds
from benchmarks.lib.report import print_table, seed_text, write_json
from benchmarks.plant.scripted_lifter import ScriptedLifter
from skill_robots.motion.gripper import names_width
from skill_robots.tasks.baselines import BaselineName, make_baseline
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.metrics import skill_metrics
from skill_robots.tasks.tabletop.rollouts import evaluation_skills, skill_rollouts
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_runtime.console.flags import UsageError
from skill_runtime.policy import OnnxPolicy

NOMINAL = TabletopConfig(gripper=True)
"""Low starts of the hand, with any opening."""

STARTS = {"nominal": NOMINAL, "between the fingers": replace(NOMINAL, held_share=1.0)}
"""Tasks by the name of their starts."""

SHOWN = ("lifted_share", "height_cells_2cm", "moved_share_10cm", "displacement_cells_2cm")
"""Metrics of the table."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Policies that lift, beside a script and random actions."""

    models: tuple[Path, ...] = ()
    """Policy files that drive the gripper by its width."""
    seeds: Seeds = (100, 101)
    """Evaluation seeds: skills, starts, masses and frictions."""
    skills: PositiveInt = 48
    """Skills in one set."""
    episodes: PositiveInt = 2
    """Sets of skills, per seed."""
    json: Path | None = None
    """File of the result, as JSON."""


def checked(path: Path) -> OnnxPolicy:
    """Opens a policy; exits with the reason if it does not drive the gripper by its width."""
    policy = open_policy(path)
    if not names_width(policy.manifest):
        raise UsageError(
            f"{path} does not drive the gripper by its width; train it with --task.gripper"
        )
    return policy


def subjects(config: Config) -> dict[str, Policy]:
    """Returns the policies of all rows, by name."""
    size = Tabletop.action_size + 1
    rows: dict[str, Policy] = {"script": ScriptedLifter()}
    rows |= {f"random: {name}": make_baseline(name, size) for name in get_args(BaselineName)}
    return rows | {str(path): checked(path) for path in config.models}


def score(policy: Policy, config: Config, task: TabletopConfig) -> dict[str, float]:
    """Returns the mean of each metric over the seeds in which it is defined."""
    manifest = policy.manifest if isinstance(policy, OnnxPolicy) else None
    space = ("sphere", 2) if manifest is None else (manifest.skill.kind, manifest.skill.size)
    found: list[dict[str, float]] = []
    for seed in config.seeds:
        skills = evaluation_skills(*space, config.skills, seed)
        names = task.observation_names if manifest is None else manifest.observation_names
        run = skill_rollouts(
            policy,
            task,
            skills=skills,
            episodes=config.episodes,
            seed=seed,
            observation_names=names,
        )
        interventions = float(run.governor_interventions)
        found.append(skill_metrics(run) | {"governor_interventions": interventions})
    names = dict.fromkeys(name for one in found for name in one)
    return {name: float(np.mean([one[name] for one in found if name in one])) for name in names}


def main(config: Config) -> None:
    """Measures, prints the table and writes the result."""
    refuse_twice(config.models)
    rows = subjects(config)
    found: dict[str, dict[str, dict[str, float]]] = {}
    with tqdm(total=len(rows) * len(STARTS), disable=None, leave=False) as bar:
        for name, policy in rows.items():
            found[name] = {}
            for start, task in STARTS.items():
                bar.set_description(f"{name}, {start}")
                found[name][start] = score(policy, config, task)
                bar.update()
    print_table(
        ["policy", "starts", *SHOWN],
        [
            [name, start, *(f"{metrics[shown]:.2f}" for shown in SHOWN)]
            for name, starts in found.items()
            for start, metrics in starts.items()
        ],
    )
    print(
        f"\nevaluation seeds {seed_text(config.seeds)}, {config.skills} skills x {config.episodes} "
        "episodes per seed; lifted: more than 3 cm up for the last half second"
    )
    write_json(config.json, {"seeds": config.seeds, "metrics": found})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.skills.lifting", description=__doc__)
