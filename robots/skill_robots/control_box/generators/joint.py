"""The joint motion generators: a client commands joint position or joint velocity."""

from __future__ import annotations

from skill_robots.arm import ArmSpec
from skill_robots.control_box.generators.generator import error_mask
from skill_robots.control_box.generators.joint_limits import JOINT_GENERATOR_ERRORS, JointLimits
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.wire.protocol import ErrorBit, Protocol
from skill_robots.control_box.wire.robot_command import RobotCommand

START_TOLERANCE_RAD = 0.05
"""A first position that is farther than this from the set-point is an invalid start pose. A guess:
the real threshold is unpublished, and a start within it still must keep the other limits."""


class _JointGenerator:
    """The part that both generators share.

    Args:
        start: set-point at the start, at rest.
        spec: the arm.
        protocol: version of the interface.
    """

    def __init__(self, start: JointMotion, spec: ArmSpec, protocol: Protocol) -> None:
        self.motion = start
        self._limits = JointLimits(spec, protocol, JOINT_GENERATOR_ERRORS)

    def extrapolate(self) -> int:
        """Advances with the acceleration of the last cycle.

        The robot extrapolates the motion of a lost packet with constant acceleration (Franka
        Control Interface documentation, "Overview").
        """
        return self._adopt(self.motion.extrapolated())

    def finish(self) -> int:
        """Ends the motion at the set-point; a velocity above ``a_max dt`` is a discontinuity."""
        return self._adopt(self.motion.stopped())

    def _adopt(self, after: JointMotion) -> int:
        errors = self._limits.broken(self.motion, after)
        if not errors:
            self.motion = after
        return errors


class JointPositionGenerator(_JointGenerator):
    """Follows ``q_c``; see :class:`_JointGenerator`."""

    def __init__(self, start: JointMotion, spec: ArmSpec, protocol: Protocol) -> None:
        super().__init__(start, spec, protocol)
        self._is_first = True
        self._start_error = error_mask(
            protocol, ErrorBit.JOINT_POSITION_MOTION_GENERATOR_START_POSE_INVALID
        )

    def follow(self, command: RobotCommand) -> int:
        """Advances to the commanded position."""
        position: list[float] = command.q_c.tolist()
        errors = 0
        if self._is_first:
            self._is_first = False
            pairs = zip(position, self.motion.position, strict=True)
            if max(abs(q - start) for q, start in pairs) > START_TOLERANCE_RAD:
                errors = self._start_error
        return errors | self._adopt(self.motion.to_position(position))


class JointVelocityGenerator(_JointGenerator):
    """Follows ``dq_c``; see :class:`_JointGenerator`."""

    def follow(self, command: RobotCommand) -> int:
        """Advances with the commanded velocity."""
        return self._adopt(self.motion.to_velocity(command.dq_c.tolist()))
