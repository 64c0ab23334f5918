"""From which edges of the goal box do the policies bring a cube back?

    python -m benchmarks.skills.edges

Each cube is sent to a place on an edge, then to the middle of the table, 8 s each, without a reset.
The places cover the edge with its corners. A cell has two shares: cubes that came within 5 cm of
the middle, and cubes that were there at the end. The end effector cannot get behind a cube at the
end of its workspace, so the rows compare boxes that end at several x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.lib.inputs import names_of, open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seeds, Some
from benchmarks.lib.report import print_table, seed_text, write_json
from skill_proto.arrays import Array
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.tabletop.compatibility import check_fits_tabletop
from skill_robots.tasks.tabletop.goal_box import (
    EDGES,
    GOAL_HIGH_M,
    GOAL_LOW_M,
    RETURN_STEPS,
    Returns,
    bring_back,
    edge_places,
)
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.tabletop import takes_goals
from skill_runtime.policy import OnnxPolicy

NEAR_M = 0.05
"""A cube within this distance of the middle is back [m]."""

Shares = dict[str, tuple[float, float]]
"""By edge: share that came back, and share that was back at the end."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Cubes brought back from the edges of the goal box."""

    models: Some[Path] = (
        Path("models/csf_panda.onnx"),
        Path("models/goal_panda.onnx"),
        Path("models/metra_panda.onnx"),
    )
    """Policy files that take goals."""
    seeds: Seeds = (100, 101)
    """Evaluation seeds: starts, masses and frictions."""
    cubes: PositiveInt = 32
    """Cubes on each edge, per seed."""
    high_x: Some[float] = (GOAL_HIGH_M[0], 0.12, 0.15)
    """Ends of the box in x [m]; the first is the one that the models declare."""
    json: Path | None = None
    """File of the result, as JSON."""


def places_of(high_x: float, cubes: int) -> Array:
    """Returns the places on all edges ``(4 cubes, 2)`` [m], edge after edge."""
    high = (high_x, GOAL_HIGH_M[1])
    return np.concatenate([edge_places(GOAL_LOW_M, high, edge, cubes) for edge in EDGES])


def shares(runs: list[Returns], cubes: int) -> Shares:
    """Returns the shares of each edge over all seeds."""
    found: Shares = {}
    for index, edge in enumerate(EDGES):
        part = slice(index * cubes, (index + 1) * cubes)
        came = np.mean([run.closest[part] < NEAR_M for run in runs])
        stayed = np.mean([run.final[part] < NEAR_M for run in runs])
        found[edge] = (float(came), float(stayed))
    return found


def measure(
    policy: OnnxPolicy, config: Config, high_x: float, on_step: Callable[[Tabletop], None]
) -> Shares:
    """Runs one policy on one box."""
    runs = [
        bring_back(
            policy,
            TabletopConfig(),
            places_of(high_x, config.cubes),
            seed=seed,
            observation_names=policy.manifest.observation_names,
            on_step=on_step,
        )
        for seed in config.seeds
    ]
    return shares(runs, config.cubes)


def checked(path: Path) -> OnnxPolicy:
    """Opens a policy; exits with the reason if it cannot bring a cube to goals on the tabletop."""
    policy = open_policy(path)
    try:
        check_fits_tabletop(policy.manifest)
    except UnsupportedPolicyError as error:
        raise UsageError(str(error)) from None
    if not takes_goals(policy.manifest):
        raise UsageError(f"{path} takes no goals for the cube's x and y; give a policy that does")
    return policy


def main(config: Config) -> None:
    """Measures, prints the table and writes the result."""
    policies = {name: checked(path) for name, path in names_of(config.models).items()}
    total = 2 * RETURN_STEPS * len(config.seeds) * len(config.high_x) * len(policies)
    found: dict[str, dict[str, Shares]] = {}
    with tqdm(total=total, unit="step", disable=None, leave=False) as bar:

        def on_step(scene: Tabletop) -> None:
            bar.update()

        for name, policy in policies.items():
            bar.set_description(name)
            found[name] = {f"{x:g}": measure(policy, config, x, on_step) for x in config.high_x}
    print_table(
        ["policy", "box ends at x =", *EDGES],
        [
            [name, x, *(f"{came:.2f} / {stayed:.2f}" for came, stayed in row.values())]
            for name, rows in found.items()
            for x, row in rows.items()
        ],
    )
    print(
        f"\ncame within {NEAR_M * 100:g} cm of the middle / was there at the end; evaluation seeds "
        f"{seed_text(config.seeds)}, {config.cubes} cubes per edge and seed"
    )
    write_json(config.json, {"seeds": config.seeds, "shares": found})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.skills.edges", description=__doc__)
