"""What the scripted controllers of the skill-aware benchmark see, and how they move the hand."""

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
Point = tuple[float, float]
Point3 = tuple[float, float, float]

CLEAR_HEIGHT_M = 0.065
"""A hand at this height passes over a cube that lies on the table [m]."""
COAST_S = (0.009, 0.020, 0.029)
"""How long the hand goes on at its present speed when told to stay, along x, y and z [s]."""
GAIN = 1.6
"""Commanded over wanted displacement: the arm covers about 0.55 of a command in its step."""

_LAYOUT = layout(OBSERVATION)


@dataclass(frozen=True, slots=True)
class Seen:
    """One scene's observation and goal, by name; world frame, SI units."""

    hand: tuple[float, float, float]
    """Where the hand will come to rest: its position and what it coasts."""
    width: float
    """Between the fingers."""
    cube: tuple[float, float, float]
    cube_velocity: tuple[float, float, float]
    goal: Point
    """On the table."""

    @property
    def goal_offset(self) -> Point:
        """From the cube to the goal [m]."""
        return self.goal[0] - self.cube[0], self.goal[1] - self.cube[1]

    @property
    def hand_offset(self) -> Point:
        """From the cube to the hand, horizontally [m]."""
        return self.hand[0] - self.cube[0], self.hand[1] - self.cube[1]

    def cube_in(self, steps: float) -> Point:
        """Where the cube will be after so many control steps at its present speed."""
        time = steps / CONTROL_RATE_HZ
        return (
            self.cube[0] + time * self.cube_velocity[0],
            self.cube[1] + time * self.cube_velocity[1],
        )


def see(observation: Array, goal: Array) -> list[Seen]:
    """The rows of ``(n, 23)`` observations and ``(n, 2)`` goals."""
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
        Seen(
            hand=tuple(hand),
            width=width,
            cube=tuple(cube),
            cube_velocity=tuple(velocity),
            goal=tuple(target),
        )
        for hand, width, cube, velocity, target in rows
    ]


class Controller(Protocol):
    """Acts in one scene for one episode."""

    def act(self, seen: Seen) -> Action:
        """The next action."""
        ...


def limited(value: float, bound: float) -> float:
    """``value`` cut to +- ``bound``."""
    return max(-bound, min(bound, value))


def travel(seen: Seen, x: float, y: float, z: float, *, speed: float = 1.0) -> Point3:
    """The displacement part of an action towards a point, straight and at most at ``speed``."""
    gain = GAIN / DISPLACEMENT_M
    dx, dy = gain * (x - seen.hand[0]), gain * (y - seen.hand[1])
    length = math.hypot(dx, dy)
    scale = min(1.0, speed / length) if length > 0 else 1.0
    return dx * scale, dy * scale, limited(gain * (z - seen.hand[2]), speed)


def to_width(seen: Seen, width: float, bound: float = 1.0) -> float:
    """The action that brings the hand to this width [m]."""
    return limited((width - seen.width) / GRIPPER_WIDTH_STEP_M, bound)
