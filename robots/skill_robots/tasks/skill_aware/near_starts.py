"""Starts with the hand at the cube, so that exploring soon moves it.

The benchmark starts every episode in the neutral pose, 17 cm above the table. Random actions seldom
meet the cube from there. These starts are for training alone; scores use the benchmark's.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skill_robots.tasks.beside import draw_offsets
from skill_robots.tasks.skill_aware.scenes import AREA_M, Starts

OPEN_M = 0.08
"""Opening of the gripper around a cube [m]: the largest."""

HEIGHT_M = (0.012, 0.035)
"""Height of the end effector above the table at such a start [m]."""


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
    offset = draw_offsets(starts.cube, random, AREA_M)
    place = starts.cube + np.where(around[:, None], 0.0, offset)
    hand = np.where(near[:, None], np.column_stack([place, height]), np.nan)
    return replace(starts, hand=hand, width=np.where(around, OPEN_M, 0.0))
