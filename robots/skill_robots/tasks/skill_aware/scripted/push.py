"""PUSH: the closed hand behind the cube, along the line to the goal; SCOOP where it must tumble."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from skill_robots.tasks.skill_aware.scenes import DISPLACEMENT_M
from skill_robots.tasks.skill_aware.scripted.motion import (
    CLEAR_HEIGHT_M,
    Action,
    Point,
    Point3,
    Seen,
    limited,
    to_width,
    travel,
)


@dataclass(frozen=True, kw_only=True)
class PushConfig:
    """How to push."""

    behind_m: float = 0.055
    """Where the hand goes down, behind the cube's centre [m]."""
    height_m: float = 0.02
    """Height of the end effector that the push aims at, before its upward part [m]."""
    height_gain: float = 1.5
    """Share of the height error that is commanded."""
    up: float = 0.0
    """Constant upward part of the action: friction then lifts the near edge, the cube tumbles."""
    speed: float = 0.8
    """Action along the way."""
    correction: float = 0.6
    """Share of the sideways error that is commanded."""
    lost_m: float = 0.03
    """Sideways error at which to go round again [m]."""
    stall_steps: int = 6
    """Steps without progress after which to go round again."""
    approach_speed: float = 1.0
    """Largest horizontal action on the way round the cube."""


SLIDE = PushConfig()
"""For cubes that slide."""
SCOOP = PushConfig(
    behind_m=0.06,
    height_m=0.005,
    height_gain=0.65,
    up=1.0,
    speed=0.95,
    correction=1.0,
    lost_m=0.04,
)
"""For cubes that do not: they tumble, a quarter turn at a time. Found by random search."""

Phase = Literal["round", "down", "push"]

_AT_START_M = 0.02
"""How near the place behind the cube the hand goes down [m]."""
_OFF_START_M = 0.035
"""How far from there it gives up and goes round again [m]."""
_BEHIND_M = 0.09
"""A cube this far ahead has been lost [m]."""
_PROGRESS_M = 0.002
_LARGEST_CORRECTION = 0.8


class PushController:
    """Pushes in one scene; goes round and begins again when the cube is lost or does not move."""

    def __init__(self, config: PushConfig) -> None:
        self._config = config
        self.phase: Phase = "round"
        """What it is about to do."""
        self._stalled = 0
        self._nearest = math.inf

    def act(self, seen: Seen) -> Action:
        """The next action."""
        dx, dy = seen.goal_offset
        length = math.hypot(dx, dy) or 1.0
        way = (dx / length, dy / length)
        hx, hy = seen.hand_offset
        along, across = hx * way[0] + hy * way[1], hx * way[1] - hy * way[0]
        self._advance(seen, length, along, across)
        move = self._push(seen, way, across) if self.phase == "push" else self._approach(seen, way)
        return (*move, to_width(seen, 0.0, 0.5))

    def _advance(self, seen: Seen, left: float, along: float, across: float) -> None:
        config = self._config
        off = math.hypot(along + config.behind_m, across)
        if self.phase == "round":
            if off < _AT_START_M:
                self.phase = "down"
        elif self.phase == "down":
            if off > _OFF_START_M:
                self.phase = "round"
            elif seen.hand[2] < config.height_m + 0.015:
                self.phase, self._stalled, self._nearest = "push", 0, math.inf
        else:
            self._stalled = 0 if left < self._nearest - _PROGRESS_M else self._stalled + 1
            self._nearest = min(left, self._nearest)
            lost = abs(across) > config.lost_m or along > 0.0 or along < -_BEHIND_M
            if lost or self._stalled >= config.stall_steps:
                self.phase = "round"

    def _approach(self, seen: Seen, way: Point) -> Point3:
        config = self._config
        cube = seen.cube_in(1.0)
        x, y = cube[0] - config.behind_m * way[0], cube[1] - config.behind_m * way[1]
        error = math.hypot(x - seen.hand[0], y - seen.hand[1])
        height = config.height_m
        # Down only where it is clear of the cube: pressed onto its edge the hand would stay there.
        high = seen.hand[2] > CLEAR_HEIGHT_M - 0.03
        if self.phase == "round" or (high and error > _AT_START_M):
            height = CLEAR_HEIGHT_M + max(0.0, 0.5 * (error - 0.03))
        return travel(seen, x, y, height, speed=config.approach_speed)

    def _push(self, seen: Seen, way: Point, across: float) -> Point3:
        config = self._config
        side = limited(-config.correction * across / DISPLACEMENT_M, _LARGEST_CORRECTION)
        x = config.speed * way[0] + side * way[1]
        y = config.speed * way[1] - side * way[0]
        z = config.up + config.height_gain * (config.height_m - seen.hand[2]) / DISPLACEMENT_M
        return limited(x, 1.0), limited(y, 1.0), limited(z, 1.0)
