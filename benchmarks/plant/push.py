"""Measures which cubes the arm can push: share moved > 10 cm over a grid of mass and friction.

    python -m benchmarks.plant.push

A scripted pusher pushes every pair in 16 directions for 1.5 s. A cube that moves at all moves far,
so the table has a sharp border: mu m g equals the force that the maximum set-point error and the
joint stiffness allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveFloats, PositiveInt, Seed
from benchmarks.lib.report import print_table, write_json
from benchmarks.plant.scripted_pusher import ScriptedPusher
from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig


@dataclass(frozen=True, kw_only=True)
class Config:
    """Share of cubes pushed further than 10 cm."""

    mass: PositiveFloats = (0.8, 1.6, 3.2, 5.0, 10.0)
    """Masses [kg]."""
    friction: PositiveFloats = (0.1, 0.2, 0.4, 0.6, 0.9, 1.2, 1.5)
    """Friction coefficients."""
    directions: PositiveInt = 16
    """Number of push directions for each pair of mass and friction."""
    push_s: PositiveFloat = 1.5
    """Duration of the push itself, without the approach [s]."""
    limit_s: PositiveFloat = 5.0
    """Largest duration of approach and push together [s]."""
    seed: Seed = 0
    """Seed of the starts."""
    json: Path | None = None
    """Write the result to this file."""


def start_with_room(table: Tabletop, direction: Array) -> None:
    """Draws starts until every cube can move across the middle of the table."""
    while True:
        ahead = np.sum(table.cube_position[:, :2] * direction, axis=1)
        crowded = np.flatnonzero(ahead > 0.0)
        if not crowded.size:
            return
        table.reset(crowded)


def push_displacement(config: Config, mass: Array, friction: Array, direction: Array) -> Array:
    """Returns the distance that each cube has moved after its push ``(n,)`` [m].

    Args:
        config: duration of the push.
        mass: ``(n,)`` [kg].
        friction: ``(n,)``.
        direction: ``(n, 2)`` unit vectors.
    """
    n = len(mass)
    table = Tabletop(TabletopConfig(), n, seed=config.seed)
    start_with_room(table, direction)
    table.set_context(mass=mass, friction=friction)
    start = table.cube_position[:, :2]
    moved, pushed_s = np.zeros(n), np.zeros(n)
    pusher = ScriptedPusher()
    for _ in range(round(config.limit_s * table.control_rate_hz)):
        table.step(pusher.act(table.observe(), skill=direction))
        counting = pushed_s < config.push_s
        pushed_s += pusher.pushing / table.control_rate_hz
        distance = np.linalg.norm(table.cube_position[:, :2] - start, axis=1)
        moved = np.where(counting, distance, moved)
        if not counting.any():
            break
    return moved


def main(config: Config) -> None:
    """Measures, prints a table, and writes the JSON file."""
    angle = 2 * np.pi * np.arange(config.directions) / config.directions
    grid = np.meshgrid(config.mass, config.friction, angle, indexing="ij")
    mass, friction, angles = (axis.ravel() for axis in grid)
    direction = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    moved = push_displacement(config, mass, friction, direction).reshape(grid[0].shape)
    share, median = (moved > 0.10).mean(axis=2), np.median(moved, axis=2)
    headers = ["mass kg", *(f"mu {friction:g}" for friction in config.friction)]
    print(f"share of cubes moved > 10 cm in {config.push_s:g} s of pushing (median cm)")
    print_table(
        headers,
        [
            [f"{mass:g}"]
            + [f"{share[i, j]:.2f} ({100 * median[i, j]:.0f})" for j in range(share.shape[1])]
            for i, mass in enumerate(config.mass)
        ],
    )
    write_json(
        config.json,
        {
            "mass": config.mass,
            "friction": config.friction,
            "moved_share_10cm": share.tolist(),
            "median_displacement_m": median.tolist(),
        },
    )


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.plant.push", description=__doc__)
