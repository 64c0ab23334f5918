"""Which rule for the recurrent state keeps a policy accurate over minutes of operation?

    python -m benchmarks.context.horizon

Training unrolls a policy for seconds, serving runs for hours. This benchmark compares three rules
for the recurrent state over minutes of consecutive goals, with changes of mass and friction:

- carried: the state is never reset;
- staggered: a second state starts later and replaces the first at the horizon of training
  (skill_runtime.policy.recurrent_state);
- reset with each goal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
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
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveInt, Seed
from benchmarks.lib.report import print_table, write_json
from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, TabletopConfig
from skill_runtime.console.flags import UsageError
from skill_runtime.policy import OnnxPolicy
from skill_training.export.calibration import log_r2

MINUTE = round(60.0 / CONTROL_PERIOD_S)
"""Control steps."""

RULES: dict[str, tuple[str, bool]] = {
    "carried": ("carry", False),
    "staggered": ("stagger", False),
    "reset with each goal": ("carry", True),
}
"""The rule in the manifest, and whether each goal resets the recurrent state."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Rules for the recurrent state over minutes of operation."""

    model: Path = Path("models/goal_panda.onnx")
    """A goal policy with a context encoder."""
    minutes: PositiveInt = 10
    """Simulated time of each rule [min]."""
    scenes: PositiveInt = 32
    """Number of scenes."""
    goal_s: PositiveFloat = 3.0
    """Time between two goals; a goal is evaluated after 2.4 s [s]."""
    context_s: PositiveFloat = 30.0
    """Time between two changes of mass and friction [s]."""
    seed: Seed = 100
    """Evaluation seed of starts, goals and contexts; the same for each rule."""
    json: Path | None = None
    """File of the result, as JSON."""


def with_rule(path: Path, rule: str, folder: Path) -> OnnxPolicy:
    """Returns the policy from a copy of its file with another rule in the manifest."""
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
    config: Config, policy: OnnxPolicy, resets_state: bool, on_step: Callable[[], object]
) -> Goals:
    """Runs one rule and returns its goals."""
    ranges = [trained_range(policy, name) for name in ("cube_mass", "cube_table_friction")]
    service = GoalService(
        policy,
        TabletopConfig(mass=ranges[0], friction=ranges[1], sensor_noise=1.0),
        config.scenes,
        seed=config.seed,
        period_steps=round(config.goal_s / CONTROL_PERIOD_S),
        resets_state=resets_state,
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
    """Returns R2 of the log of each estimated quantity, for each minute."""
    found: list[list[float]] = []
    for minute in range(minutes):
        rows = goals.given // MINUTE == minute
        truth = goals.truth[rows][:, columns(known)]
        found.append(log_r2(np.log(truth), np.log(goals.estimate[rows])))
    return found


def main(config: Config) -> None:
    """Measures, prints the tables and writes the result."""
    policy = open_policy(config.model)
    check_adapts(policy)
    if round(config.goal_s / CONTROL_PERIOD_S) < 60 or min(config.minutes, config.scenes) < 1:
        raise UsageError(
            "--goal-s must be at least 2.4, the time of a goal's evaluation; --minutes and "
            "--scenes must be at least 1"
        )
    found: dict[str, Goals] = {}
    total = config.minutes * MINUTE * len(RULES)
    with (
        tempfile.TemporaryDirectory() as folder,
        tqdm(total=total, unit="step", disable=None, leave=False) as bar,
    ):
        for name, (rule, resets_state) in RULES.items():
            bar.set_description(name)
            changed = with_rule(config.model, rule, Path(folder))
            found[name] = serve(config, changed, resets_state, bar.update)
    minutes = range(config.minutes)
    rates = {
        name: [goals.rate(m * MINUTE, (m + 1) * MINUTE) for m in minutes]
        for name, goals in found.items()
    }
    print("share of goals reached (cube at rest after 2.4 s), by minute of operation\n")
    print_table(
        ["rule", *(f"min {m + 1}" for m in minutes), "all", "cubes reset"],
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
        print(f"\nR2 of log {quantity}, by minute of operation\n")
        print_table(
            ["rule", *(f"min {m + 1}" for m in minutes)],
            [[name, *(f"{values[index]:.2f}" for values in rows)] for name, rows in r2.items()],
        )
    state = policy.manifest.recurrent[0]
    print(
        f"\nthe manifest of {config.model.name} says {state.beyond_horizon!r}, with a horizon of "
        f"{state.trained_horizon_steps} steps; {len(found['staggered'].given)} goals per rule; "
        f"evaluation seed {config.seed}"
    )
    write_json(config.json, {"model": config.model.name, "rates": rates, "r2": r2})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.context.horizon", description=__doc__)
