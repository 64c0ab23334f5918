"""The box of goals that a pushing policy declares, and the return of cubes from its edges.

A cube is brought back towards the base only if the end effector gets behind it. The workspace ends
at x = 0.15 m, so a cube at that place stays there, and the box of goals ends nearer. The other
edges have enough room behind them. ``benchmarks/skills/edges.py`` measures the return.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Array
from skill_robots.observation import PUSH_OBSERVATION
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

GOAL_LOW_M = (-0.15, -0.15)
"""Lowest x and y of a goal of the pushing policies [m]."""

GOAL_HIGH_M = (0.10, 0.15)
"""Highest x and y [m]. Training and evaluation also draw goals beyond this x, up to
``rollouts.GOAL_RANGE_M``: a policy brings a cube there, but not back."""

RETURN_STEPS = 200
"""Control steps for the way to an edge, and for the way back: 8 s each."""

EDGES = ("-x", "+x", "-y", "+y")
"""Names of the edges of a box."""


@dataclass(frozen=True, kw_only=True)
class Returns:
    """Distances of cubes from the middle of the table on their way back to it, one cube a row."""

    closest: Array
    """``(n,)`` smallest distance [m]."""
    final: Array
    """``(n,)`` distance at the end of the way back [m]."""


def edge_places(low: Sequence[float], high: Sequence[float], edge: str, count: int) -> Array:
    """Returns ``(count, 2)`` places, evenly spread along an edge of a box with its corners [m].

    Args:
        low: lowest x and y of the box [m].
        high: highest x and y [m].
        edge: a name from :data:`EDGES`.
        count: number of places.
    """
    axis = "xy".index(edge[1])
    places = np.empty((count, 2))
    places[:, axis] = (low if edge[0] == "-" else high)[axis]
    places[:, 1 - axis] = np.linspace(low[1 - axis], high[1 - axis], count)
    return places


def bring_back(
    policy: Policy,
    config: TabletopConfig,
    places: Array,
    *,
    seed: int,
    steps: int = RETURN_STEPS,
    observation_names: Sequence[str] = PUSH_OBSERVATION,
    on_step: Callable[[Tabletop], None] | None = None,
) -> Returns:
    """Sends a cube to each place, then to the middle of the table, without a reset.

    Args:
        policy: a policy of goals for the cube's x and y.
        config: the task.
        places: goals ``(n, 2)`` of the way out [m]; one scene each.
        seed: seed of starts and contexts.
        steps: control steps of each way.
        observation_names: the fields that the policy observes, in order.
        on_step: called after each control step of all scenes.
    """
    scene = Tabletop(config, len(places), seed=seed)
    names, middle = tuple(observation_names), np.zeros_like(places)
    policy.reset(scene.n)
    distance = np.empty((steps, scene.n))
    for step in range(2 * steps):
        goal = places if step < steps else middle
        scene.step(policy.act(scene.observe(names), goal=goal))
        if step >= steps:
            distance[step - steps] = np.linalg.norm(scene.cube_position[:, :2], axis=1)
        if on_step is not None:
            on_step(scene)
    return Returns(closest=distance.min(axis=0), final=distance[-1])
