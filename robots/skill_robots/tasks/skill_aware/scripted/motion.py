"""State that the scripted controllers read, and motions of the hand that they share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from skill_proto.arrays import Array
from skill_robots.observation import layout
from skill_robots.tasks.skill_aware.scenes import (
    CONTROL_RATE_HZ,
    DISPLACEMENT_M,
    GRIPPER_WIDTH_STEP_M,
    OBSERVATION,
)

Action = tuple[float, float, float, float]
Vector2 = tuple[float, float]
"""A point or a displacement on the table."""
Vector3 = tuple[float, float, float]

CLEAR_HEIGHT_M = 0.065
"""Height of the hand at which it passes over a cube on the table [m]."""
COAST_S = (0.009, 0.020, 0.029)
"""Time for which the hand keeps its speed after a command of zero, along x, y and z [s]."""
GAIN = 1.6
"""Commanded over desired displacement: the arm covers about 0.55 of a command in one step."""

_LAYOUT = layout(OBSERVATION)


@dataclass(frozen=True, slots=True)
class SceneState:
    """One scene's observation and goal, by name; world frame, SI units."""

    hand: Vector3
    """Position at which the hand will come to rest: its position plus its coasting distance."""
    width: float
    """Gripper width."""
    cube: Vector3
    cube_velocity: Vector3
    goal: Vector2
    """Goal of the cube on the table."""

    @property
    def goal_offset(self) -> Vector2:
        """Vector from the cube to the goal [m]."""
        return self.goal[0] - self.cube[0], self.goal[1] - self.cube[1]

    @property
    def hand_offset(self) -> Vector2:
        """Horizontal vector from the cube to the hand [m]."""
        return self.hand[0] - self.cube[0], self.hand[1] - self.cube[1]

    def cube_in(self, steps: float) -> Vector2:
        """Predicts the position of the cube after ``steps`` control steps at its present speed."""
        time = steps / CONTROL_RATE_HZ
        return (
            self.cube[0] + time * self.cube_velocity[0],
            self.cube[1] + time * self.cube_velocity[1],
        )


def scene_states(observation: Array, goal: Array) -> list[SceneState]:
    """Returns the states of ``(n, 23)`` observations and ``(n, 2)`` goals."""
    position = observation[:, _LAYOUT["end_effector_position"]]
    hand = position + np.array(COAST_S) * observation[:, _LAYOUT["end_effector_velocity"]]
    columns = (
        hand,
        observation[:, _LAYOUT["gripper_width"]][:, 0],
        observation[:, _LAYOUT["cube_position"]],
        observation[:, _LAYOUT["cube_velocity"]],
        goal,
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        SceneState(
            hand=tuple(hand),
            width=width,
            cube=tuple(cube),
            cube_velocity=tuple(velocity),
            goal=tuple(target),
        )
        for hand, width, cube, velocity, target in rows
    ]


class Controller(Protocol):
    """Controls one scene for one episode."""

    def act(self, state: SceneState) -> Action:
        """Returns the next action."""
        ...


def limited(value: float, bound: float) -> float:
    """Returns ``value`` clipped to +- ``bound``."""
    return max(-bound, min(bound, value))


def travel(state: SceneState, x: float, y: float, z: float, *, speed: float = 1.0) -> Vector3:
    """Returns the displacement of an action towards a point, straight and at most at ``speed``."""
    gain = GAIN / DISPLACEMENT_M
    dx, dy = gain * (x - state.hand[0]), gain * (y - state.hand[1])
    length = math.hypot(dx, dy)
    scale = min(1.0, speed / length) if length > 0 else 1.0
    return dx * scale, dy * scale, limited(gain * (z - state.hand[2]), speed)


def to_width(state: SceneState, width: float, bound: float = 1.0) -> float:
    """Returns the gripper part of an action towards this width [m]."""
    return limited((width - state.width) / GRIPPER_WIDTH_STEP_M, bound)
