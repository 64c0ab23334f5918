"""PICK: grasp the cube from above and carry it to the goal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from skill_robots.tasks.skill_aware.scenes import CUBE_REST_HEIGHT_M, DISPLACEMENT_M
from skill_robots.tasks.skill_aware.scripted.motion import (
    CLEAR_HEIGHT_M,
    Action,
    Seen,
    limited,
    to_width,
    travel,
)


@dataclass(frozen=True, kw_only=True)
class PickConfig:
    """How to pick. The defaults are gentle: jerk, not grip, is what loses a cube of 10 kg."""

    grasp_height_m: float = 0.015
    """Height of the end effector when the fingers close [m]."""
    lift_m: float = 0.03
    """How far above where it was grasped the cube is carried [m]."""
    centred_m: float = 0.008
    """How well the hand must be centred on the cube when it closes [m]."""
    settle_steps: int = 3
    """Steps it may take to centre itself, down beside the cube, before it closes regardless."""
    close_steps: int = 3
    """Steps until the fingers hold."""
    lift_wait_steps: int = 3
    """How long to wait for the cube to leave the table before setting off regardless."""
    approach_speed: float = 1.0
    """Largest horizontal action on the way to the cube."""
    close_speed: float = 0.5
    """Largest displacement action while the fingers close."""
    lift_speed: float = 0.3
    """Largest vertical action with the cube in the hand."""
    carry_speed: float = 0.5
    """Largest horizontal action with the cube in the hand."""
    hold_gain: float = 1.0
    """How strongly the hand stays with a cube that slips, as a share of the slip."""
    slack_m: float = 0.012
    """Slip along the fingers that carrying allows [m]; across them they cannot lose the cube."""
    lead_steps: float = 1.5
    """How far ahead a moving cube is aimed at, in control steps."""


Phase = Literal["approach", "close", "lift", "carry"]

_OPEN_M = 0.08
_ABOVE_M = 0.012
"""How well the hand is above the cube before it goes down [m]."""
_BESIDE_M = 0.02
"""How far off the open fingers may be on their way down; the gap is 2 cm on either side [m]."""
_LOST_M = 0.035
_EMPTY_M = 0.02
"""A closing hand that is narrower holds no cube [m]."""
_LIFTED_M = 0.006


class PickController:
    """Picks in one scene; starts over when the cube is lost."""

    def __init__(self, config: PickConfig) -> None:
        self._config = config
        self.phase: Phase = "approach"
        """What it is about to do."""
        self._steps = 0
        self._low_steps = 0

    def act(self, seen: Seen) -> Action:
        """The next action."""
        self._advance(seen)
        self._steps += 1
        if self.phase == "approach":
            return self._approach(seen)
        if self.phase == "close":
            return self._close(seen)
        return self._carry(seen, moving=self.phase == "carry")

    def _enter(self, phase: Phase) -> None:
        self.phase, self._steps = phase, 0

    def _advance(self, seen: Seen) -> None:
        config = self._config
        away = math.hypot(*seen.hand_offset)
        if self.phase == "approach":
            down = seen.hand[2] < config.grasp_height_m + 0.012
            self._low_steps = self._low_steps + 1 if down else 0
            patient = self._low_steps < config.settle_steps
            if down and away < (config.centred_m if patient else _BESIDE_M):
                self._enter("close")
        elif away > _LOST_M or (self.phase != "close" and seen.width < _EMPTY_M):
            self._enter("approach")
        elif self.phase == "close" and self._steps >= config.close_steps:
            self._enter("lift")
        elif self.phase == "lift" and (
            seen.cube[2] > CUBE_REST_HEIGHT_M + _LIFTED_M or self._steps >= config.lift_wait_steps
        ):
            self._enter("carry")

    def _approach(self, seen: Seen) -> Action:
        config = self._config
        x, y = seen.cube_in(config.lead_steps)
        error = math.hypot(x - seen.hand[0], y - seen.hand[1])
        begun = seen.hand[2] < CLEAR_HEIGHT_M - 0.015
        height = config.grasp_height_m
        if error > (_BESIDE_M if begun else _ABOVE_M):
            height = CLEAR_HEIGHT_M + max(0.0, 0.5 * (error - 0.03))
        return (*travel(seen, x, y, height, speed=config.approach_speed), to_width(seen, _OPEN_M))

    def _close(self, seen: Seen) -> Action:
        x, y = seen.cube_in(0.5)
        config = self._config
        return (*travel(seen, x, y, config.grasp_height_m, speed=config.close_speed), -1.0)

    def _carry(self, seen: Seen, *, moving: bool) -> Action:
        config = self._config
        slip_x, slip_y = seen.hand_offset
        x, y = 0.0, 0.0
        if moving:
            dx, dy = seen.goal_offset
            length = math.hypot(dx, dy) or 1.0
            scale = min(config.carry_speed, length / DISPLACEMENT_M) / length
            x, y = dx * scale, dy * scale
            # The fingers close along y: a cube that lags that way is pushed by the one behind it.
            slip_x, slip_y = slip_x - limited(slip_x, config.slack_m), 0.0
        back = config.hold_gain / DISPLACEMENT_M
        up = (config.grasp_height_m + config.lift_m - seen.hand[2]) / DISPLACEMENT_M
        return (
            limited(x - back * slip_x, 1.0),
            limited(y - back * slip_y, 1.0),
            limited(up, config.lift_speed),
            -1.0,
        )
