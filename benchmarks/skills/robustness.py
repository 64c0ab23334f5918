"""How well does a context-free skill policy work far outside its training range?

    python -m benchmarks.skills.robustness

The program runs the evaluation of skill-eval at single values of mass and friction. A policy that
commands set-points is insensitive to both within limits: it cannot move the cube if the friction
force mu m g is near the largest force of the arm, and on a slippery table the cube does not stop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seeds
from benchmarks.lib.report import print_table, seed_text, write_json
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.tabletop import EvaluationSettings, evaluate, total_steps

GRAVITY = 9.81
"""MuJoCo's default [m/s^2]."""

CONDITIONS: dict[str, tuple[tuple[float, float], tuple[float, float]] | None] = {
    "as trained": None,
    **{
        f"{mass:g} kg, mu {friction:g}": ((mass, mass), (friction, friction))
        for mass, friction in (
            (0.12, 0.4),
            (4.8, 0.4),
            (0.8, 0.06),
            (0.8, 1.6),
            (3.2, 1.2),
            (4.8, 0.06),
            (0.12, 1.6),
            (0.12, 0.06),
        )
    },
}
"""Ranges of mass [kg] and friction, by name; None for the training range."""

COLUMNS: dict[str, tuple[str, str]] = {
    "moved_share_10cm": ("> 10 cm", ".3f"),
    "median_displacement_m": ("median m", ".3f"),
    "displacement_r2": ("R2", ".3f"),
    "displacement_cells_2cm": ("cells", ".0f"),
    "octants": ("octants", ".1f"),
    "goal_share_5cm": ("goals 5 cm", ".3f"),
    "goal_share_3cm": ("goals 3 cm", ".3f"),
    "goal_mean_distance_m": ("goal dist m", ".3f"),
    "goal_rest_share_3cm_by_2400ms": ("at rest by 2.4 s", ".3f"),
    "governor_interventions": ("governor", ".0f"),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """A skill policy outside its training range."""

    model: Path = Path("models/csf_panda.onnx")
    """Policy file."""
    seeds: Seeds = (100, 101, 102)
    """Evaluation seeds."""
    episodes: PositiveInt = 3
    """Episodes of each of 48 skills; each episode has its own start."""
    goals: PositiveInt = 128
    """Goals within 15 cm of the centre of the table."""
    json: Path | None = None
    """File of the result, as JSON."""


def measure(config: Config) -> dict[str, list[dict[str, float | None]]]:
    """Returns the metrics by condition, one entry per seed."""
    policy = open_policy(config.model)
    plain = EvaluationSettings(episodes=config.episodes, goals=config.goals)
    total = total_steps(policy.manifest, plain) * len(CONDITIONS) * len(config.seeds)
    found: dict[str, list[dict[str, float | None]]] = {name: [] for name in CONDITIONS}
    with tqdm(total=total, unit="step", disable=None, leave=False) as bar:
        for name, ranges in CONDITIONS.items():
            bar.set_description(name)
            mass, friction = ranges or (None, None)
            for seed in config.seeds:
                settings = replace(plain, seed=seed, mass=mass, friction=friction)
                result = evaluate(policy, policy.manifest, settings, on_steps=bar.update)
                found[name].append(result.metrics)
    return found


def mean(runs: list[dict[str, float | None]], name: str, form: str) -> str:
    """Formats the mean over the seeds; a dash if the policy lacks the metric."""
    values = [value for run in runs if (value := run[name]) is not None]
    return format(sum(values) / len(values), form) if values else "-"


def weight(name: str) -> str:
    """Formats the friction force mu m g of a condition [N]."""
    ranges = CONDITIONS[name]
    return "-" if ranges is None else f"{ranges[0][0] * ranges[1][0] * GRAVITY:.1f}"


def main(config: Config) -> None:
    """Measures, prints the table and writes the result."""
    try:
        found = measure(config)
    except UnsupportedPolicyError as error:
        raise UsageError(str(error)) from None
    print_table(
        ["condition", "mu m g N", *(title for title, _ in COLUMNS.values())],
        [
            [name, weight(name), *(mean(runs, key, form) for key, (_, form) in COLUMNS.items())]
            for name, runs in found.items()
        ],
    )
    print(
        f"\n{config.model.name}; means over evaluation seeds {seed_text(config.seeds)}, each with "
        f"{config.episodes} x 48 episodes of skills and {config.goals} goals"
    )
    write_json(config.json, {"model": config.model.name, "seeds": config.seeds, "scores": found})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.skills.robustness", description=__doc__)
