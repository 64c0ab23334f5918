"""How well do policies that were trained on the Panda push with the limits of an FR3?

    python -m benchmarks.arms.fr3_limits

An FR3 accelerates its joints by at most 10 rad/s^2 (Panda: 7.5 to 20), turns them faster, and slows
down towards the ends of their ranges. The set-point shaper follows these limits, so the same
actions become other set-points. Here they act on the plant of training: its physics stay those of
the Panda, whose inertias differ from the FR3's by less than a policy could notice
(``benchmarks.arms.plant_parity``).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.lib.inputs import names_of, open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seeds, Some
from benchmarks.lib.report import print_table, seed_text, write_json
from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.governor import Intervention
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.motion.setpoint_shaper import SetpointShaper
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.compatibility import check_fits_tabletop
from skill_robots.tasks.tabletop.engines.physics import GripperWidth
from skill_robots.tasks.tabletop.rollouts import GOAL_STEPS, evaluation_goals
from skill_robots.tasks.tabletop.setpoint_audit import SetpointAudit
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_runtime.console.flags import UsageError
from skill_runtime.policy import OnnxPolicy

GOVERNED_SCENES = 32
"""Scenes of a batch with a complete governor."""

NEAR_M = (0.05, 0.03)
"""Distances of the cube from its goal that count as a success [m]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Policies of the Panda with the limits of an FR3."""

    models: Some[Path] = tuple(
        Path(f"models/{name}_panda.onnx") for name in ("csf", "metra", "goal")
    )
    """Policy files that take goals."""
    goals: PositiveInt = 128
    """Goals within 15 cm of the centre of the table, for each seed."""
    seeds: Seeds = (100, 101, 102)
    """Evaluation seeds."""
    json: Path | None = None
    """File of the result, as JSON."""


class LimitedTabletop(Tabletop):
    """The tabletop whose set-points follow the limits of another arm.

    Args:
        arm: The arm with the limits.
        n: Number of scenes.
        seed: Of all random draws.
    """

    def __init__(self, arm: ArmSpec, n: int, seed: int) -> None:
        super().__init__(TabletopConfig(), n, seed=seed)
        period_s = self.config.physics_step_s
        self._shaper = SetpointShaper(arm, period_s)
        start = self.setpoint.position
        self.audit = SetpointAudit(arm, self.actions, period_s, start, governed=GOVERNED_SCENES)

    def physics_step(
        self, position: Array, velocity: Array, gripper_width: GripperWidth = None
    ) -> None:
        """Audits the set-points and runs one physics step."""
        self.audit.check(position, velocity)
        super().physics_step(position, velocity, gripper_width)


@dataclass(frozen=True, kw_only=True)
class Score:
    """Result of one policy with one arm's limits."""

    shares: tuple[float, ...]
    """Shares of the goals with the cube within each distance of :data:`NEAR_M` at the end."""
    refused: dict[Intervention, int]
    """Set-points that the governor of that arm refused, by reason."""


def score(policy: Policy, names: tuple[str, ...], arm: ArmSpec, goals: int, seed: int) -> Score:
    """Pushes cubes to random goals."""
    scene = LimitedTabletop(arm, goals, seed)
    wanted = evaluation_goals(goals, seed)
    policy.reset(goals)
    for _ in range(GOAL_STEPS):
        scene.step(policy.act(scene.observe(names), goal=wanted))
    distance = np.linalg.norm(scene.cube_position[:, :2] - wanted, axis=1)
    return Score(
        shares=tuple(float((distance < near).mean()) for near in NEAR_M),
        refused={reason: n for reason, n in scene.audit.interventions.items() if n},
    )


def scores(config: Config, policy: OnnxPolicy, arm: ArmSpec) -> list[Score]:
    """Scores a policy with every seed."""
    names = policy.manifest.observation_names
    seeds = tqdm(
        config.seeds, desc=f"{policy.manifest.name}, {arm.name}", disable=None, leave=False
    )
    return [score(policy, names, arm, config.goals, seed) for seed in seeds]


def row(name: str, arm: ArmSpec, found: list[Score]) -> list[str]:
    """Returns the row of a policy and an arm: mean and spread over the seeds."""
    shares = np.array([each.shares for each in found])
    cells = [
        f"{mean:.3f} +- {spread:.3f}"
        for mean, spread in zip(shares.mean(axis=0), shares.std(axis=0), strict=True)
    ]
    refused: Counter[str] = Counter()
    for each in found:
        refused.update(each.refused)
    reasons = ", ".join(f"{count} {reason}" for reason, count in refused.items())
    return [name, arm.name, *cells, reasons or "0"]


def main(config: Config) -> None:
    """Measures, prints the table and writes the result."""
    rows: list[list[str]] = []
    result: dict[str, dict[str, list[dict[str, object]]]] = {}
    for name, path in names_of(config.models).items():
        policy = open_policy(path)
        try:
            check_fits_tabletop(policy.manifest)
        except UnsupportedPolicyError as error:
            raise UsageError(str(error)) from None
        if policy.manifest.goal is None:
            raise UsageError(f"{path} takes no goals; name policy files that do")
        for arm in (PANDA, FR3):
            found = scores(config, policy, arm)
            rows.append(row(name, arm, found))
            result.setdefault(name, {})[arm.name] = [vars(each) for each in found]
    print(f"{config.goals} goals for each of the seeds {seed_text(config.seeds)}\n")
    heads = [f"within {100 * near:g} cm" for near in NEAR_M]
    print_table(["policy", "limits", *heads, "refused set-points"], rows)
    write_json(config.json, {"goals": config.goals, "seeds": config.seeds, "policies": result})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.arms.fr3_limits", description=__doc__)
