"""How soon a goal policy with a memory has adapted to another mass or friction in mid-episode.

Goals follow each other every 2.4 s. At one step mass or friction change; the share of goals with
the cube at rest, by when they were given, is put beside that of the same goals served in the new
context from the start. Then: how well the policy's own estimates know mass and friction some time
after the first contact, with sensor noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
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
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array, Flags
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, TabletopConfig
from skill_runtime.policy.onnx_policy import OnnxPolicy

CHANGES: dict[str, tuple[Context, Context]] = {
    "mu .4 -> .06": (Context(0.8, 0.4), Context(0.8, 0.06)),
    "mu .06 -> .4": (Context(0.8, 0.06), Context(0.8, 0.4)),
    "mu .4 -> 1.6": (Context(0.8, 0.4), Context(0.8, 1.6)),
    ".8 -> 4.8 kg": (Context(0.8, 0.4), Context(4.8, 0.4)),
    "both": (Context(0.8, 0.4), Context(4.8, 0.06)),
}
"""Before and after, by name."""

BEFORE_STEPS = 120
"""Control steps served before the change: 4.8 s."""
AFTER_STEPS = 240
"""Control steps after it during which goals are given: 9.6 s."""
WINDOW_STEPS = 30
"""Goals given within a window of this length are one rate."""
WITHIN = 0.9
"""Adapted is who reaches this share of the rate in the new context."""
REACHED = 0.05
"""A context in which fewer goals are reached has nothing to adapt to."""
HELD_STEPS = 10
"""Steps for which an estimate must stay near the truth to count as known."""
SPANS = ((0, 30), (30, 60), (60, 120), (120, 240))
"""Steps after the change, for the table."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Goals at rest by time since mass or friction changed, and what is known of them."""

    model: Path = Path("models/goal_panda.onnx")
    """A goal policy with a context encoder."""
    goals: int = 256
    """Tabletops served at once, each with a goal every 2.4 s."""
    seeds: tuple[int, ...] = (0, 1)
    """Of starts and goals; all are pooled."""
    figure: Path | None = Path("docs/images/adaptation.png")
    """Where to draw it; None draws nothing."""
    json: Path | None = None
    """Where to write the result."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """What one change, or one context throughout, gave; all seeds."""

    goals: tuple[Goals, ...]
    estimates: Array
    """``(steps, scenes, E)`` from the change on; E may be 0."""

    @property
    def put_back(self) -> float:
        """Cubes put back, out of reach, per goal given."""
        return float(np.mean([part.put_back for part in self.goals]))

    def rate(self, first: int, last: int) -> float:
        """Share at rest of the goals given from ``first`` to ``last - 1`` after the change."""
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
        """Middles of the windows, and the rate in each."""
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
    """Serves goals through one change."""
    goals: list[Goals] = []
    said: list[Array] = []
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
        said.append(np.stack(estimates))
    return Served(goals=tuple(goals), estimates=np.concatenate(said, axis=1))


def adapted_after(changed: Served, reference: float) -> float:
    """Steps since the change from which goals are reached as in the new context, nearly.

    The first window that is, if all goals after it are so too, taken together. Infinite where that
    never comes, NaN where hardly any goal is reached in the new context anyway.
    """
    if reference < REACHED:
        return math.nan
    for first in range(0, AFTER_STEPS - 2 * WINDOW_STEPS + 1, WINDOW_STEPS // 6):
        now = changed.rate(first, first + WINDOW_STEPS)
        later = changed.rate(first + WINDOW_STEPS, AFTER_STEPS)
        if min(now, later) >= WITHIN * reference:
            return float(first)
    return math.inf


def in_steps(value: float) -> str:
    """For the tables."""
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if math.isfinite(value) else f"> {AFTER_STEPS}"


def known_after(run: Served, column: int, before: float, after: float) -> str:
    """Median, over the scenes, of the steps until an estimate is near the truth for 0.4 s.

    Near is within a quarter.
    """
    if before == after:
        return "-"
    close = np.abs(np.log(run.estimates[:, :, column] / after)) < np.log(1.25)
    near: Flags = np.asarray(sliding_window_view(close, HELD_STEPS, axis=0).all(axis=-1), np.bool_)
    steps = float(np.median(np.where(near.any(axis=0), near.argmax(axis=0), len(near))))
    return f"{steps:.0f}" if steps < len(near) else f"> {len(near)}"


def draw(served: dict[str, Served], fresh: dict[Context, Served], path: Path) -> None:
    """One panel per change: the rate after it, and that in the new context throughout."""
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
    panels[0].set_ylabel("at rest 2.4 s later")
    figure.supxlabel("goal given this long after the change [s]", fontsize="small")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    save(figure, path)


def print_changes(
    served: dict[str, Served], fresh: dict[Context, Served], known: tuple[str, ...]
) -> list[float]:
    """The table of changes; gives the steps of adaptation."""
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
                in_steps(steps[-1]),
                *(known_after(run, i, before[c], after[c]) for i, c in enumerate(columns(known))),
            ]
        )
    spans = ["before", "straddling", *(f"{first}-{last - 1}" for first, last in SPANS)]
    known_titles = [f"{quantity} known after" for quantity in known]
    print_table(["change", *spans, "begun in it", "adapted after", *known_titles], rows)
    return steps


def main(config: Config) -> None:
    """Measures, prints tables, draws, and writes the result where asked."""
    policy = open_policy(config.model)
    check_adapts(policy)
    if config.goals < 1 or not config.seeds:
        raise SystemExit("--goals must be 1 or more, and --seeds name one or more")
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
    print("share of goals with the cube at rest 2.4 s later, by step since the change they were")
    print("given at; last columns in control steps of 40 ms since the change\n")
    found = print_changes(served, fresh, known)
    median = in_steps(float(np.nanmedian(found)))
    print(
        "\nadapted: goals given from then on are reached within 10 % of the rate of goals served "
        f"in the new context\nfrom the start; after a median of {median} steps\n"
        f"cubes out of reach, put back: {max(run.put_back for run in served.values()):.1%} of the "
        "goals of a change at most"
    )
    r2 = identify(policy, config.goals, config.seeds) if known else []
    if r2:
        print("\nR2 of the estimates some time after the first contact, with sensor noise\n")
        times = [f"{delay * CONTROL_PERIOD_S:g} s" for delay in AFTER_CONTACT_STEPS]
        print_table(
            ["log quantity", *times],
            [[name, *(f"{row[i]:.2f}" for row in r2)] for i, name in enumerate(known)],
        )
    if config.figure is not None:
        draw(served, fresh, config.figure)
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


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
