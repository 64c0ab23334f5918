"""Pick: grasps the cube from above and carries it to the goal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from skill_robots.tasks.skill_aware.scenes import CUBE_REST_HEIGHT_M, DISPLACEMENT_M
from skill_robots.tasks.skill_aware.scripted.motion import (
    CLEAR_HEIGHT_M,
    Action,
    SceneState,
    limited,
    to_width,
    travel,
)


@dataclass(frozen=True, kw_only=True)
class PickConfig:
    """Settings of a pick. The defaults are gentle: a cube of 10 kg is lost by jerk, not by grip."""

    grasp_height_m: float = 0.015
    """Height of the end effector when the fingers close [m]."""
    lift_m: float = 0.03
    """Height of the carried cube above the height of the grasp [m]."""
    centred_m: float = 0.008
    """Largest horizontal distance of hand and cube at which the fingers close [m]."""
    settle_steps: int = 3
    """Steps after which the lowered hand closes even if it is not centred."""
    close_steps: int = 3
    """Steps until the fingers hold."""
    lift_wait_steps: int = 3
    """Steps after which the hand sets off even if the cube has not left the table."""
    approach_speed: float = 1.0
    """Largest horizontal action on the way to the cube."""
    close_speed: float = 0.5
    """Largest displacement action while the fingers close."""
    lift_speed: float = 0.3
    """Largest vertical action with the cube in the hand."""
    carry_speed: float = 0.5
    """Largest horizontal action with the cube in the hand."""
    hold_gain: float = 1.0
    """Share of the slip of the cube by which the hand moves back."""
    slack_m: float = 0.012
    """Slip along the fingers that is not corrected [m]; across the fingers the cube cannot slip."""
    lead_steps: float = 1.5
    """Prediction time for a moving cube [control steps]."""


Phase = Literal["approach", "close", "lift", "carry"]

_OPEN_M = 0.08
_ABOVE_M = 0.012
"""Largest horizontal distance of hand and cube before the hand goes down [m]."""
_BESIDE_M = 0.02
"""Largest horizontal distance while the open hand goes down [m]; the gap is 2 cm on each side."""
_LOST_M = 0.035
_EMPTY_M = 0.02
"""Gripper width below which a closing hand holds no cube [m]."""
_LIFTED_M = 0.006


class PickController:
    """Picks in one scene; starts again if the cube is lost."""

    def __init__(self, config: PickConfig) -> None:
        self._config = config
        self.phase: Phase = "approach"
        """The current phase of the pick."""
        self._steps = 0
        self._low_steps = 0

    def act(self, state: SceneState) -> Action:
        """Returns the next action."""
        self._advance(state)
        self._steps += 1
        if self.phase == "approach":
            return self._approach(state)
        if self.phase == "close":
            return self._close(state)
        return self._carry(state, moving=self.phase == "carry")

    def _enter(self, phase: Phase) -> None:
        self.phase, self._steps = phase, 0

    def _advance(self, state: SceneState) -> None:
        config = self._config
        away = math.hypot(*state.hand_offset)
        if self.phase == "approach":
            down = state.hand[2] < config.grasp_height_m + 0.012
            self._low_steps = self._low_steps + 1 if down else 0
            patient = self._low_steps < config.settle_steps
            if down and away < (config.centred_m if patient else _BESIDE_M):
                self._enter("close")
        elif away > _LOST_M or (self.phase != "close" and state.width < _EMPTY_M):
            self._enter("approach")
        elif self.phase == "close" and self._steps >= config.close_steps:
            self._enter("lift")
        elif self.phase == "lift" and (
            state.cube[2] > CUBE_REST_HEIGHT_M + _LIFTED_M or self._steps >= config.lift_wait_steps
        ):
            self._enter("carry")

    def _approach(self, state: SceneState) -> Action:
        config = self._config
        x, y = state.cube_in(config.lead_steps)
        error = math.hypot(x - state.hand[0], y - state.hand[1])
        begun = state.hand[2] < CLEAR_HEIGHT_M - 0.015
        height = config.grasp_height_m
        if error > (_BESIDE_M if begun else _ABOVE_M):
            height = CLEAR_HEIGHT_M + max(0.0, 0.5 * (error - 0.03))
        return (*travel(state, x, y, height, speed=config.approach_speed), to_width(state, _OPEN_M))

    def _close(self, state: SceneState) -> Action:
        x, y = state.cube_in(0.5)
        config = self._config
        return (*travel(state, x, y, config.grasp_height_m, speed=config.close_speed), -1.0)

    def _carry(self, state: SceneState, *, moving: bool) -> Action:
        config = self._config
        slip_x, slip_y = state.hand_offset
        x, y = 0.0, 0.0
        if moving:
            dx, dy = state.goal_offset
            length = math.hypot(dx, dy) or 1.0
            scale = min(config.carry_speed, length / DISPLACEMENT_M) / length
            x, y = dx * scale, dy * scale
            # The fingers close along y, so a cube that lags along y is pushed by the rear finger.
            slip_x, slip_y = slip_x - limited(slip_x, config.slack_m), 0.0
        back = config.hold_gain / DISPLACEMENT_M
        up = (config.grasp_height_m + config.lift_m - state.hand[2]) / DISPLACEMENT_M
        return (
            limited(x - back * slip_x, 1.0),
            limited(y - back * slip_y, 1.0),
            limited(up, config.lift_speed),
            -1.0,
        )
