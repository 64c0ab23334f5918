"""Braking: set-points of the robot's own stop."""

from __future__ import annotations

import numpy as np

from skill_robots.arm import ArmSpec
from skill_robots.control_box.config import CYCLE_S
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.motion.braking import BrakingPlanner, BrakingTrajectory


class Braking:
    """Follows the shortest stop within the limits of acceleration and jerk.

    The law of a real robot is unpublished; stops of this kind are a guess.

    Args:
        spec: the arm.
    """

    def __init__(self, spec: ArmSpec) -> None:
        self._acceleration_limit = spec.acceleration_limit
        self._planner = BrakingPlanner(spec.acceleration_limit, spec.jerk_limit, CYCLE_S)
        self._trajectory: BrakingTrajectory | None = None
        self._cycle = 0

    def begin(self, motion: JointMotion) -> None:
        """Plans the stop from a set-point."""
        acceleration = np.clip(
            motion.acceleration, -self._acceleration_limit, self._acceleration_limit
        )
        self._cycle = 0
        self._trajectory = self._planner.plan(
            np.array(motion.position), np.array(motion.velocity), acceleration
        )

    def step(self) -> JointMotion:
        """Returns the set-point of the next cycle; at the end it stays at rest.

        Raises:
            RuntimeError: no stop was begun.
        """
        if self._trajectory is None:
            raise RuntimeError("no stop was begun")
        self._cycle += 1
        if self._cycle > len(self._trajectory):
            return JointMotion.at_rest(self._trajectory.position[-1].tolist())
        position, velocity, acceleration = self._trajectory.after(self._cycle)
        return JointMotion(position.tolist(), velocity.tolist(), acceleration.tolist())
