"""The complete governor over whole evaluations: what it refuses, how near its limits policies come.

`skill-eval` gives a governor to a few scenes of a batch, because it costs more than the physics.
Here every scene has one: the episodes of skill-eval, nominal plant, policies from their files, and
each set-point checked as in serving. The policies of the skill-aware benchmark, whose robot has no
set-points, run on its MuJoCo twin; each of their actions becomes set-points as skill-serve makes
them (governed_scenes.py).

The arm is compliant, so a set-point in the table presses on it: how hard is computed from joint
stiffness and Jacobian, and measured in the simulated arm (press.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from tqdm import tqdm

from benchmarks.lib.inputs import open_policy
from benchmarks.lib.report import print_table, write_json
from benchmarks.safety.governed_scenes import KINDS, Refusal, Tally, run_skill_aware, run_tabletop
from benchmarks.safety.press import PLACES, at_start, press
from skill_robots.franka.clearance import HORIZON_M
from skill_robots.motion.limits import Surroundings
from skill_robots.motion.policy_adapter import SKILL_AWARE_TASK, UnsupportedPolicyError
from skill_robots.tasks.baselines import BaselineName, make_baseline
from skill_robots.tasks.skill_aware.benchmark import CELLS, EPISODE_STEPS
from skill_robots.tasks.tabletop.tabletop import Tabletop
from skill_runtime.evaluation.skill_aware import check_fits
from skill_runtime.evaluation.tabletop import EvaluationSettings, total_steps
from skill_runtime.policy.onnx_policy import OnnxPolicy

Subject = OnnxPolicy | BaselineName


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every set-point of whole evaluations through the complete governor."""

    models: tuple[Path, ...] = tuple(
        Path(f"models/{name}_panda.onnx") for name in ("csf", "metra", "goal", "saccm")
    )
    """Policy files."""
    baselines: tuple[BaselineName, ...] = ()
    """Random baselines to put below them."""
    seeds: tuple[int, ...] = (0,)
    """Evaluation seeds; each costs some two minutes a model."""
    start: Literal["low", "high"] = "low"
    """On the tabletop; see `skill-eval --help`."""
    episodes: int = 4
    """Sets of 48 skills, each from starts of its own."""
    goals: int = 128
    """Goals within 15 cm of the middle."""
    cell_episodes: int = 50
    """In each of the 20 cells of the skill-aware benchmark."""
    json: Path | None = None
    """Where to write the result."""


def subjects(config: Config) -> dict[str, Subject]:
    """Who acts, by name."""
    models: dict[str, Subject] = {path.stem: open_policy(path) for path in config.models}
    baselines: dict[str, Subject] = {name: name for name in config.baselines}
    return models | baselines


def task(subject: Subject) -> str:
    """What of skill-eval it runs."""
    if isinstance(subject, str) or subject.manifest.plant.task != SKILL_AWARE_TASK:
        return "tabletop"
    return "skill-aware"


def steps(config: Config, subject: Subject, settings: EvaluationSettings) -> int:
    """Control steps over all scenes."""
    if task(subject) == "skill-aware":
        return config.cell_episodes * len(CELLS) * EPISODE_STEPS
    return total_steps(None if isinstance(subject, str) else subject.manifest, settings)


def measure(config: Config, acting: dict[str, Subject]) -> dict[str, Tally]:
    """Runs everybody's evaluations.

    Raises:
        UnsupportedPolicyError: a policy cannot act in the evaluation of its task.
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
                elif task(subject) == "tabletop":
                    run_tabletop(subject, run, tally, bar.update)
                else:
                    check_fits(subject.manifest)
                    run_skill_aware(subject, config.cell_episodes, run.seed, tally, bar.update)
    return found


def dip(tally: Tally) -> float:
    """How deep the lowest set-point is in the table [m]; negative above it."""
    return -(tally.least["table"] + Surroundings.table_clearance_m)


def refusals(tally: Tally) -> str:
    """Scenes refused, by reason."""
    reasons = Counter(refusal.reason for refusal in tally.refused)
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "0"


def in_words(refusal: Refusal) -> str:
    """Where it was, and how much was missing."""
    x, y, z = refusal.hand
    text = f"{refusal.reason} after {refusal.after_s:.2f} s, hand at {x:.3f} {y:.3f} {z:.3f} (base)"
    if refusal.room_m is None:
        return text
    return f"{text}; its stop leaves {1e3 * refusal.room_m:.1f} mm at the servo's instants"


def row(name: str, of: str, tally: Tally) -> list[str]:
    """For the table; lengths in mm."""
    left = tally.least
    told = HORIZON_M - Surroundings.self_clearance_m
    itself, table, workspace = (f"{1e3 * left[kind]:.1f}" for kind in KINDS[5:])
    return [
        name,
        of,
        f"{tally.scenes:,}",
        f"{len(tally.seconds):,}",
        refusals(tally),
        *(f"{left[kind]:.2f}" for kind in KINDS[:5]),
        itself if left["itself"] < told else f"> {1e3 * told:.0f}",
        table,
        workspace,
        f"{1e3 * dip(tally):.1f}",
        f"{tally.longest_stop_s:.2f}",
        f"{1e6 * float(np.median(tally.seconds)):.0f}",
    ]


def content(tally: Tally) -> dict[str, object]:
    """For JSON."""
    return {
        "episodes": tally.scenes,
        "setpoints": len(tally.seconds),
        "refused": [asdict(refusal) for refusal in tally.refused],
        "least_headroom": tally.least,
        "longest_stop_s": tally.longest_stop_s,
        "check_median_s": float(np.median(tally.seconds)),
    }


def print_press(depth_m: float) -> dict[str, list[float]]:
    """How hard the arm presses with its set-point so deep in the table."""
    x, y, z = (at_start() / 1e3).tolist()
    print(f"\nthe hand's stiffness at the start pose, x / y / z: {x:.2f} / {y:.2f} / {z:.2f} kN/m")
    print(f"with the set-point {1e3 * depth_m:.0f} mm in the table:\n")
    down, force = (values.tolist() for values in press(depth_m))
    rows = [
        [f"{place[0]:g}", f"{place[1]:g}", f"{along / 1e3:.2f}", f"{newton:.1f}"]
        for place, along, newton in zip(PLACES, down, force, strict=True)
    ]
    print_table(["x m", "y m", "kN/m downwards", "presses with N"], rows)
    return {"stiffness": down, "force": force}


TITLES = (
    *("policy", "task", "episodes", "set-points", "refused"),
    *("position", "velocity", "acceleration", "jerk", "hand speed", "itself", "table", "workspace"),
    *("in the table", "longest stop s", "check us"),
)


def main(config: Config) -> None:
    """Measures, prints tables, and writes the result where asked."""
    acting = subjects(config)
    try:
        found = measure(config, acting)
    except UnsupportedPolicyError as error:
        raise SystemExit(str(error)) from None
    print("every set-point of every episode through the governor of its scene; least headroom:")
    print("rad of a joint's range, shares of the limits, mm; in the table: deepest set-point, mm\n")
    print_table(TITLES, [row(name, task(acting[name]), tally) for name, tally in found.items()])
    for name, tally in found.items():
        for refusal in tally.refused:
            print(f"{name}: {in_words(refusal)}")
    print(f"\nevaluation seeds {', '.join(map(str, config.seeds))}, {config.start} start")
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
    main(tyro.cli(Config, description=__doc__))
