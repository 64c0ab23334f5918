"""The asynchronous joint generator: rare targets, between which the robot interpolates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from skill_robots.arm import ArmSpec
from skill_robots.control_box.config import CYCLE_S
from skill_robots.control_box.generators.generator import error_mask
from skill_robots.control_box.generators.joint_limits import JOINT_GENERATOR_ERRORS, JointLimits
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.wire.protocol import Protocol
from skill_robots.control_box.wire.robot_command import RobotCommand
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper, ShaperConfig


class AsynchronousGenerator:
    """Moves to the newest target within the client's velocity limits; implements MotionGenerator.

    The real robot's law is unpublished. This one is the set-point shaper of this project, which
    keeps the limits of acceleration and jerk. A cycle without a command is no lost packet: the
    official example writes targets at 50 Hz.

    Args:
        start: set-point at the start, at rest.
        spec: the arm.
        protocol: version of the interface.
        max_velocities: velocity limits of the client, ``(7,)`` [rad/s].
    """

    def __init__(
        self,
        start: JointMotion,
        spec: ArmSpec,
        protocol: Protocol,
        max_velocities: Sequence[float],
    ) -> None:
        velocity_limit = np.minimum(max_velocities, spec.velocity_limit)
        self._shaper = SetpointShaper(
            replace(spec, velocity_limit=velocity_limit), CYCLE_S, ShaperConfig(limit_share=1.0)
        )
        self._limits = JointLimits(spec, protocol, JOINT_GENERATOR_ERRORS)
        self._range_error = error_mask(protocol, JOINT_GENERATOR_ERRORS.position)
        self._setpoint = Setpoint(np.array([start.position]))
        self._target = self._setpoint.position.copy()

    @property
    def motion(self) -> JointMotion:
        """The set-point of this cycle."""
        now = self._setpoint
        return JointMotion(
            now.position[0].tolist(), now.velocity[0].tolist(), now.acceleration[0].tolist()
        )

    def follow(self, command: RobotCommand) -> int:
        """Takes a new target; one beyond the range of a joint is an error."""
        if self._limits.leaves_range(command.q_c.tolist()):
            return self._range_error
        self._target[0] = command.q_c
        return self.extrapolate()

    def extrapolate(self) -> int:
        """Moves on to the target."""
        self._shaper.step(self._setpoint, self._target)
        return 0

    def finish(self) -> int:
        """Ends the motion: the robot brakes at once and without an error."""
        return 0
