"""Serving lasts hours where training saw seconds: which rule keeps a policy's memory good?

Minutes of goals, one after the other, with masses and frictions that change all the while, under
three rules for the recurrent state: carried for ever; staggered, where a successor takes over at
the horizon that training unrolled (skill_runtime.policy.recurrent_state); and begun anew with each goal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import tyro
from tqdm import tqdm

from benchmarks.context.goal_serving import (
    Goals,
    GoalService,
    check_adapts,
    columns,
    quantities,
    trained_range,
)
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.report import print_table, write_json
from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, TabletopConfig
from skill_runtime.policy.onnx_policy import OnnxPolicy
from skill_training.export.calibration import log_r2

MINUTE = round(60.0 / CONTROL_PERIOD_S)
"""Control steps."""

RULES: dict[str, tuple[str, bool]] = {
    "carried for ever": ("carry", False),
    "staggered": ("stagger", False),
    "anew with each goal": ("carry", True),
}
"""What the manifest is made to say, and whether each goal begins with an empty memory."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Rules for a recurrent state that grows old."""

    model: Path = Path("models/goal_panda.onnx")
    """A goal policy with a context encoder."""
    minutes: int = 10
    """Simulated time served under each rule."""
    scenes: int = 32
    """Tabletops served together."""
    goal_s: float = 3.0
    """Time between two goals; each is judged after 2.4 s [s]."""
    context_s: float = 30.0
    """Time between two changes of mass and friction [s]."""
    seed: int = 0
    """Of starts, goals and contexts: the same for every rule."""
    json: Path | None = None
    """Where to write the result."""


def with_rule(path: Path, rule: str, folder: Path) -> OnnxPolicy:
    """The same policy from a file whose manifest has another rule."""
    model = onnx.load(path)
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            manifest = PolicyManifest.from_json(entry.value)
            states = tuple(
                state.model_copy(update={"beyond_horizon": rule}) for state in manifest.recurrent
            )
            entry.value = manifest.model_copy(update={"recurrent": states}).to_json()
    changed = folder / f"{rule}.onnx"
    onnx.save(model, changed)
    return open_policy(changed)


def serve(
    config: Config, policy: OnnxPolicy, forgetful: bool, on_step: Callable[[], object]
) -> Goals:
    """All goals of one rule."""
    ranges = [trained_range(policy, name) for name in ("cube_mass", "cube_table_friction")]
    service = GoalService(
        policy,
        TabletopConfig(mass=ranges[0], friction=ranges[1], sensor_noise=1.0),
        config.scenes,
        seed=config.seed,
        period_steps=round(config.goal_s / CONTROL_PERIOD_S),
        forgetful=forgetful,
    )
    random = np.random.default_rng([config.seed, 12])
    every = round(config.context_s / CONTROL_PERIOD_S)
    for step in range(config.minutes * MINUTE):
        if step % every == 0:
            low, high = np.log(ranges).T
            drawn = np.exp(random.uniform(low, high, (config.scenes, 2)))
            service.set_context(drawn[:, 0], drawn[:, 1])
        service.step()
        on_step()
    return service.goals


def r2_by_minute(goals: Goals, minutes: int, known: tuple[str, ...]) -> list[list[float]]:
    """R2 of each estimated log quantity, minute by minute."""
    found: list[list[float]] = []
    for minute in range(minutes):
        rows = goals.given // MINUTE == minute
        truth = goals.truth[rows][:, columns(known)]
        found.append(log_r2(np.log(truth), np.log(goals.estimate[rows])))
    return found


def main(config: Config) -> None:
    """Measures, prints tables, and writes the result where asked."""
    policy = open_policy(config.model)
    check_adapts(policy)
    if round(config.goal_s / CONTROL_PERIOD_S) < 60 or min(config.minutes, config.scenes) < 1:
        raise SystemExit(
            "--goal-s must be 2.4 or more, a goal is judged then; --minutes and --scenes 1 or more"
        )
    found: dict[str, Goals] = {}
    total = config.minutes * MINUTE * len(RULES)
    with (
        tempfile.TemporaryDirectory() as folder,
        tqdm(total=total, unit="step", disable=None, leave=False) as bar,
    ):
        for name, (rule, forgetful) in RULES.items():
            bar.set_description(name)
            changed = with_rule(config.model, rule, Path(folder))
            found[name] = serve(config, changed, forgetful, bar.update)
    minutes = range(config.minutes)
    rates = {
        name: [goals.rate(m * MINUTE, (m + 1) * MINUTE) for m in minutes]
        for name, goals in found.items()
    }
    print("cubes at rest at their goals after 2.4 s, by minute of serving\n")
    print_table(
        ["rule", *(f"min {m + 1}" for m in minutes), "all", "put back"],
        [
            [
                name,
                *(f"{rate:.2f}" for rate in row),
                f"{np.mean(found[name].at_rest):.3f}",
                f"{found[name].put_back:.1%}",
            ]
            for name, row in rates.items()
        ],
    )
    known = quantities(policy)
    r2 = {
        name: r2_by_minute(goals, config.minutes, known) for name, goals in found.items() if known
    }
    for index, quantity in enumerate(known):
        print(f"\nR2 of log {quantity}, by minute of serving\n")
        print_table(
            ["rule", *(f"min {m + 1}" for m in minutes)],
            [[name, *(f"{values[index]:.2f}" for values in rows)] for name, rows in r2.items()],
        )
    state = policy.manifest.recurrent[0]
    print(
        f"\nthe manifest of {config.model.name} says {state.beyond_horizon!r}, with a horizon of "
        f"{state.trained_horizon_steps} steps; {len(found['staggered'].given)} goals a rule"
    )
    write_json(config.json, {"model": config.model.name, "rates": rates, "r2": r2})


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
