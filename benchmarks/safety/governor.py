"""Which set-points of whole evaluations does the governor refuse, and how close are the others?

    python -m benchmarks.safety.governor

In `skill-eval` only a few scenes of a batch have a governor, because a governor costs more than the
physics. Here each scene has one, which checks each set-point as in serving. The episodes are those
of skill-eval on the nominal plant. The robot of the skill-aware benchmark has no set-points. Its
policies run on the MuJoCo twin, and each action is converted to the set-points of skill-serve
(benchmarks.safety.governed_scenes).

The arm is compliant: it presses on the table if its set-point is below the surface. The program
computes the force from joint stiffness and Jacobian, and measures it in the simulated arm
(benchmarks.safety.press).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from benchmarks.lib.inputs import names_of, open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Count, PositiveInt, Seeds
from benchmarks.lib.report import print_table, seed_text, write_json
from benchmarks.safety.governed_scenes import KINDS, Refusal, Tally, run_skill_aware, run_tabletop
from benchmarks.safety.press import PLACES, at_start, press
from skill_robots.franka.collision import HORIZON_M
from skill_robots.motion.limits import Surroundings
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.baselines import BaselineName, make_baseline
from skill_robots.tasks.registry import find_task
from skill_robots.tasks.skill_aware.benchmark import CELLS, EPISODE_STEPS
from skill_robots.tasks.skill_aware.compatibility import check_fits_skill_aware
from skill_robots.tasks.tabletop.tabletop import Tabletop
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_robots.tasks.task import Task
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.tabletop import EvaluationSettings, total_steps
from skill_runtime.policy import OnnxPolicy

Subject = OnnxPolicy | BaselineName


@dataclass(frozen=True, kw_only=True)
class Config:
    """The governor over all set-points of whole evaluations."""

    models: tuple[Path, ...] = tuple(
        Path(f"models/{name}_panda.onnx") for name in ("csf", "metra", "goal", "saccm")
    )
    """Policy files."""
    baselines: tuple[BaselineName, ...] = ()
    """Random baselines."""
    seeds: Seeds = (100,)
    """Evaluation seeds; each takes about two minutes per model."""
    start: Literal["low", "high"] = "low"
    """Start on the tabletop; see `skill-eval --help`."""
    episodes: PositiveInt = 4
    """Episodes of each of 48 skills; each episode has its own start."""
    goals: Count = 128
    """Goals within 15 cm of the centre of the table."""
    cell_episodes: PositiveInt = 50
    """Episodes in each of the 20 cells of the skill-aware benchmark."""
    json: Path | None = None
    """File of the result, as JSON."""


def subjects(config: Config) -> dict[str, Subject]:
    """Returns the policies and baselines, by name."""
    models: dict[str, Subject] = {
        name: open_policy(path) for name, path in names_of(config.models).items()
    }
    baselines: dict[str, Subject] = {name: name for name in config.baselines}
    return models | baselines


def task(subject: Subject) -> Task:
    """Returns the task that skill-eval scores the policy on; baselines run on the tabletop."""
    return TABLETOP if isinstance(subject, str) else find_task(subject.manifest.arm_plant.task)


def steps(config: Config, subject: Subject, settings: EvaluationSettings) -> int:
    """Returns the number of control steps over all scenes."""
    if task(subject).evaluation == "cells":
        return config.cell_episodes * len(CELLS) * EPISODE_STEPS
    return total_steps(None if isinstance(subject, str) else subject.manifest, settings)


def measure(config: Config, acting: dict[str, Subject]) -> dict[str, Tally]:
    """Runs all evaluations.

    Raises:
        UnsupportedPolicyError: A policy does not fit the evaluation of its task.
    """
    runs = [
        EvaluationSettings(
            episodes=config.episodes, goals=config.goals, seed=seed, start=config.start
        )
        for seed in config.seeds
    ]
    total = sum(steps(config, subject, run) for subject in acting.values() for run in runs)
    found: dict[str, Tally] = {}
    with tqdm(total=total, unit="step", disable=None, leave=False) as bar:
        for name, subject in acting.items():
            bar.set_description(name)
            tally = found.setdefault(name, Tally())
            for run in runs:
                if isinstance(subject, str):
                    policy = make_baseline(subject, Tabletop.action_size, run.seed)
                    run_tabletop(policy, run, tally, bar.update)
                elif task(subject).evaluation == "skills_and_goals":
                    run_tabletop(subject, run, tally, bar.update)
                else:
                    check_fits_skill_aware(subject.manifest)
                    run_skill_aware(subject, config.cell_episodes, run.seed, tally, bar.update)
    return found


def table_depth(tally: Tally) -> float:
    """Returns the depth of the lowest set-point below the table surface [m]; negative above it."""
    return -(tally.least["table"] + Surroundings.table_clearance_m)


def refusals(tally: Tally) -> str:
    """Formats the number of refused scenes, by reason."""
    reasons = Counter(refusal.reason for refusal in tally.refused)
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "0"


def refusal_text(refusal: Refusal) -> str:
    """Formats the time and place of a refusal, and the margin of its braking trajectory."""
    x, y, z = refusal.end_effector
    text = (
        f"{refusal.reason} after {refusal.after_s:.2f} s, end effector at "
        f"{x:.3f} {y:.3f} {z:.3f} (base frame)"
    )
    if refusal.margin_m is None:
        return text
    return f"{text}; margin of the braking trajectory {1e3 * refusal.margin_m:.1f} mm"


def row(name: str, of: str, tally: Tally) -> list[str]:
    """Returns the row of a policy; lengths in mm."""
    left = tally.least
    # The clearance model measures distances between links up to its horizon only.
    longest_m = HORIZON_M - Surroundings.self_clearance_m
    self_collision, table, workspace = (f"{1e3 * left[kind]:.1f}" for kind in KINDS[5:])
    return [
        name,
        of,
        f"{tally.scenes:,}",
        f"{len(tally.seconds):,}",
        refusals(tally),
        *(f"{left[kind]:.2f}" for kind in KINDS[:5]),
        self_collision if left["self_collision"] < longest_m else f"> {1e3 * longest_m:.0f}",
        table,
        workspace,
        f"{1e3 * table_depth(tally):.1f}",
        f"{tally.longest_stop_s:.2f}",
        f"{1e6 * float(np.median(tally.seconds)):.0f}",
    ]


def content(tally: Tally) -> dict[str, object]:
    """Returns the entry of a policy in the JSON result."""
    return {
        "episodes": tally.scenes,
        "setpoints": len(tally.seconds),
        "refused": [asdict(refusal) for refusal in tally.refused],
        "least_headroom": tally.least,
        "longest_stop_s": tally.longest_stop_s,
        "check_median_s": float(np.median(tally.seconds)),
    }


def print_press(depth_m: float) -> dict[str, list[float]]:
    """Prints and returns stiffness and contact force with the set-point below the table surface."""
    x, y, z = (at_start() / 1e3).tolist()
    print("\nstiffness of the end effector at the start pose, ", end="")
    print(f"x / y / z: {x:.2f} / {y:.2f} / {z:.2f} kN/m")
    print(f"with the set-point {1e3 * depth_m:.0f} mm below the table surface:\n")
    down, force = (values.tolist() for values in press(depth_m))
    rows = [
        [f"{place[0]:g}", f"{place[1]:g}", f"{along / 1e3:.2f}", f"{newton:.1f}"]
        for place, along, newton in zip(PLACES, down, force, strict=True)
    ]
    print_table(["x m", "y m", "vertical stiffness kN/m", "contact force N"], rows)
    return {"stiffness": down, "force": force}


TITLES = (
    *("policy", "task", "episodes", "set-points", "refused"),
    *("position", "velocity", "acceleration", "jerk", "end-effector speed"),
    *("self-collision", "table", "workspace"),
    *("depth in table", "longest stop s", "check us"),
)


def main(config: Config) -> None:
    """Measures, prints the tables and writes the result."""
    acting = subjects(config)
    try:
        found = measure(config, acting)
    except UnsupportedPolicyError as error:
        raise UsageError(str(error)) from None
    print("least headroom of all set-points: position in rad; velocity to end-effector speed as")
    print("shares of the limits; self-collision, table, workspace and depth in table in mm\n")
    rows = [row(name, task(acting[name]).option, tally) for name, tally in found.items()]
    print_table(TITLES, rows)
    for name, tally in found.items():
        for refusal in tally.refused:
            print(f"{name}: {refusal_text(refusal)}")
    print(f"\nevaluation seeds {seed_text(config.seeds)}, {config.start} start")
    pressed = print_press(-Surroundings.table_clearance_m)
    write_json(
        config.json,
        {
            "seeds": config.seeds,
            "start": config.start,
            "policies": {name: content(tally) for name, tally in found.items()},
            "press": {"places": PLACES, **pressed},
        },
    )


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.safety.governor", description=__doc__)
