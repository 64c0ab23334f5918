"""Push: the closed hand pushes the cube along the line to the goal; SCOOP makes it tumble."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from skill_robots.tasks.skill_aware.scenes import DISPLACEMENT_M
from skill_robots.tasks.skill_aware.scripted.motion import (
    CLEAR_HEIGHT_M,
    Action,
    SceneState,
    Vector2,
    Vector3,
    limited,
    to_width,
    travel,
)


@dataclass(frozen=True, kw_only=True)
class PushConfig:
    """Settings of a push."""

    behind_m: float = 0.055
    """Distance behind the cube's centre at which the hand goes down [m]."""
    height_m: float = 0.02
    """Target height of the end effector during a push, without ``up`` [m]."""
    height_gain: float = 1.5
    """Share of the height error that is commanded."""
    up: float = 0.0
    """Constant upward action: friction lifts the near edge, and the cube tumbles."""
    speed: float = 0.8
    """Action along the line to the goal."""
    correction: float = 0.6
    """Share of the sideways error that is commanded."""
    lost_m: float = 0.03
    """Sideways error at which the approach starts again [m]."""
    stall_steps: int = 6
    """Steps without progress after which the approach starts again."""
    approach_speed: float = 1.0
    """Largest horizontal action during the approach."""


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
"""For cubes that do not slide: they tumble by quarter turns. Found by random search."""

Phase = Literal["round", "down", "push"]

_AT_START_M = 0.02
"""Largest distance from the start of the push at which the hand goes down [m]."""
_OFF_START_M = 0.035
"""Distance from the start of the push at which the approach starts again [m]."""
_BEHIND_M = 0.09
"""Distance of the cube ahead of the hand at which it counts as lost [m]."""
_PROGRESS_M = 0.002
_LARGEST_CORRECTION = 0.8


class PushController:
    """Pushes in one scene; starts again if the cube is lost or does not move."""

    def __init__(self, config: PushConfig) -> None:
        self._config = config
        self.phase: Phase = "round"
        """The current phase of the push."""
        self._stalled = 0
        self._nearest = math.inf

    def act(self, state: SceneState) -> Action:
        """Returns the next action."""
        dx, dy = state.goal_offset
        length = math.hypot(dx, dy) or 1.0
        direction = (dx / length, dy / length)
        hx, hy = state.hand_offset
        along, across = hx * direction[0] + hy * direction[1], hx * direction[1] - hy * direction[0]
        self._advance(state, length, along, across)
        move = (
            self._push(state, direction, across)
            if self.phase == "push"
            else self._approach(state, direction)
        )
        return (*move, to_width(state, 0.0, 0.5))

    def _advance(self, state: SceneState, left: float, along: float, across: float) -> None:
        config = self._config
        off = math.hypot(along + config.behind_m, across)
        if self.phase == "round":
            if off < _AT_START_M:
                self.phase = "down"
        elif self.phase == "down":
            if off > _OFF_START_M:
                self.phase = "round"
            elif state.hand[2] < config.height_m + 0.015:
                self.phase, self._stalled, self._nearest = "push", 0, math.inf
        else:
            self._stalled = 0 if left < self._nearest - _PROGRESS_M else self._stalled + 1
            self._nearest = min(left, self._nearest)
            lost = abs(across) > config.lost_m or along > 0.0 or along < -_BEHIND_M
            if lost or self._stalled >= config.stall_steps:
                self.phase = "round"

    def _approach(self, state: SceneState, direction: Vector2) -> Vector3:
        config = self._config
        cube = state.cube_in(1.0)
        x, y = cube[0] - config.behind_m * direction[0], cube[1] - config.behind_m * direction[1]
        error = math.hypot(x - state.hand[0], y - state.hand[1])
        height = config.height_m
        # The hand goes down only beside the cube: on its edge it would get stuck.
        high = state.hand[2] > CLEAR_HEIGHT_M - 0.03
        if self.phase == "round" or (high and error > _AT_START_M):
            height = CLEAR_HEIGHT_M + max(0.0, 0.5 * (error - 0.03))
        return travel(state, x, y, height, speed=config.approach_speed)

    def _push(self, state: SceneState, direction: Vector2, across: float) -> Vector3:
        config = self._config
        side = limited(-config.correction * across / DISPLACEMENT_M, _LARGEST_CORRECTION)
        x = config.speed * direction[0] + side * direction[1]
        y = config.speed * direction[1] - side * direction[0]
        z = config.up + config.height_gain * (config.height_m - state.hand[2]) / DISPLACEMENT_M
        return limited(x, 1.0), limited(y, 1.0), limited(z, 1.0)
