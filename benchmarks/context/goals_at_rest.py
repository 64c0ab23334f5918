"""Cubes at rest at their goals in time: what knowing mass and friction is worth, and who knows it.

Reads the final evaluations of `skill-train goal` runs, several seeds of each kind, and puts beside
them what a skill policy does that is told nothing and only pushes more gently near the cube: on the
same goals, from the same starts, by the same measure. Then what the runs' policy files do with the
next goal in the same context, their memory carried on: what serving one goal after another is.

    python -m benchmarks.context.goals_at_rest --runs told=RUN,RUN,RUN untold=RUN,RUN,RUN sance=RUN,RUN,RUN
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from tqdm import tqdm

from benchmarks.lib.inputs import named, open_policy
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_robots.observation import PUSH_OBSERVATION, layout
from skill_robots.tasks.tabletop.metrics import REST_STEPS, rest_share
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories
from skill_runtime.policy.onnx_policy import OnnxPolicy
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
"""Values of the seeds, by row and metric."""

CONTEXT_USES = ("zeroed", "frozen")
TIMES = tuple(f"by_{step * 40}ms" for step in REST_STEPS)
R2 = tuple(
    f"r2_{quantity}/after_{step * 40}ms"
    for quantity in ("friction", "mass")
    for step in AFTER_CONTACT_STEPS
)

NEAR_M = 0.10
"""Distance of the hand from the cube within which the fixed speeds are gentle [m]."""
STOP_M = 0.02
"""Distance of the cube from the goal within which they stand still [m]."""
WORTH = 0.05
"""A smaller gap between told and untold is noise, and no share of it is given."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Goals at rest, by friction and mass."""

    runs: tuple[str, ...]
    """NAME=DIR,DIR,...: finished runs of one kind, one directory per training seed. The names told
    and untold are the bounds that the others are measured against."""
    skills: Path | None = Path("models/csf_panda.onnx")
    """Skill policy that goes at fixed speeds; None leaves it out."""
    speeds: tuple[float, ...] = (0.3, 0.5, 1.0)
    """Its actions near the cube are scaled by these."""
    next_goal: bool = True
    """Also measure the goal after the first one, of runs with an encoder."""
    json: Path | None = None
    """Where to write the result."""


class FixedSpeed:
    """A skill policy pursuing goals zero-shot; gentle near the cube, still when it is there."""

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
        """``(n, A)``."""
        action = self._policy.step(observation, goal=goal, previous_action=self._done).action
        near = np.linalg.norm(observation[:, self._reach], axis=1) < NEAR_M
        there = np.linalg.norm(observation[:, self._cube] - goal, axis=1) < STOP_M
        factor = np.where(there, 0.0, np.where(near, self._speed, 1.0))
        self._done = (action * factor[:, None]).astype(np.float64)
        return self._done


class Live:
    """A run's policy file; its memory lasts from one episode to the next."""

    def __init__(self, policy: OnnxPolicy, n: int) -> None:
        self._policy = policy
        policy.reset(n)

    def act(self, observation: Array, goal: Array) -> Array:
        """``(n, A)``."""
        return self._policy.act(observation, goal=goal)


def episode(policy: FixedSpeed | Live, world: GoalWorld) -> dict[str, float]:
    """Rest shares of one condition, as a run's final evaluation has them."""
    world.reset()
    goals = world.goal
    cube, speed = [world.cube_position], [world.cube_speed]
    for _ in range(world.episode_steps):
        world.step(policy.act(world.observe(), world.goal))
        cube.append(world.cube_position)
        speed.append(world.cube_speed)
    truth = np.exp(world.truth)
    trajectories = GoalTrajectories(
        cube=np.stack(cube, 1),
        cube_speed=np.stack(speed, 1),
        end_effector=np.zeros((world.n, len(cube), 3)),
        goals=goals,
        mass=truth[:, 0],
        friction=truth[:, 1],
    )
    return {
        key: rest_share(trajectories, step) for key, step in zip(TIMES, REST_STEPS, strict=True)
    }


def measure_speeds(config: Config, task: GoalTaskConfig, goals: int) -> Scores:
    """Every speed in every condition."""
    if config.skills is None:
        return {}
    policy = open_policy(config.skills)
    if policy.manifest.observation_names != PUSH_OBSERVATION or policy.manifest.goal is None:
        raise SystemExit(f"{config.skills} is no policy that takes goals on the tabletop")
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
    return scores | {"best speed of each column": best}


def measure_next_goals(runs: Mapping[str, list[Path]], task: GoalTaskConfig, goals: int) -> Scores:
    """The second of two goals in one context, of every run whose policy has a memory."""
    files = {
        name: [open_policy(path) for run in part if (path := run / "policy.onnx").exists()]
        for name, part in runs.items()
    }
    remembering = {
        name: part
        for name, part in files.items()
        if part and all(policy.manifest.recurrent for policy in part)
    }
    scores: Scores = {}
    total = len(CONTEXTS) * sum(map(len, remembering.values()))
    with tqdm(total=total, disable=None, leave=False) as bar:
        for name, part in remembering.items():
            row = scores.setdefault(f"{name}, next goal", {})
            for policy in part:
                for condition, (mass, friction) in CONTEXTS.items():
                    world = GoalWorld(nominal(task, mass, friction), goals, seed=EVALUATION_SEED)
                    live = Live(policy, goals)
                    episode(live, world)
                    for key, value in episode(live, world).items():
                        row.setdefault(f"{condition}/{key}", []).append(value)
                    bar.update()
    return scores


def final_metrics(directory: Path) -> dict[str, float]:
    """The final evaluation of a finished run."""
    try:
        rows = read(directory / FILE_NAME)
    except RunDirectoryError as error:
        raise SystemExit(str(error)) from None
    last = rows[-1] if rows else {}
    found = {
        name.removeprefix("final/"): v for name, v in last.items() if name.startswith("final/")
    }
    if f"{next(iter(CONTEXTS))}/{TIMES[-1]}" not in found:
        raise SystemExit(f"{directory} holds no finished run of `skill-train goal`")
    return found


def settings(directories: list[Path]) -> tuple[GoalTaskConfig, int]:
    """Task and number of goals of the final evaluations, which must be the same in all runs."""
    seen: set[tuple[int, float]] = set()
    task = GoalTaskConfig()
    for directory in directories:
        try:
            config = RunDirectory(directory).config()
        except RunDirectoryError as error:
            raise SystemExit(str(error)) from None
        if not isinstance(config, GoalConfig):
            raise SystemExit(f"{directory} is a run of {config.algorithm_name}, not of goal")
        task = config.task
        seen.add((config.run.final_eval_goals, task.physics_step_s))
    if len(seen) != 1:
        raise SystemExit(
            f"these runs were evaluated differently (goals, physics step): {sorted(seen)}; give "
            "runs with the same --final-eval-goals"
        )
    return task, seen.pop()[0]


def read_runs(runs: Mapping[str, list[Path]]) -> Scores:
    """A row per kind of run; of those with an encoder also with its context zeroed and frozen."""
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
    """Mean, and the range over the seeds where there are several."""
    if not values:
        return "-"
    text = f"{np.mean(values):.2f}"
    return text if len(values) == 1 else f"{text} ({min(values):.2f} to {max(values):.2f})"


def print_shares(scores: Scores, time: str) -> None:
    """One row per policy, one column per condition."""
    when = time.replace("_", " ")
    print(f"\nat rest within 3 cm {when}, mean (least to most) over training seeds\n")
    columns = ("trained", *CONTEXTS)
    rows = [
        [name, *(spread(row.get(f"{c}/{time}")) for c in columns)] for name, row in scores.items()
    ]
    print_table(["policy", *columns], rows)


def print_gains(scores: Scores, time: str) -> dict[str, dict[str, float]]:
    """What each row gains on untold, and, of those that infer, the share of what told gains."""
    told, untold = scores.get("told"), scores.get("untold")
    if told is None or untold is None:
        return {}
    print(f"\ngain on untold {time.replace('_', ' ')}, and its share of told - untold\n")
    closed: dict[str, dict[str, float]] = {}
    rows: list[list[str]] = []
    for name, row in scores.items():
        if name == "untold":
            continue
        cells: list[str] = []
        for key in (f"{condition}/{time}" for condition in CONTEXTS):
            gap = float(np.mean(told[key]) - np.mean(untold[key]))
            gain = float(np.mean(row[key]) - np.mean(untold[key]))
            infers = R2[0] in row or name.endswith("next goal")
            share = gain / gap if gap >= WORTH and infers else None
            if share is not None:
                closed.setdefault(name, {})[key] = share
            cells.append(f"{gain:+.2f}" + ("" if share is None else f" ({share:.0%})"))
        rows.append([name, *cells])
    print_table(["policy", *CONTEXTS], rows)
    return closed


def main(config: Config) -> None:
    """Reads, measures, prints tables, and writes the result where asked."""
    runs = named(config.runs, "DIR")
    scores = read_runs(runs)
    task, goals = settings([directory for part in runs.values() for directory in part])
    if config.next_goal:
        scores |= measure_next_goals(runs, task, goals)
    scores |= measure_speeds(config, task, goals)
    print(f"{goals} goals a condition, those over 5 cm away count; mu at 0.8 kg, 4.8kg at mu 0.4")
    closed: dict[str, dict[str, float]] = {}
    for time in TIMES:
        print_shares(scores, time)
        for name, part in print_gains(scores, time).items():
            closed.setdefault(name, {}).update(part)
    rows = [
        [name, *(spread(row[key]) for key in R2)] for name, row in scores.items() if R2[0] in row
    ]
    if rows:
        print("\nR2 of the estimates some time after the first contact, with sensor noise\n")
        print_table(["policy", *(key.replace("/after_", " ") for key in R2)], rows)
    write_json(config.json, {"goals": goals, "scores": scores, "closed": closed})


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
