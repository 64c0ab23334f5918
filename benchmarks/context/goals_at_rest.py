"""How much does knowledge of mass and friction help, and how much of it does a policy infer?

    python -m benchmarks.context.goals_at_rest --runs told=RUN,RUN untold=RUN,RUN sance=RUN,RUN

The measure is the share of goals with the cube at rest in time. The program compares

- the final evaluations of `skill-train goal` runs, with several training seeds of each kind;
- a context-free skill policy, which pushes at a fixed lower speed near the cube;
- the runs' policy files at a second goal in the same context, without a reset of their state.

All of them have the same goals and the same starts: those of the final evaluation in training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.lib.inputs import named, open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloats, Some
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_robots.observation import PUSH_OBSERVATION, layout
from skill_robots.tasks.tabletop.metrics import REST_STEPS, rest_share
from skill_robots.tasks.tabletop.tabletop import Interval
from skill_runtime.console.flags import UsageError
from skill_runtime.policy import OnnxPolicy
from skill_training.errors import RunDirectoryError
from skill_training.recipes.goal.config import GoalConfig
from skill_training.recipes.goal.evaluation import (
    AFTER_CONTACT_STEPS,
    CONTEXTS,
    EVALUATION_SEED,
    nominal,
)
from skill_training.recipes.goal.world import GoalTaskConfig, GoalWorld
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import FILE_NAME, read

Scores = dict[str, dict[str, list[float]]]
"""Values of the training seeds, by row and metric."""

UPPER_BOUND, LOWER_BOUND = "told", "untold"
"""Names of the runs with the true context and of the context-free runs, as in
`skill-train goal --goal.knowledge`."""

CONTEXT_USES = ("zeroed", "frozen")
TIMES = tuple(f"by_{step * 40}ms" for step in REST_STEPS)
R2 = tuple(
    f"r2_{quantity}/after_{step * 40}ms"
    for quantity in ("friction", "mass")
    for step in AFTER_CONTACT_STEPS
)

NEAR_M = 0.10
"""Distance from end effector to cube below which the speed is lower [m]."""
STOP_M = 0.02
"""Distance from cube to goal below which the arm stops [m]."""
MIN_GAP = 0.05
"""Smallest gap between the bounds for which its closed share is printed; less is noise."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Goals reached, by friction and mass."""

    runs: Some[str]
    """NAME=DIR,DIR,...: finished runs of one kind, one directory per training seed. The runs named
    told (true context) and untold (context-free) are the bounds."""
    skills: Path | None = Path("models/csf_panda.onnx")
    """Skill policy at fixed speeds; None omits its rows."""
    speeds: PositiveFloats = (0.3, 0.5, 1.0)
    """Factors on the actions of the skill policy near the cube."""
    next_goal: bool = True
    """Also measure a second goal, for runs with an encoder."""
    json: Path | None = None
    """File of the result, as JSON."""


class FixedSpeed:
    """A skill policy on goals, zero-shot; slower near the cube, at rest when the cube is there."""

    def __init__(self, policy: OnnxPolicy, speed: float) -> None:
        self._policy, self._speed = policy, speed
        place = layout(policy.manifest.observation_names)
        self._cube = slice(place["cube_position"].start, place["cube_position"].start + 2)
        self._reach = place["cube_from_end_effector"]
        self._done: Array | None = None

    def reset(self, n: int) -> None:
        """Starts ``n`` episodes."""
        self._policy.reset(n)
        self._done = None

    def act(self, observation: Array, goal: Array) -> Array:
        """Returns actions ``(n, A)``."""
        action = self._policy.step(observation, goal=goal, previous_action=self._done).action
        near = np.linalg.norm(observation[:, self._reach], axis=1) < NEAR_M
        there = np.linalg.norm(observation[:, self._cube] - goal, axis=1) < STOP_M
        factor = np.where(there, 0.0, np.where(near, self._speed, 1.0))
        self._done = (action * factor[:, None]).astype(np.float64)
        return self._done


class Continued:
    """A policy file whose recurrent state continues from one episode to the next."""

    def __init__(self, policy: OnnxPolicy, n: int) -> None:
        self._policy = policy
        policy.reset(n)

    def act(self, observation: Array, goal: Array) -> Array:
        """Returns actions ``(n, A)``."""
        return self._policy.act(observation, goal=goal)


def episode(policy: FixedSpeed | Continued, world: GoalWorld) -> dict[str, float]:
    """Runs one condition and returns its shares, with the keys of a run's final evaluation."""
    world.reset()
    goals = world.goal
    cube, speed = [world.cube_position], [world.cube_speed]
    for _ in range(world.episode_steps):
        world.step(policy.act(world.observe(), world.goal))
        cube.append(world.cube_position)
        speed.append(world.cube_speed)
    distance = np.linalg.norm(np.stack(cube, 1) - goals[:, None], axis=-1)
    speeds = np.stack(speed, 1)
    return {
        key: rest_share(distance, speeds, step) for key, step in zip(TIMES, REST_STEPS, strict=True)
    }


def measure_speeds(config: Config, task: GoalTaskConfig, goals: int) -> Scores:
    """Measures each speed in each condition."""
    if config.skills is None:
        return {}
    policy = open_policy(config.skills)
    if policy.manifest.observation_names != PUSH_OBSERVATION or policy.manifest.goal is None:
        raise UsageError(
            f"--skills {config.skills}: the policy takes no goals on the tabletop. Name a skill "
            "policy such as models/csf_panda.onnx, or None"
        )
    scores: Scores = {}
    with tqdm(total=len(config.speeds) * len(CONTEXTS), disable=None, leave=False) as bar:
        for speed in config.speeds:
            row = scores.setdefault(f"fixed speed x{speed:g}", {})
            for name, (mass, friction) in CONTEXTS.items():
                world = GoalWorld(nominal(task, mass, friction), goals, seed=EVALUATION_SEED)
                fixed = FixedSpeed(policy, speed)
                fixed.reset(goals)
                shares = episode(fixed, world)
                row |= {f"{name}/{key}": [value] for key, value in shares.items()}
                bar.update()
    best: dict[str, list[float]] = {}
    for key in next(iter(scores.values()), {}):
        best[key] = [max(row[key][0] for row in scores.values())]
    return scores | {"best speed per column": best}


def measure_next_goals(runs: Mapping[str, list[Path]], task: GoalTaskConfig, goals: int) -> Scores:
    """Measures the second of two goals in one context, for each recurrent policy."""
    files = {
        name: [open_policy(path) for run in part if (path := run / "policy.onnx").exists()]
        for name, part in runs.items()
    }
    recurrent = {
        name: part
        for name, part in files.items()
        if part and all(policy.manifest.recurrent for policy in part)
    }
    scores: Scores = {}
    total = len(CONTEXTS) * sum(map(len, recurrent.values()))
    with tqdm(total=total, disable=None, leave=False) as bar:
        for name, part in recurrent.items():
            row = scores.setdefault(f"{name}, next goal", {})
            for policy in part:
                for condition, (mass, friction) in CONTEXTS.items():
                    world = GoalWorld(nominal(task, mass, friction), goals, seed=EVALUATION_SEED)
                    continued = Continued(policy, goals)
                    episode(continued, world)
                    for key, value in episode(continued, world).items():
                        row.setdefault(f"{condition}/{key}", []).append(value)
                    bar.update()
    return scores


def final_metrics(directory: Path) -> dict[str, float]:
    """Returns the final evaluation of a finished run."""
    try:
        rows = read(directory / FILE_NAME)
    except RunDirectoryError as error:
        raise UsageError(str(error)) from None
    last = rows[-1] if rows else {}
    found = {
        name.removeprefix("final/"): v for name, v in last.items() if name.startswith("final/")
    }
    if f"{next(iter(CONTEXTS))}/{TIMES[-1]}" not in found:
        raise UsageError(
            f"{directory} has no final evaluation of `skill-train goal`; name a finished run"
        )
    return found


def settings(directories: list[Path]) -> tuple[GoalTaskConfig, int]:
    """Returns the task and the number of goals of the final evaluations; exits if they differ."""
    seen: set[tuple[int, float, Interval, Interval]] = set()
    task = GoalTaskConfig()
    for directory in directories:
        try:
            config = RunDirectory(directory).config()
        except RunDirectoryError as error:
            raise UsageError(str(error)) from None
        if not isinstance(config, GoalConfig):
            raise UsageError(f"{directory} is a run of {config.algorithm_name}, not of goal")
        task = config.task
        seen.add((config.run.final_eval_goals, task.physics_step_s, task.mass, task.friction))
    if len(seen) != 1:
        raise UsageError(
            "these runs were evaluated differently (goals, physics step, trained ranges of mass "
            f"and friction): {sorted(seen)}; give runs with the same --final-eval-goals and ranges"
        )
    return task, seen.pop()[0]


def read_runs(runs: Mapping[str, list[Path]]) -> Scores:
    """Returns one row per kind of run; with an encoder, also for a zeroed and a frozen context."""
    scores: Scores = {}
    for name, directories in runs.items():
        seeds = [final_metrics(directory) for directory in directories]
        shared = [key for key in seeds[0] if all(key in seed for seed in seeds)]
        values = {key: [seed[key] for seed in seeds] for key in shared}
        scores[name] = {key: row for key, row in values.items() if "/by_" in key or key in R2}
        for use in CONTEXT_USES:
            part = {k.replace(f"{use}_", ""): row for k, row in values.items() if f"/{use}_" in k}
            if part:
                scores[f"{name}, context {use}"] = part
    return scores


def spread(values: list[float] | None) -> str:
    """Returns the mean, and the range if there are several seeds."""
    if not values:
        return "-"
    text = f"{np.mean(values):.2f}"
    return text if len(values) == 1 else f"{text} ({min(values):.2f} to {max(values):.2f})"


def print_shares(scores: Scores, time: str) -> None:
    """Prints one row per policy, one column per condition."""
    when = time.replace("_", " ")
    print(f"\nshare at rest within 3 cm {when}: mean (least to most) over training seeds\n")
    columns = ("trained", *CONTEXTS)
    rows = [
        [name, *(spread(row.get(f"{c}/{time}")) for c in columns)] for name, row in scores.items()
    ]
    print_table(["policy", *columns], rows)


def print_gains(scores: Scores, time: str) -> dict[str, dict[str, float]]:
    """Prints the gain of each row on the lower bound, and its share of the gap.

    Returns:
        The share of the gap that each row with inferred context closes, by condition; empty without
        both bounds.
    """
    upper, lower = scores.get(UPPER_BOUND), scores.get(LOWER_BOUND)
    if upper is None or lower is None:
        return {}
    print(
        f"\ngain on {LOWER_BOUND} {time.replace('_', ' ')} (share of {UPPER_BOUND} - {LOWER_BOUND})"
        "\n"
    )
    closed: dict[str, dict[str, float]] = {}
    rows: list[list[str]] = []
    for name, row in scores.items():
        if name == LOWER_BOUND:
            continue
        cells: list[str] = []
        for key in (f"{condition}/{time}" for condition in CONTEXTS):
            gap = float(np.mean(upper[key]) - np.mean(lower[key]))
            gain = float(np.mean(row[key]) - np.mean(lower[key]))
            infers = R2[0] in row or name.endswith("next goal")
            share = gain / gap if gap >= MIN_GAP and infers else None
            if share is not None:
                closed.setdefault(name, {})[key] = share
            cells.append(f"{gain:+.2f}" + ("" if share is None else f" ({share:.0%})"))
        rows.append([name, *cells])
    print_table(["policy", *CONTEXTS], rows)
    return closed


def main(config: Config) -> None:
    """Reads the runs, measures, prints the tables and writes the result."""
    runs = named(config.runs, "DIR")
    scores = read_runs(runs)
    task, goals = settings([directory for part in runs.values() for directory in part])
    if config.next_goal:
        scores |= measure_next_goals(runs, task, goals)
    scores |= measure_speeds(config, task, goals)
    print(
        f"{goals} goals per condition, without those less than 5 cm away; evaluation seed "
        f"{EVALUATION_SEED}; mu: at 0.8 kg, 4.8kg: at mu 0.4"
    )
    closed: dict[str, dict[str, float]] = {}
    for time in TIMES:
        print_shares(scores, time)
        for name, part in print_gains(scores, time).items():
            closed.setdefault(name, {}).update(part)
    rows = [
        [name, *(spread(row[key]) for key in R2)] for name, row in scores.items() if R2[0] in row
    ]
    if rows:
        print("\nR2 of the estimates by time after the first contact, with sensor noise\n")
        print_table(["policy", *(key.replace("/after_", " ") for key in R2)], rows)
    write_json(config.json, {"goals": goals, "scores": scores, "closed": closed})


if __name__ == "__main__":
    run_program(
        main, Config, prog="python -m benchmarks.context.goals_at_rest", description=__doc__
    )
