"""The Cartesian motion generators: a client commands the pose or the twist of the end effector."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_robots.control_box.config import CYCLE_S, RobotConfig
from skill_robots.control_box.generators.cartesian_limits import CartesianJudge, ElbowJudge
from skill_robots.control_box.generators.cartesian_motion import (
    CartesianMotion,
    rotation_between,
    split,
)
from skill_robots.control_box.generators.desired_pose import DesiredPose
from skill_robots.control_box.generators.generator import error_mask
from skill_robots.control_box.generators.joint_limits import (
    CARTESIAN_GENERATOR_ERRORS,
    JointLimits,
)
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.physics.frames import is_transform
from skill_robots.control_box.wire.protocol import ErrorBit
from skill_robots.control_box.wire.robot_command import RobotCommand

START_TOLERANCE_M = 0.01
"""A first pose that is farther than this from the set-point is an invalid start pose; a guess."""
START_TOLERANCE_RAD = 0.05
"""The same for its rotation, and for the elbow; a guess."""

SINGULAR = 0.02
"""A motion cannot start if the smallest singular value of the Jacobian is below this; a guess."""

_DAMPING = 1e-10
"""On the diagonal of the inverse kinematics; only against division by zero."""


class ElbowMotion(NamedTuple):
    """Joint 3 as a set-point."""

    position: float
    """[rad]."""
    velocity: float
    """[rad/s]."""
    acceleration: float
    """[rad/s^2]."""

    def to_position(self, position: float) -> ElbowMotion:
        """Returns the set-point of the next cycle at ``position``."""
        velocity = (position - self.position) / CYCLE_S
        return ElbowMotion(position, velocity, (velocity - self.velocity) / CYCLE_S)

    def extrapolated(self) -> ElbowMotion:
        """Returns the set-point of the next cycle with the same acceleration."""
        velocity = self.velocity + CYCLE_S * self.acceleration
        return ElbowMotion(self.position + CYCLE_S * velocity, velocity, self.acceleration)


class CartesianGenerator:
    """Follows poses by inverse kinematics, one Newton step each cycle.

    The step closes the distance from the pose of the joint set-point to the commanded pose, so
    errors do not add up. Without a commanded elbow it is the shortest step of the joints; a real
    robot's choice of the elbow is unpublished.

    Args:
        start: joint set-point at the start, at rest.
        config: the robot.
        desired: forward kinematics; this generator keeps it at the joint set-point.

    Attributes:
        motion: joint set-point.
        cartesian: commanded pose with its derivatives.
        elbow: commanded elbow, or the one that follows from the pose.
    """

    def __init__(self, start: JointMotion, config: RobotConfig, desired: DesiredPose) -> None:
        self.motion = start
        self._desired = desired
        desired.update(start.position)
        desired.update_jacobian()
        self.cartesian = CartesianMotion.at_rest(desired.transform.tolist())
        self.elbow = ElbowMotion(start.position[2], 0.0, 0.0)
        self._commands_elbow = False
        self._is_first = True
        self._protocol = config.protocol
        self._judge = CartesianJudge(config.cartesian_limits, config.protocol)
        self._elbow_judge = ElbowJudge(config.cartesian_limits.elbow, config.protocol)
        self._limits = JointLimits(config.spec, config.protocol, CARTESIAN_GENERATOR_ERRORS)
        self._rows = np.zeros((7, 7))
        self._rows[6, 2] = 1.0  # the elbow is joint 3
        self._damping = _DAMPING * np.eye(7)

    @property
    def starts_singular(self) -> bool:
        """Whether the present pose is singular: its inverse kinematics cannot begin there."""
        values = np.linalg.svd(self._desired.jacobian, compute_uv=False)
        return float(values[-1]) < SINGULAR

    def follow(self, command: RobotCommand) -> int:
        """Advances by one cycle with a command."""
        errors = self._start_errors(command) if self._is_first else 0
        self._is_first = False
        after = self._commanded(command)
        if after is None:
            return errors | self._mask(ErrorBit.CARTESIAN_POSITION_MOTION_GENERATOR_INVALID_FRAME)
        self._commands_elbow = command.valid_elbow
        elbow = None
        if command.valid_elbow:
            position, sign = command.elbow_c.tolist()
            elbow = self.elbow.to_position(position)
            if (sign >= 0.0) != (self.motion.position[3] >= 0.0):
                errors |= self._mask(ErrorBit.CARTESIAN_MOTION_GENERATOR_ELBOW_SIGN_INCONSISTENT)
        return errors | self._adopt(after, elbow, keep=not errors)

    def extrapolate(self) -> int:
        """Advances with the acceleration of the last cycle, in Cartesian space."""
        elbow = self.elbow.extrapolated() if self._commands_elbow else None
        return self._adopt(self.cartesian.extrapolated(), elbow)

    def finish(self) -> int:
        """Ends the motion at the set-point."""
        cartesian, motion = self.cartesian.stopped(), self.motion.stopped()
        errors = self._judge.broken(self.cartesian, cartesian)
        errors |= self._limits.broken(self.motion, motion)
        if not errors:
            self.cartesian, self.motion = cartesian, motion
        return errors

    def _commanded(self, command: RobotCommand) -> CartesianMotion | None:
        """Returns the set-point that a command asks for; None if it is no transform."""
        raise NotImplementedError

    def _start_errors(self, command: RobotCommand) -> int:
        if not command.valid_elbow:
            return 0
        if abs(command.elbow_c[0] - self.elbow.position) <= START_TOLERANCE_RAD:
            return 0
        return self._mask(ErrorBit.CARTESIAN_MOTION_GENERATOR_START_ELBOW_INVALID)

    def _adopt(
        self, after: CartesianMotion, elbow: ElbowMotion | None, *, keep: bool = True
    ) -> int:
        """Moves on to a set-point unless it breaks a limit.

        Args:
            after: the next set-point.
            elbow: commanded elbow, None if the pose alone is commanded.
            keep: whether to move on at all.
        """
        errors = self._judge.broken(self.cartesian, after)
        if elbow is not None:
            jerk = (elbow.acceleration - self.elbow.acceleration) / CYCLE_S
            errors |= self._elbow_judge.broken(elbow.velocity, elbow.acceleration, jerk)
        step: list[float] = self._joint_step(after, elbow).tolist()
        motion = self.motion.to_position(
            [q + change for q, change in zip(self.motion.position, step, strict=True)]
        )
        errors |= self._limits.broken(self.motion, motion)
        if keep and not errors:
            self.elbow = elbow or self.elbow.to_position(motion.position[2])
            self.cartesian, self.motion = after, motion
            self._desired.update(motion.position)
            self._desired.update_jacobian()
        return errors

    def _joint_step(self, after: CartesianMotion, elbow: ElbowMotion | None) -> Array:
        """Solves ``J dq = dx``, with ``dq_3`` given if the elbow is commanded, ``(7,)`` [rad]."""
        position, rotation = split(self._desired.transform.tolist())
        rows = self._desired.jacobian
        wanted = [x - x0 for x, x0 in zip(after.position, position, strict=True)]
        wanted += rotation_between(rotation, after.rotation)
        if elbow is not None:
            self._rows[:6] = rows
            rows = self._rows
            wanted.append(elbow.position - self.motion.position[2])
        gram = rows @ rows.T
        gram += self._damping[: len(gram), : len(gram)]
        return rows.T @ np.linalg.solve(gram, wanted)

    def _mask(self, error: ErrorBit) -> int:
        return error_mask(self._protocol, error)


class CartesianPoseGenerator(CartesianGenerator):
    """Follows ``O_T_EE_c``; see :class:`CartesianGenerator`."""

    def _commanded(self, command: RobotCommand) -> CartesianMotion | None:
        numbers: list[float] = command.o_t_ee_c.tolist()
        if not is_transform(numbers):
            return None
        return self.cartesian.to_pose(*split(numbers))

    def _start_errors(self, command: RobotCommand) -> int:
        position, rotation = split(command.o_t_ee_c.tolist())
        pairs = zip(position, self.cartesian.position, strict=True)
        distance = sum((x - x0) ** 2 for x, x0 in pairs) ** 0.5
        turn = rotation_between(self.cartesian.rotation, rotation)
        angle = sum(component**2 for component in turn) ** 0.5
        errors = super()._start_errors(command)
        if distance > START_TOLERANCE_M or angle > START_TOLERANCE_RAD:
            errors |= self._mask(ErrorBit.CARTESIAN_POSITION_MOTION_GENERATOR_START_POSE_INVALID)
        return errors


class CartesianVelocityGenerator(CartesianGenerator):
    """Follows ``O_dP_EE_c``; see :class:`CartesianGenerator`."""

    def _commanded(self, command: RobotCommand) -> CartesianMotion | None:
        return self.cartesian.with_twist(command.o_dp_ee_c.tolist())
