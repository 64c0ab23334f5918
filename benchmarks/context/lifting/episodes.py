"""Recorded episodes of the lift, and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from skill_proto.arrays import Array, Flags
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S
from skill_robots.worlds.lift.config import LiftConfig
from skill_robots.worlds.lift.world import LiftWorld
from skill_training.export.calibration import log_r2

AT_GOAL_M = 0.01
"""Distance from the goal at which a cube counts as there [m]."""

GOAL_TIMES_S = (1.0, 1.6, 2.4)
"""Times after the start at which the share of cubes at the goal is taken [s]."""

R2_TIMES_S = (0.6, 1.0, 2.4)
"""Times after the start at which estimates are judged [s]."""

SHOWN_TIMES_S = (0.2, 0.4, 0.6, 1.0, 2.4)
"""Times after the start at which a single observation is judged [s]."""


class Controller(Protocol):
    """Acts in n scenes."""

    def reset(self, world: LiftWorld) -> None:
        """Begins an episode in all scenes."""
        ...

    def act(self, observation: Array, world: LiftWorld) -> Array:
        """Returns actions ``(n, 2)``."""
        ...

    def log_mass(self) -> Array | None:
        """Returns estimates of the log mass ``(n,)`` after the last observation; None without."""
        ...

    def context(self) -> Array | None:
        """Returns the contexts ``(n, C)`` after the last observation; None without an encoder."""
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
        observation = world.reset()
        controller.reset(world)
        held = np.ones(n, dtype=np.bool_)
        columns: list[tuple[Array, Array, Array, Flags]] = []
        seen: list[Array] = []
        estimates: list[Array] = []
        contexts: list[Array] = []
        for _ in range(config.episode_steps):
            seen.append(observation)
            step = world.step(controller.act(observation, world))
            estimate = controller.log_mass()
            if estimate is not None:
                estimates.append(estimate)
            context = controller.context()
            if context is not None:
                contexts.append(context)
            held = held & ~step.ended
            reward = np.where(held, step.reward, 0.0)
            columns.append((world.error(), world.squeeze(), reward, held))
            observation = step.observation
        error, squeeze, reward, kept = (np.stack(part, 1) for part in zip(*columns, strict=True))
        return Lifts(
            mass=world.hidden()[:, 0],
            error=error,
            squeeze=squeeze,
            reward=reward,
            held=kept.astype(np.bool_),
            observation=np.stack(seen, 1),
            estimates=np.stack(estimates, 1) if estimates else None,
            contexts=np.stack(contexts, 1) if contexts else None,
        )


def joined(parts: Sequence[Lifts]) -> Lifts:
    """Returns the episodes of several records as one."""
    estimates = [part.estimates for part in parts if part.estimates is not None]
    contexts = [part.contexts for part in parts if part.contexts is not None]
    return Lifts(
        mass=np.concatenate([part.mass for part in parts]),
        error=np.concatenate([part.error for part in parts]),
        squeeze=np.concatenate([part.squeeze for part in parts]),
        reward=np.concatenate([part.reward for part in parts]),
        held=np.concatenate([part.held for part in parts]),
        observation=np.concatenate([part.observation for part in parts]),
        estimates=np.concatenate(estimates) if estimates else None,
        contexts=np.concatenate(contexts) if contexts else None,
    )


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
    """Returns how much of the log mass some inputs show at a time: R2 of a linear regression.

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
    known = np.column_stack([inputs[rows, place], np.ones(rows.sum())])
    truth = np.log(lifts.mass[rows])
    half = len(truth) // 2
    if half < 2 * known.shape[1]:
        return float("nan")
    weights = np.linalg.lstsq(known[:half], truth[:half], rcond=None)[0]
    return log_r2(truth[half:, None], (known[half:] @ weights)[:, None])[0]


def _step(time_s: float) -> int:
    """Returns the place of the last step that ends by a time."""
    return round(time_s / CONTROL_PERIOD_S) - 1
