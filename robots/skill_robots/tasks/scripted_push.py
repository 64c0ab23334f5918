"""PUSH: the closed hand behind the cube, along the line to the goal; SCOOP where it must tumble."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from skill_robots.tasks.scripted_motion import (
    CLEAR_HEIGHT_M,
    Action,
    Point,
    Seen,
    limited,
    to_width,
    travel,
)
from skill_robots.tasks.skill_aware import DISPLACEMENT_M


@dataclass(frozen=True, kw_only=True)
class PushConfig:
    """How to push."""

    behind_m: float = 0.055
    """Where the hand goes down, behind the cube's centre [m]."""
    height_m: float = 0.02
    height_gain: float = 1.5
    """Share of the height error that is commanded."""
    up: float = 0.0
    """Constant upward part of the action: friction then lifts the near edge, the cube tumbles."""
    ceiling_m: float = 1.0
    """Above this the upward part gives way, or the hand climbs over the cube [m]."""
    speed: float = 0.8
    correction: float = 0.6
    """Share of the sideways error that is commanded."""
    lost_m: float = 0.03
    """Sideways error at which to go round again [m]."""
    stall_steps: int = 6
    """Steps without progress after which to go round again."""
    approach_speed: float = 1.0


SLIDE = PushConfig()
"""For cubes that slide."""
SCOOP = PushConfig(behind_m=0.045, height_m=0.012, height_gain=0.65, up=0.86, speed=0.94)
"""For cubes that do not: they tumble, a quarter turn at a time."""

Phase = Literal["round", "down", "push"]


class PushController:
    """Pushes in one scene; goes round and begins again when the cube is lost or does not move."""

    def __init__(self, config: PushConfig) -> None:
        self._config = config
        self.phase: Phase = "round"
        self._stalled = 0
        self._best = math.inf

    def act(self, seen: Seen) -> Action:
        """The next action."""
        along, across, direction = self._line(seen)
        self._advance(seen, along, across)
        closing = to_width(seen, 0.0, 0.5)
        if self.phase == "push":
            return (*self._push(seen, across, direction), closing)
        config = self._config
        cube = seen.cube_in(1.0)
        x = cube[0] - config.behind_m * direction[0]
        y = cube[1] - config.behind_m * direction[1]
        height = config.height_m
        if self.phase == "round":
            error = math.hypot(x - seen.hand[0], y - seen.hand[1])
            height = CLEAR_HEIGHT_M + max(0.0, 0.5 * (error - 0.03))
        return (*travel(seen, x, y, height, speed=config.approach_speed), closing)

    def _line(self, seen: Seen) -> tuple[float, float, Point]:
        """Hand along and across the line from the cube to the goal, and the line's direction."""
        dx, dy = seen.goal_offset
        length = math.hypot(dx, dy) or 1.0
        ux, uy = dx / length, dy / length
        hx, hy = seen.hand_offset
        return hx * ux + hy * uy, hx * uy - hy * ux, (ux, uy)

    def _advance(self, seen: Seen, along: float, across: float) -> None:
        config = self._config
        if self.phase == "round":
            gap = math.hypot(along + config.behind_m, across)
            if gap < 0.02:
                self.phase = "down"
        elif self.phase == "down":
            if math.hypot(along + config.behind_m, across) > 0.035:
                self.phase = "round"
            elif seen.hand[2] < config.height_m + 0.015:
                self.phase, self._stalled, self._best = "push", 0, math.inf
        else:
            left = math.hypot(*seen.goal_offset)
            self._stalled = 0 if left < self._best - 0.002 else self._stalled + 1
            self._best = min(left, self._best)
            lost = abs(across) > config.lost_m or along > 0.0 or along < -0.09
            if lost or self._stalled >= config.stall_steps:
                self.phase = "round"

    def _push(self, seen: Seen, across: float, direction: Point) -> tuple[float, float, float]:
        config = self._config
        ux, uy = direction
        side = limited(-config.correction * across / DISPLACEMENT_M, 0.8)
        x, y = config.speed * ux + side * uy, config.speed * uy - side * ux
        z = config.up + config.height_gain * (config.height_m - seen.hand[2]) / DISPLACEMENT_M
        z = min(z, 2.0 * (config.ceiling_m - seen.hand[2]) / DISPLACEMENT_M)
        return limited(x, 1.0), limited(y, 1.0), limited(z, 1.0)
