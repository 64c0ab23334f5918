"""Displacements, positions and velocities of the joints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import ActionPart
from skill_robots.motion.action import ActionDecoder
from skill_robots.motion.drives.drive import JointGoal, Situation
from skill_robots.motion.drives.physical import parts_of

DISPLACEMENT, POSITION, VELOCITY = "joint_displacement", "joint_position", "joint_velocity"

PARTS = (DISPLACEMENT, POSITION, VELOCITY)

BOX_LOOKAHEAD_S = 0.2
"""A velocity must not lead out of the workspace within this time [s]; the shaper brakes in it."""


class JointDrive:
    """Joint goals, or joint velocities, from an action on the joints.

    Args:
        action: all parts of the policy's action.
        decoder: bounds of the goals.
        control_period_s: time between two actions [s].
    """

    def __init__(
        self, action: Sequence[ActionPart], decoder: ActionDecoder, control_period_s: float
    ) -> None:
        self._part = next(part for name, part in parts_of(action).items() if name in PARTS)
        self._decoder = decoder
        self._period_s = control_period_s

    def goal(self, action: Array, now: Situation) -> JointGoal:
        """Returns the goal of an action ``(A,)``."""
        value = self._part.value(action)[None]
        if self._part.name == VELOCITY:
            return JointGoal(velocity=self._velocity(value, now))
        if self._part.name == DISPLACEMENT:
            by_setpoint = self._decoder.config.origin == "setpoint"
            value = value + (now.setpoint if by_setpoint else now.joint_position)
        near = self._decoder.near(value, now.joint_position, now.ends)
        return JointGoal(position=self._decoder.within_box(near))

    def write_resting(self, action: Array, now: Situation) -> None:
        """Writes the joint positions of the set-point, or zeros."""
        at_rest = now.setpoint[0]
        value = at_rest if self._part.name == POSITION else np.zeros_like(at_rest)
        action[self._part.slice] = self._part.action(value)

    def _velocity(self, velocity: Array, now: Situation) -> Array:
        """Returns joint velocities that neither push too hard nor leave the workspace."""
        next_goal = now.setpoint + self._period_s * velocity
        next_goal = self._decoder.near(next_goal, now.joint_position, now.ends)
        velocity = (next_goal - now.setpoint) / self._period_s
        ahead = now.setpoint + BOX_LOOKAHEAD_S * velocity
        inside = self._decoder.within_box(ahead)
        return (inside - now.setpoint) / BOX_LOOKAHEAD_S
