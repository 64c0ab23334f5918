"""Configuration of the lift: sets of masses, goals, reward."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.tabletop import Interval
from skill_robots.worlds.world import Split

LIFT = "panda_lift"
"""Value of ``--world``."""

MASSES: dict[Split, tuple[Interval, ...]] = {
    "train": ((0.1, 1.2),),
    "moderate": ((0.07, 0.1), (1.2, 1.4)),
    "extreme": ((0.05, 0.07), (1.4, 1.6)),
}
"""Ranges of the cube's mass in each set [kg]. The strongest grip, 20 N a finger, holds 1.8 kg at
rest (``benchmarks.context.lifting``)."""

HIGHEST_M = 0.23
"""Greatest height of a goal [m]: the workspace ends at .25, and an arm that holds 1.6 kg is 1.5 cm
below its set-point."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class LiftConfig:
    """The lift of a cube whose mass differs between episodes."""

    contexts: Split = "train"
    """Set from which the mass of an episode is drawn: one of its ranges, and a log-uniform mass in
    it."""
    goal_height: Interval = (0.08, 0.20)
    """Range of the height to which the cube's centre must be brought [m]. The cube lies at .02."""
    squeeze_cost: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the reward that the strongest grip costs."""
    observes_setpoint: bool = False
    """Whether a policy observes gap and velocity of the arm's set-point. At rest the gap is the
    cube's weight, divided by the arm's stiffness."""
    sensor_noise: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Factor on the standard deviations of the tabletop's sensor noise."""
    episode_steps: Annotated[int, Field(ge=1)] = 60
    """Control steps in an episode (60 = 2.4 s)."""


def draw_masses(split: Split, n: int, rng: np.random.Generator) -> Array:
    """Draws masses ``(n,)`` of a set [kg]: one of its ranges, then log-uniformly in it."""
    ranges = np.log(MASSES[split])
    low, high = ranges[rng.integers(len(ranges), size=n)].T
    return np.exp(rng.uniform(low, high))
