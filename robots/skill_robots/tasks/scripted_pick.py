"""PICK: grasp the cube from above and carry it to the goal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from skill_robots.tasks.scripted_motion import (
    CLEAR_HEIGHT_M,
    Action,
    Seen,
    limited,
    to_width,
    travel,
)
from skill_robots.tasks.skill_aware import CUBE_REST_HEIGHT_M, DISPLACEMENT_M


@dataclass(frozen=True, kw_only=True)
class PickConfig:
    """How to pick."""

    grasp_height_m: float = 0.015
    lift_m: float = 0.03
    """How far above where it was grasped the cube is carried [m]."""
    approach_speed: float = 1.0
    carry_speed: float = 0.5
    """Largest horizontal action while carrying; a faster hand loses heavy cubes."""
    lift_speed: float = 0.3
    """Largest vertical action while carrying."""
    close_steps: int = 3
    lift_wait_steps: int = 3
    """How long to wait for the cube to leave the table before setting off regardless."""
    centred_m: float = 0.008
    settle_steps: int = 3
    close_speed: float = 0.5
    slack_x_m: float = 0.012
    slack_y_m: float = 1.0
    slip_gain: float = 1.0
    offset_x: float = 0.0
    hold_gain: float = 1.0
    offset_x: float = 0.0
    grip: float = 1.0
    """Closing action."""
    align_m: float = 0.012
    """How well the hand must be above the cube before it goes down [m]."""
    lead_steps: float = 1.5


Phase = Literal["approach", "close", "lift", "carry"]
_LOST_M = 0.035
_OPEN_M = 0.08


class PickController:
    """Picks in one scene; starts over when the cube is lost."""

    def __init__(self, config: PickConfig) -> None:
        self._config = config
        self.phase: Phase = "approach"
        self.steps = 0
        """In the present phase."""
        self._low_steps = 0

    def act(self, seen: Seen) -> Action:
        """The next action."""
        self._advance(seen)
        self.steps += 1
        if self.phase == "approach":
            return self._approach(seen)
        if self.phase == "close":
            return self._close(seen)
        return self._carry(seen, moving=self.phase == "carry")

    def _enter(self, phase: Phase) -> None:
        self.phase, self.steps = phase, 0

    def _advance(self, seen: Seen) -> None:
        config = self._config
        away = math.hypot(seen.hand_offset[0] - config.offset_x, seen.hand_offset[1])
        if self.phase == "approach":
            down = seen.hand[2] < config.grasp_height_m + 0.012
            self._low_steps = self._low_steps + 1 if down else 0
            patient = self._low_steps < config.settle_steps
            if down and away < (config.centred_m if patient else 0.02):
                self._enter("close")
        elif away > _LOST_M or (self.phase != "close" and seen.width < 0.02):
            self._enter("approach")
        elif self.phase == "close" and self.steps >= config.close_steps:
            self._enter("lift")
        elif self.phase == "lift" and (
            seen.cube[2] > CUBE_REST_HEIGHT_M + 0.006 or self.steps >= config.lift_wait_steps
        ):
            self._enter("carry")

    def _approach(self, seen: Seen) -> Action:
        config = self._config
        x, y = seen.cube_in(config.lead_steps)
        x += config.offset_x
        error = math.hypot(x - seen.hand[0], y - seen.hand[1])
        low = error < config.align_m or (seen.hand[2] < CLEAR_HEIGHT_M - 0.015 and error < 0.02)
        height = config.grasp_height_m if low else CLEAR_HEIGHT_M + max(0.0, 0.5 * (error - 0.03))
        return (*travel(seen, x, y, height, speed=config.approach_speed), to_width(seen, _OPEN_M))

    def _close(self, seen: Seen) -> Action:
        x, y = seen.cube_in(0.5)
        config = self._config
        x += config.offset_x
        return (
            *travel(seen, x, y, config.grasp_height_m, speed=config.close_speed),
            -config.grip,
        )

    def _carry(self, seen: Seen, *, moving: bool) -> Action:
        config = self._config
        dx, dy = seen.goal_offset
        length = math.hypot(dx, dy) or 1.0
        hx, hy = seen.hand_offset
        scale = min(config.carry_speed, length / DISPLACEMENT_M) / length if moving else 0.0
        slack_x, slack_y = (config.slack_x_m, config.slack_y_m) if moving else (0.0, 0.0)
        back = (config.slip_gain if moving else config.hold_gain) / DISPLACEMENT_M
        up = (config.grasp_height_m + config.lift_m - seen.hand[2]) / DISPLACEMENT_M
        return (
            dx * scale - back * _beyond(hx, slack_x),
            dy * scale - back * _beyond(hy, slack_y),
            limited(up, config.lift_speed),
            -config.grip,
        )


def _beyond(value: float, slack: float) -> float:
    """What of ``value`` lies outside +- ``slack``."""
    return value - limited(value, slack)
