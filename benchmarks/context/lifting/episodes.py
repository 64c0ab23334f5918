"""Recorded episodes of the lift, and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol

import numpy as np

from benchmarks.context.encoder_only import predict
from skill_proto.arrays import Array, Flags
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S
from skill_robots.worlds.lift.config import LiftConfig
from skill_robots.worlds.lift.world import LiftWorld
from skill_robots.worlds.world import Step
from skill_training.export.calibration import log_r2

AT_GOAL_M = 0.01
"""Distance from the goal at which a cube counts as there [m]."""

GOAL_TIMES_S = (1.0, 1.6, 2.4)
"""Times after the start at which the share of cubes at the goal is taken [s]."""

R2_TIMES_S = (0.6, 1.0, 2.4)
"""Times after the start at which estimates are judged [s]."""

SHOWN_TIMES_S = (0.2, 0.4, 0.6, 1.0, 2.4)
"""Times after the start at which a single observation is judged [s]."""


class Taken(NamedTuple):
    """One control step of n scenes."""

    seen: Array
    """``(n, O)`` observation before the step."""
    result: Step
    context: Array | None
    """``(n, C)`` after the observation; None without an encoder."""
    estimate: Array | None
    """``(n,)`` estimates of the log mass likewise; None without an encoder."""


class Controller(Protocol):
    """Acts in n scenes."""

    def begin(self, world: LiftWorld) -> None:
        """Starts an episode in all scenes."""
        ...

    def step(self) -> Taken:
        """Runs one control step."""
        ...


@dataclass(frozen=True, kw_only=True)
class Lifts:
    """n episodes of T steps; the entries of a step are those after it."""

    mass: Array
    """``(n,)`` [kg]."""
    error: Array
    """``(n, T)`` height of the cube above its goal [m]."""
    squeeze: Array
    """``(n, T)`` from 0 to 1."""
    reward: Array
    """``(n, T)``; zeros after the cube is lost."""
    held: Flags
    """``(n, T)``: the cube has not been lost."""
    observation: Array
    """``(n, T, O)`` before each step."""
    estimates: Array | None
    """``(n, T)`` log mass, from the observation before each step; None without an estimate."""
    contexts: Array | None
    """``(n, T, C)`` likewise; None without an encoder."""


def record(controller: Controller, config: LiftConfig, n: int, seed: int) -> Lifts:
    """Runs one episode in each of n scenes."""
    with closing(LiftWorld(config, n, seed=seed)) as world:
        controller.begin(world)
        held = np.ones(n, dtype=np.bool_)
        steps: list[Taken] = []
        columns: list[tuple[Array, Array, Array, Flags]] = []
        for _ in range(config.episode_steps):
            steps.append(controller.step())
            held = held & ~steps[-1].result.ended
            reward = np.where(held, steps[-1].result.reward, 0.0)
            columns.append((world.error(), world.squeeze(), reward, held))
        error, squeeze, reward, kept = (np.stack(part, 1) for part in zip(*columns, strict=True))
        return Lifts(
            mass=world.hidden()[:, 0],
            error=error,
            squeeze=squeeze,
            reward=reward,
            held=kept.astype(np.bool_),
            observation=np.stack([step.seen for step in steps], 1),
            estimates=_stacked([step.estimate for step in steps]),
            contexts=_stacked([step.context for step in steps]),
        )


def _stacked(parts: Sequence[Array | None]) -> Array | None:
    present = [part for part in parts if part is not None]
    return np.stack(present, 1) if present else None


def joined(parts: Sequence[Lifts]) -> Lifts:
    """Returns the episodes of several records as one."""

    def column(name: str) -> Array | None:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else np.concatenate(values)

    columns: dict[str, Any] = {field.name: column(field.name) for field in fields(Lifts)}
    return Lifts(**columns)


def scores(lifts: Lifts) -> dict[str, float]:
    """Returns the scores of episodes.

    ``return``, ``lost`` (share of episodes), ``squeeze`` (mean while the cube is held, in the
    second half), ``at_<t>`` (share of all episodes with the cube at its goal) and, with estimates,
    ``r2_<t>`` of the log mass over the episodes whose cube is still held; with an encoder,
    ``probe_<t>``, the :func:`shown` R2 of its context.
    """
    half = lifts.held.shape[1] // 2
    late = lifts.held[:, half:]
    there = lifts.held & (np.abs(lifts.error) < AT_GOAL_M)
    found = {
        "return": float(lifts.reward.sum(axis=1).mean()),
        "lost": float(1.0 - lifts.held[:, -1].mean()),
        "squeeze": float((lifts.squeeze[:, half:] * late).sum() / max(late.sum(), 1)),
    }
    found |= {f"at_{t:g}": float(there[:, _step(t)].mean()) for t in GOAL_TIMES_S}
    if lifts.estimates is not None:
        for t in R2_TIMES_S:
            rows = lifts.held[:, _step(t)]
            truth = np.log(lifts.mass[rows])[:, None]
            found[f"r2_{t:g}"] = log_r2(truth, lifts.estimates[rows, _step(t)][:, None])[0]
    if lifts.contexts is not None:
        found |= {f"probe_{t:g}": shown(lifts, lifts.contexts, t) for t in R2_TIMES_S}
    return found


def shown(lifts: Lifts, inputs: Array, time_s: float) -> float:
    """Returns how much of the log mass some inputs show at a time: R2 of a ridge regression.

    The regression is fitted to one half of the episodes and judged on the other, each without those
    whose cube is lost. Below 0 it is worse than the mean.

    Args:
        lifts: The episodes.
        inputs: ``(n, T, I)``, such as their observations.
        time_s: Time since the start [s].

    Returns:
        NaN if fewer than ``2 (I + 1)`` episodes are left for each half.
    """
    place = _step(time_s)
    rows = lifts.held[:, place]
    known, truth = inputs[rows, place], np.log(lifts.mass[rows])[:, None]
    half = len(truth) // 2
    if half < 2 * (known.shape[1] + 1):
        return float("nan")
    return log_r2(truth[half:], predict(known[:half], truth[:half], known[half:]))[0]


def _step(time_s: float) -> int:
    """Returns the place of the last step that ends by a time."""
    return round(time_s / CONTROL_PERIOD_S) - 1
