"""How soon a recurrent goal policy adapts to a change of mass or friction during an episode.

    python -m benchmarks.context.adaptation

Each scene gets a new goal every 2.4 s. At one control step, its mass or friction changes. The
program compares the share of goals reached after the change with the share in scenes that had the
new context from the start. Reached means that the cube is at rest at the goal after 2.4 s.

The program also measures the R2 of the policy's estimates of mass and friction some time after the
first contact, with sensor noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.lib.stride_tricks import sliding_window_view
from tqdm import tqdm

from benchmarks.context.goal_serving import (
    JUDGED_STEPS,
    Context,
    Goals,
    GoalService,
    check_adapts,
    columns,
    quantities,
)
from benchmarks.context.identification import AFTER_CONTACT_STEPS, identify
from benchmarks.lib.figures import COLOURS, save, tidy
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seeds
from benchmarks.lib.report import print_table, seed_text, write_json
from skill_proto.arrays import Array, Flags
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, TabletopConfig
from skill_runtime.policy import OnnxPolicy

CHANGES: dict[str, tuple[Context, Context]] = {
    "mu .4 -> .06": (Context(0.8, 0.4), Context(0.8, 0.06)),
    "mu .06 -> .4": (Context(0.8, 0.06), Context(0.8, 0.4)),
    "mu .4 -> 1.6": (Context(0.8, 0.4), Context(0.8, 1.6)),
    ".8 -> 4.8 kg": (Context(0.8, 0.4), Context(4.8, 0.4)),
    "both": (Context(0.8, 0.4), Context(4.8, 0.06)),
}
"""Contexts before and after each change, by name."""

BEFORE_STEPS = 120
"""Control steps before the change: 4.8 s."""
AFTER_STEPS = 240
"""Control steps after the change in which the scenes still get goals: 9.6 s."""
WINDOW_STEPS = 30
"""Control steps over which a rate is averaged."""
ADAPTED_SHARE = 0.9
"""A policy has adapted when it reaches this share of its rate in the new context."""
MIN_RATE = 0.05
"""Below this rate in the new context, the time of adaptation is undefined."""
HELD_STEPS = 10
"""An estimate is known after it stays near the true value for this many control steps."""
SPANS = ((0, 30), (30, 60), (60, 120), (120, 240))
"""Columns of the table: control steps after the change, from the first up to before the second."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Goals reached, by the time since mass or friction changed."""

    model: Path = Path("models/goal_panda.onnx")
    """A goal policy with a context encoder."""
    goals: PositiveInt = 256
    """Number of scenes; each gets a goal every 2.4 s."""
    seeds: Seeds = (100, 101)
    """Evaluation seeds of starts and goals; the rates pool all seeds."""
    figure: Path | None = Path("logs/adaptation.png")
    """File of the figure; None draws no figure."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """Goals and estimates of one change, or of one constant context."""

    goals: tuple[Goals, ...]
    """One entry for each seed."""
    estimates: Array
    """``(steps, scenes, E)`` from the change on, all seeds; E may be 0."""

    @property
    def put_back(self) -> float:
        """Resets of cubes out of reach, per goal."""
        return float(np.mean([part.put_back for part in self.goals]))

    def rate(self, first: int, last: int) -> float:
        """Share reached of the goals given in steps ``first`` to ``last - 1`` after the change."""
        chosen = np.concatenate(
            [
                part.at_rest[
                    (part.given >= BEFORE_STEPS + first) & (part.given < BEFORE_STEPS + last)
                ]
                for part in self.goals
            ]
        )
        return float(chosen.mean()) if len(chosen) else float("nan")

    def curve(self) -> tuple[Array, Array]:
        """Returns the middle of each window [control steps] and the rate in it."""
        first = np.arange(-JUDGED_STEPS, AFTER_STEPS - WINDOW_STEPS + 1, WINDOW_STEPS // 3)
        rates = [self.rate(start, start + WINDOW_STEPS) for start in first.tolist()]
        return first.astype(np.float64) + WINDOW_STEPS / 2, np.array(rates)


def serve(
    policy: OnnxPolicy,
    before: Context,
    after: Context,
    config: Config,
    on_step: Callable[[], object],
) -> Served:
    """Runs all seeds through one change of context."""
    goals: list[Goals] = []
    all_estimates: list[Array] = []
    for seed in config.seeds:
        service = GoalService(policy, TabletopConfig(), config.goals, seed=seed)
        service.set_context(*before)
        estimates: list[Array] = []
        for step in range(BEFORE_STEPS + AFTER_STEPS + JUDGED_STEPS):
            if step == BEFORE_STEPS:
                service.set_context(*after)
            estimate = service.step().estimate
            if step >= BEFORE_STEPS:
                empty = np.zeros((config.goals, 0))
                estimates.append(empty if estimate is None else np.asarray(estimate, np.float64))
            on_step()
        goals.append(service.goals)
        all_estimates.append(np.stack(estimates))
    return Served(goals=tuple(goals), estimates=np.concatenate(all_estimates, axis=1))


def adapted_after(changed: Served, reference: float) -> float:
    """Returns the control steps from the change to adaptation.

    The result is the start of the first window with two properties: its rate and the rate of all
    later goals are at least :data:`ADAPTED_SHARE` of the reference.

    Args:
        changed: Goals through the change.
        reference: Rate in scenes that had the new context from the start.

    Returns:
        Control steps. Infinity if no window qualifies; NaN if the reference is below
        :data:`MIN_RATE`.
    """
    if reference < MIN_RATE:
        return math.nan
    for first in range(0, AFTER_STEPS - 2 * WINDOW_STEPS + 1, WINDOW_STEPS // 6):
        now = changed.rate(first, first + WINDOW_STEPS)
        later = changed.rate(first + WINDOW_STEPS, AFTER_STEPS)
        if min(now, later) >= ADAPTED_SHARE * reference:
            return float(first)
    return math.inf


def format_steps(value: float) -> str:
    """Formats a result of :func:`adapted_after` for the tables."""
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if math.isfinite(value) else f"> {AFTER_STEPS}"


def known_after(run: Served, column: int, before: float, after: float) -> str:
    """Returns the median number of steps, over the scenes, until an estimate is known.

    An estimate is near the true value if it is within 25 % of it. It is known once it stays near
    for :data:`HELD_STEPS`.
    """
    if before == after:
        return "-"
    close = np.abs(np.log(run.estimates[:, :, column] / after)) < np.log(1.25)
    near: Flags = np.asarray(sliding_window_view(close, HELD_STEPS, axis=0).all(axis=-1), np.bool_)
    steps = float(np.median(np.where(near.any(axis=0), near.argmax(axis=0), len(near))))
    return f"{steps:.0f}" if steps < len(near) else f"> {len(near)}"


def draw(served: dict[str, Served], fresh: dict[Context, Served], path: Path) -> None:
    """Draws one panel per change: the rate through it, and the rate in the new context only."""
    figure = Figure(figsize=(2.4 * len(served), 2.8), layout="constrained")
    panels = figure.subplots(1, len(served), sharey=True, squeeze=False)[0]
    for axes, (name, run) in zip(panels, served.items(), strict=True):
        middle, rate = run.curve()
        seconds = middle * CONTROL_PERIOD_S
        axes.axvline(0.0, color="0.6", linewidth=0.8)
        axes.plot(seconds, fresh[CHANGES[name][1]].curve()[1], color="0.35", linestyle="--",
                  linewidth=1.3, label="in the new context from the start")  # fmt: skip
        axes.plot(seconds, rate, color=COLOURS[0], linewidth=1.8, label="through the change")
        tidy(axes, name)
        axes.set_ylim(0.0, 1.02)
    panels[0].set_ylabel("share of goals reached")
    figure.supxlabel("time from the change to the goal [s]", fontsize="small")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    save(figure, path)


def print_changes(
    served: dict[str, Served], fresh: dict[Context, Served], known: tuple[str, ...]
) -> list[float]:
    """Prints the table of changes and returns the control steps to adaptation."""
    steps: list[float] = []
    rows: list[list[str]] = []
    for name, run in served.items():
        before, after = CHANGES[name]
        reference = fresh[after].rate(0, AFTER_STEPS)
        steps.append(adapted_after(run, reference))
        rows.append(
            [
                name,
                *(f"{run.rate(*span):.2f}" for span in ((-120, -60), (-60, 0), *SPANS)),
                f"{reference:.2f}",
                format_steps(steps[-1]),
                *(known_after(run, i, before[c], after[c]) for i, c in enumerate(columns(known))),
            ]
        )
    spans = ["before", "straddling", *(f"{first}-{last - 1}" for first, last in SPANS)]
    known_titles = [f"{quantity} known after" for quantity in known]
    print_table(["change", *spans, "new context only", "adapted after", *known_titles], rows)
    return steps


def main(config: Config) -> None:
    """Measures, prints the tables, writes the result and draws the figure."""
    policy = open_policy(config.model)
    check_adapts(policy)
    known = quantities(policy)
    contexts = dict.fromkeys(after for _, after in CHANGES.values())
    steps = (BEFORE_STEPS + AFTER_STEPS + JUDGED_STEPS) * len(config.seeds)
    with tqdm(
        total=steps * (len(CHANGES) + len(contexts)), unit="step", disable=None, leave=False
    ) as bar:
        served = {
            name: serve(policy, *change, config, bar.update) for name, change in CHANGES.items()
        }
        fresh = {after: serve(policy, after, after, config, bar.update) for after in contexts}
    print("share of goals reached (cube at rest after 2.4 s), by the control step after the change")
    print("at which the goal was given; the last columns are control steps of 40 ms\n")
    found = print_changes(served, fresh, known)
    median = format_steps(float(np.nanmedian(found)))
    print(
        f"\nadapted: the rate from then on is at least {ADAPTED_SHARE:.0%} of the rate in the new "
        f"context only; median {median} steps\n"
        f"cubes out of reach, reset: at most {max(run.put_back for run in served.values()):.1%} of "
        f"the goals of one change\nevaluation seeds {seed_text(config.seeds)}"
    )
    r2 = identify(policy, config.goals, config.seeds) if known else []
    if r2:
        print("\nR2 of the estimates by time after the first contact, with sensor noise\n")
        times = [f"{delay * CONTROL_PERIOD_S:g} s" for delay in AFTER_CONTACT_STEPS]
        print_table(
            ["log quantity", *times],
            [[name, *(f"{row[i]:.2f}" for row in r2)] for i, name in enumerate(known)],
        )
    rates = {
        name: {
            "through": run.curve()[1].tolist(),
            "new": fresh[CHANGES[name][1]].curve()[1].tolist(),
        }
        for name, run in served.items()
    }
    write_json(
        config.json,
        {
            "model": config.model.name,
            "adapted_after": [step if math.isfinite(step) else None for step in found],
            "rates": rates,
            "r2": r2,
        },
    )
    if config.figure is not None:
        draw(served, fresh, config.figure)


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.context.adaptation", description=__doc__)
