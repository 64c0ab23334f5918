"""Places of a closed hand beside a cube."""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array

BESIDE_M = (0.05, 0.09)
"""Distance of the end effector from the cube's centre at a start beside it [m]; no contact."""


def draw_offsets(cube: Array, rng: np.random.Generator, reach_m: float) -> Array:
    """Draws offsets from cubes to hands beside them, in any direction within reach.

    Args:
        cube: ``(n, 2)`` places of the cubes [m].
        rng: generator of all draws.
        reach_m: greatest x of a hand [m].

    Returns:
        ``(n, 2)`` [m].
    """
    n = len(cube)
    radius, angle = rng.uniform(*BESIDE_M, n), rng.uniform(-np.pi, np.pi, n)
    offset = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    offset[cube[:, 0] + offset[:, 0] > reach_m] *= -1.0
    return offset
