"""Does the context distance tell the inside of the trained range from the outside?

    python -m benchmarks.context.outside --json FILE

Each shipped policy with an encoder runs in the scenes of its training: inside the range of its
manifest, and outside in one quantity at a time, which is cube mass, cube friction, arm stiffness,
action latency, or a second cube on the table. `goal_panda` pursues goal after goal without a reset,
as in half of its training; `saccm_panda` has one goal an episode, and goal after goal is a further
condition outside. A table gives the area under the ROC curve of three scores of a control step:

- *step*: the context distance of telemetry.
- *mean*: its mean over half a trained horizon, by which `skill-serve --outside` judges.
- *surprise*: the mean, over the same time, of the error of a linear one-step model, which is fitted
  inside. No server has this score; it shows how much more the observations say.

and the share of scenes in which the server would report an excursion. All scores are of the same
steps: those with a full window.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.context.outside.conditions import INSIDE, Side, inside, outside
from benchmarks.context.outside.recording import Recording, Scenes
from benchmarks.context.outside.roc import Area, area
from benchmarks.context.outside.scores import Surprise, excursions, windowed
from benchmarks.context.outside.skill_aware import SKILL_AWARE_SCENES
from benchmarks.context.outside.tabletop import TABLETOP_SCENES
from benchmarks.lib.inputs import names_of, open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seeds, Some
from benchmarks.lib.report import print_table, seed_text, write_json
from skill_proto.arrays import Array
from skill_robots.tasks.skill_aware.task import SKILL_AWARE
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_runtime.console.flags import UsageError
from skill_runtime.policy import OnnxPolicy
from skill_runtime.policy.outside_monitor import window_steps
from skill_runtime.policy.when_outside import knows_distance

WORLDS: dict[str, Scenes] = {
    TABLETOP.name: TABLETOP_SCENES,
    SKILL_AWARE.name: SKILL_AWARE_SCENES,
}
"""The scenes of each task."""

CALIBRATION_SEEDS = (50, 51, 52, 53)
"""Scenes inside that the one-step model is fitted to; no evaluation seeds."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Area under the ROC curve of the context distance."""

    policies: Some[Path] = (Path("models/goal_panda.onnx"), Path("models/saccm_panda.onnx"))
    """Policies with an encoder and a calibrated distance."""
    seeds: Seeds = (100, 101, 102, 103)
    """Evaluation seeds."""
    scenes: PositiveInt = 16
    """Scenes of each seed and side: below or above the trained range."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How well the scores tell one condition from the inside."""

    step: Area
    mean: Area
    surprise: Area
    unusual: float
    """Share of steps with a distance above 1."""
    reported: float
    """Share of scenes in which the server would report an excursion."""
    outside: float
    """Share of steps during an excursion."""


def main(config: Config) -> None:
    """Measures every policy and prints its table."""
    started = time.monotonic()
    results: dict[str, Mapping[str, object]] = {}
    for name, path in names_of(config.policies).items():
        policy = open_policy(path)
        found = measure(policy, config)
        print_table_of(name, config, found)
        results[name] = {condition: asdict(one) for condition, one in found.items()}
    took = time.monotonic() - started
    print(f"\n{took:.0f} s")
    settings = {"seeds": config.seeds, "scenes": config.scenes}
    write_json(config.json, {"settings": settings, "wall_time_s": round(took), "policies": results})


def measure(policy: OnnxPolicy, config: Config) -> dict[str, Separation]:
    """Returns the separation of each condition; that of the inside itself comes first."""
    if not knows_distance(policy.manifest):
        raise UsageError(
            f"{policy.path} has no context distance. Name a policy with an encoder, such as "
            "models/goal_panda.onnx"
        )
    world, trained = world_of(policy), inside(policy.manifest)
    quantities = {INSIDE: {"": trained}} | outside(
        trained,
        largest_friction=world.largest_friction,
        stiffer=world.stiffer,
        goals=world.goals,
    )
    sides = [side for ends in quantities.values() for side in ends.values()]
    runs = len(CALIBRATION_SEEDS) + len(config.seeds) * sum(side.goals for side in sides)
    total, name = runs * world.steps, policy.manifest.name
    with tqdm(total=total, desc=name, unit="step", disable=None, leave=False) as bar:

        def record(side: Side, seeds: tuple[int, ...]) -> Recording:
            n = world.columns * config.scenes
            return Recording.joined(
                [world.run(policy, side, n, seed, bar.update) for seed in seeds]
            )

        surprise = Surprise(record(trained, CALIBRATION_SEEDS))
        window = window_steps(policy.manifest)
        known: Judged | None = None
        found: dict[str, Separation] = {}
        for quantity, ends in quantities.items():
            parts = {
                end: Judged.of(record(side, config.seeds), surprise, window)
                for end, side in ends.items()
            }
            both = Judged.joined(list(parts.values()))
            known = known or both
            found[quantity] = known.separation(both)
            if len(parts) > 1:
                found |= {f"{quantity}, {end}": known.separation(parts[end]) for end in parts}
    return found


def world_of(policy: OnnxPolicy) -> Scenes:
    """Returns the scenes of the policy's training; exits if there are none."""
    plant = policy.manifest.plant
    task = "none" if plant is None else policy.manifest.arm_plant.task
    if task not in WORLDS:
        raise UsageError(
            f"{policy.path} was trained in the task {task!r}; this benchmark knows the scenes of "
            f"{' and '.join(WORLDS)} only"
        )
    return WORLDS[task]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The scores of one condition, from the first full window on; a row is a scene."""

    step: Array
    mean: Array
    surprise: Array
    excursion: Array

    @classmethod
    def of(cls, seen: Recording, surprise: Surprise, window: int) -> Judged:
        """Scores a recording; ``window`` is the number of steps of a mean."""
        first = int(np.isnan(seen.distance).any(axis=1).sum())  # the young states come first
        distance = seen.distance[first:]
        return cls(
            step=distance[window - 1 :].T,
            mean=windowed(distance, window).T,
            surprise=windowed(surprise.of(seen)[first:], window).T,
            excursion=excursions(distance, window)[window - 1 :].T,
        )

    @classmethod
    def joined(cls, parts: list[Judged]) -> Judged:
        """Returns the scenes of all parts."""
        return cls(
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            }
        )

    def separation(self, other: Judged) -> Separation:
        """Returns how well the scores tell ``other`` from these scenes, which are inside."""
        return Separation(
            step=area(self.step, other.step),
            mean=area(self.mean, other.mean),
            surprise=area(self.surprise, other.surprise),
            unusual=float((other.step > 1.0).mean()),
            reported=float(other.excursion.any(axis=1).mean()),
            outside=float(other.excursion.mean()),
        )


def print_table_of(policy: str, config: Config, found: Mapping[str, Separation]) -> None:
    """Prints the table of one policy."""
    print(
        f"\n{policy}: area under the ROC curve [95 % interval], seeds "
        f"{seed_text(config.seeds)}, {config.scenes} scenes for each seed and side\n"
    )
    headers = ("outside in", "step", "mean", "surprise")
    shares = ("steps above 1", "scenes reported", "time outside")
    rows = [
        [
            name if name != INSIDE else "(inside)",
            *("-" if name == INSIDE else area_text(a) for a in (one.step, one.mean, one.surprise)),
            *(f"{share:.3f}" for share in (one.unusual, one.reported, one.outside)),
        ]
        for name, one in found.items()
    ]
    print_table((*headers, *shares), rows)


def area_text(value: Area) -> str:
    """Returns an area and its interval in words."""
    return f"{value.area:.2f} [{value.low:.2f}, {value.high:.2f}]"


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.context.outside", description=__doc__)
