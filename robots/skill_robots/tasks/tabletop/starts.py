"""Starts of episodes: places of hand and cube, and the opening of the gripper.

Without the gripper, an episode draws from the generator in the order of :func:`draw_starts`; with
it, :func:`add_gripper` draws further numbers after those.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from skill_proto.arrays import Array, Flags
from skill_robots.motion.action import ActionConfig
from skill_robots.objects import CUBE_SIZE
from skill_robots.tasks.beside import draw_offsets

StartKind = Literal["low", "high", "mixed"]

LOW_START_M = 0.06
"""Height of the end effector at a low start [m]; the fingertips are just above the cube."""

HIGH_START_M = 0.20
"""Height of the end effector at a high start [m], about that of panda-gym."""

AROUND_M = 0.03
"""Greatest height of the end effector at a start with the open fingers around the cube [m]."""


@dataclass(frozen=True, kw_only=True)
class Starts:
    """Starts of n episodes, world frame."""

    hand: Array
    """``(n, 3)`` end effectors [m]."""
    cube: Array
    """``(n, 2)`` places of the cubes on the table [m]."""
    yaw: Array
    """``(n,)`` rotations of the cubes about the vertical [rad]."""
    beside: Flags
    """``(n,)``: whether the hand is down beside the cube."""
    height: Array | None = None
    """``(n,)`` heights of the cubes' centres [m]; None: all lie on the table."""
    width: Array | None = None
    """``(n,)`` openings of the gripper [m]; None: all are closed."""


def draw_starts(
    n: int, rng: np.random.Generator, actions: ActionConfig, kind: StartKind, beside_share: float
) -> Starts:
    """Draws the places of hand and cube.

    Args:
        n: number of episodes.
        rng: generator of all draws.
        actions: has the workspace.
        kind: ``TabletopConfig.start``.
        beside_share: ``TabletopConfig.beside_share``.
    """
    draw = rng.random(n) if kind == "mixed" else np.full(n, 0.0 if kind == "low" else 0.5)
    low = draw < 0.5
    beside = (draw >= 1.0 - beside_share) & (kind == "mixed")
    cube = rng.uniform(-1.0, 1.0, (n, 2)) * np.where(low, 0.10, 0.15)[:, None]
    hand = np.zeros((n, 3))
    any_height = rng.uniform(LOW_START_M, HIGH_START_M, n)
    above = any_height if kind == "mixed" else np.full(n, HIGH_START_M)
    hand[:, 2] = np.where(low, LOW_START_M, above)
    offset = draw_offsets(cube, rng, actions.workspace_high[0])
    hand[beside, :2] = (cube + offset)[beside]
    hand[beside, 2] = rng.uniform(actions.workspace_low[2], LOW_START_M, n)[beside]
    return Starts(hand=hand, cube=cube, yaw=rng.uniform(-np.pi, np.pi, n), beside=beside)


def add_gripper(
    starts: Starts,
    rng: np.random.Generator,
    actions: ActionConfig,
    *,
    width_max: float,
    held_share: float,
) -> tuple[Starts, Array]:
    """Draws the opening of the gripper, and puts the hand around the cube in some episodes.

    The opening is uniform. A hand beside the cube is closed: open fingers would reach into the
    cube. In ``held_share`` of the episodes the cube is between the fingers. In half of them the
    open fingers are around it on the table; in the others they hold it, at any height.

    Args:
        starts: places of hand and cube.
        rng: generator of all draws.
        actions: has the workspace.
        width_max: opening of the gripper [m].
        held_share: ``TabletopConfig.held_share``.

    Returns:
        The starts, and the set-points of the opening ``(n,)`` [m]. A set-point of zero presses the
        fingers on a held cube.
    """
    n, rest = len(starts.hand), CUBE_SIZE / 2
    width = np.where(starts.beside, 0.0, rng.uniform(0.0, width_max, n))
    draw = rng.random(n)
    between, held = draw < held_share, draw < held_share / 2
    around = rng.uniform(actions.workspace_low[2], AROUND_M, n)
    height = np.where(held, rng.uniform(rest, HIGH_START_M, n), rest)
    width = np.where(between, np.where(held, CUBE_SIZE, width_max), width)
    hand = starts.hand.copy()
    hand[between, :2] = starts.cube[between]
    hand[between, 2] = np.where(held, height, around)[between]
    # The fingers close along y, on two faces of a cube that is not turned.
    yaw = np.where(held, 0.0, starts.yaw)
    placed = replace(starts, hand=hand, yaw=yaw, height=height, width=width)
    return placed, np.where(held, 0.0, width)
