"""Starts with the hand at the cube, so that exploring soon moves it.

The benchmark starts every episode in the neutral pose, 17 cm above the table. Random actions seldom
meet the cube from there. These starts are for training alone; scores use the benchmark's.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skill_proto.arrays import Array
from skill_robots.tasks.skill_aware.scenes import AREA_M, Starts

OPEN_M = 0.08
"""Opening of the gripper around a cube [m]: the largest."""

HEIGHT_M = (0.012, 0.035)
"""Height of the end effector above the table at such a start [m]."""

BESIDE_M = (0.05, 0.09)
"""Distance of a closed hand from the cube's centre [m]; no contact."""


def move_hands_near(starts: Starts, random: np.random.Generator, share: float) -> Starts:
    """Returns the starts with the hand at the cube in ``share`` of the rows.

    In half of those rows the open fingers are around the cube; in the others the closed hand is
    beside it, in any direction.

    Args:
        starts: Starts of n episodes in the neutral pose.
        random: Generator of all draws.
        share: Expected share of the rows.
    """
    n = len(starts.cube)
    draw = random.random(n)
    around, near = draw < share / 2.0, draw < share
    height = random.uniform(*HEIGHT_M, n)
    offset = _on_circle(random.uniform(*BESIDE_M, n), random.uniform(-np.pi, np.pi, n))
    offset[starts.cube[:, 0] + offset[:, 0] > AREA_M] *= -1.0  # beyond reach
    place = starts.cube + np.where(around[:, None], 0.0, offset)
    hand = np.where(near[:, None], np.column_stack([place, height]), np.nan)
    return replace(starts, hand=hand, width=np.where(around, OPEN_M, 0.0))


def _on_circle(radius: Array, angle: Array) -> Array:
    """Returns ``(n, 2)`` points."""
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
