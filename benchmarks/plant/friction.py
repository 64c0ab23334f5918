"""Compares the coasting distance of a sliding cube with Coulomb friction: v^2 / (2 mu g).

    python -m benchmarks.plant.friction

Cubes of random yaw get a horizontal velocity in random directions, far from the hand, and slide
to rest. The simulated friction is right if the ratio is 1 at every mass.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveFloats, PositiveInt, Seed
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

GRAVITY = 9.81
"""MuJoCo's default, which the scene keeps [m/s^2]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Coasting distance of a sliding cube."""

    speed: PositiveFloat = 0.5
    """Speed at release [m/s]."""
    friction: PositiveFloats = (0.1, 0.2, 0.5, 1.0)
    """Friction coefficients."""
    mass: PositiveFloats = (0.4, 0.8, 1.6)
    """Masses [kg]; the distance should not depend on them."""
    repeats: PositiveInt = 16
    """Number of directions and yaws for each pair of mass and friction."""
    seed: Seed = 0
    """Seed of starts and directions."""
    json: Path | None = None
    """Write the result to this file."""


def coast(config: Config, mass: float, friction: float) -> Array:
    """Returns sliding distances ``(repeats,)`` [m]."""
    table = Tabletop(TabletopConfig(start="high"), config.repeats, seed=config.seed)
    table.set_context(mass=mass, friction=friction)
    setpoint, rest = table.setpoint.position.copy(), np.zeros((config.repeats, 7))
    for _ in range(20):  # lets the cube settle into the table's contact
        table.physics_step(setpoint, rest)
    start = table.cube_position[:, :2]
    angle = np.random.default_rng(config.seed).uniform(0, 2 * np.pi, config.repeats)
    table.push_cube(config.speed * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    duration_s = 0.6 + 1.5 * config.speed / (friction * GRAVITY)
    for _ in range(round(duration_s / table.config.physics_step_s)):
        table.physics_step(setpoint, rest)
    if table.cube_speed.max() > 1e-3:
        raise RuntimeError(f"a cube still slides at {table.cube_speed.max():.4f} m/s")
    return np.linalg.norm(table.cube_position[:, :2] - start, axis=1)


def main(config: Config) -> None:
    """Measures, prints a table, and writes the JSON file."""
    rows: list[dict[str, float]] = []
    for friction in config.friction:
        theory = config.speed**2 / (2 * friction * GRAVITY)
        for mass in config.mass:
            distance = coast(config, mass, friction)
            rows.append(
                {
                    "friction": friction,
                    "mass": mass,
                    "theory_m": theory,
                    "measured_m": float(distance.mean()),
                    "spread_m": float(distance.std()),
                }
            )
    print_table(
        ["mu", "mass kg", "theory m", "measured m", "spread m", "ratio"],
        [
            [
                f"{row['friction']:g}",
                f"{row['mass']:g}",
                f"{row['theory_m']:.4f}",
                f"{row['measured_m']:.4f}",
                f"{row['spread_m']:.4f}",
                f"{row['measured_m'] / row['theory_m']:.3f}",
            ]
            for row in rows
        ],
    )
    write_json(config.json, {"speed": config.speed, "rows": rows})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.plant.friction", description=__doc__)
