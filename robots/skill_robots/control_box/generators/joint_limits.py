"""JointLimits: position, velocity, and discontinuities of velocity and acceleration.

A real robot compares the differences of consecutive set-points with its published limits: a step
of the velocity beyond ``a_max dt`` is a velocity discontinuity, a step of the acceleration beyond
``j_max dt`` an acceleration discontinuity. Its exact thresholds are unpublished; a step of 1e-5
rad from rest, which is 10 rad/s^2, stops an FR3 (franka_ros2 #55). A real robot reports several
errors at once (franka_ros2 #64), so every broken limit is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from operator import gt, lt, sub
from typing import NamedTuple

from skill_robots.arm import ArmSpec
from skill_robots.control_box.config import CYCLE_S
from skill_robots.control_box.generators.generator import error_mask
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.wire.protocol import ErrorBit, Protocol
from skill_robots.motion.limits import exceeds

POSITION_ROUNDING = {"<f4": 2.0**-23, "<f8": 2.0**-52}
"""Rounding of a position below 4 rad that a client reads from the state: half of the last digit.

A client that adds its steps to the position that it reads commands with this error, so velocity,
acceleration and jerk may exceed their limits by 1, 2 and 4 times the error over dt, dt^2 and dt^3.
"""


class Tolerance(NamedTuple):
    """Largest effect of rounding on the differences of set-points."""

    position: float
    velocity: float
    acceleration: float
    jerk: float

    @staticmethod
    def of(protocol: Protocol) -> Tolerance:
        """Returns the tolerance for a client that reads the state of this protocol."""
        # Differences of numbers in double precision round, too.
        rounding = max(POSITION_ROUNDING[protocol.number_type], 4.0 * POSITION_ROUNDING["<f8"])
        return Tolerance(
            rounding, rounding / CYCLE_S, 2.0 * rounding / CYCLE_S**2, 4.0 * rounding / CYCLE_S**3
        )


class JointErrors(NamedTuple):
    """Errors for the four limits."""

    position: ErrorBit
    velocity: ErrorBit
    velocity_discontinuity: ErrorBit
    acceleration_discontinuity: ErrorBit


JOINT_GENERATOR_ERRORS = JointErrors(
    ErrorBit.JOINT_MOTION_GENERATOR_POSITION_LIMITS_VIOLATION,
    ErrorBit.JOINT_MOTION_GENERATOR_VELOCITY_LIMITS_VIOLATION,
    ErrorBit.JOINT_MOTION_GENERATOR_VELOCITY_DISCONTINUITY,
    ErrorBit.JOINT_MOTION_GENERATOR_ACCELERATION_DISCONTINUITY,
)
"""Of a joint motion generator."""

CARTESIAN_GENERATOR_ERRORS = JointErrors(
    ErrorBit.CARTESIAN_MOTION_GENERATOR_JOINT_POSITION_LIMITS_VIOLATION,
    ErrorBit.CARTESIAN_MOTION_GENERATOR_JOINT_VELOCITY_LIMITS_VIOLATION,
    ErrorBit.CARTESIAN_MOTION_GENERATOR_JOINT_VELOCITY_DISCONTINUITY,
    ErrorBit.CARTESIAN_MOTION_GENERATOR_JOINT_ACCELERATION_DISCONTINUITY,
)
"""Of a Cartesian motion generator, after inverse kinematics."""


class JointLimits:
    """The limits of an arm.

    Args:
        spec: the arm.
        protocol: version of the interface, which names the errors and rounds positions.
        errors: errors to report.
    """

    def __init__(self, spec: ArmSpec, protocol: Protocol, errors: JointErrors) -> None:
        tolerance = Tolerance.of(protocol)
        self._position, self._velocity, self._velocity_step, self._acceleration_step = (
            error_mask(protocol, error) for error in errors
        )
        self._low: list[float] = (spec.position_low - tolerance.position).tolist()
        self._high: list[float] = (spec.position_high + tolerance.position).tolist()
        self._rounding = tolerance.velocity
        self._velocity_limit: list[float] = (spec.velocity_limit + tolerance.velocity).tolist()
        self._acceleration_limit: list[float] = (
            spec.acceleration_limit + tolerance.acceleration
        ).tolist()
        self._jerk_step: list[float] = (CYCLE_S * (spec.jerk_limit + tolerance.jerk)).tolist()
        near_end = spec.position_based_velocity_limit
        self._near_end: list[tuple[float, float, float, float]] | None = None
        if near_end is not None:
            self._near_end = list(
                zip(
                    spec.position_low.tolist(),
                    spec.position_high.tolist(),
                    near_end.offset.tolist(),
                    (2.0 * near_end.deceleration).tolist(),
                    strict=True,
                )
            )

    def broken(self, before: JointMotion, after: JointMotion) -> int:
        """Returns the limits that a step from one set-point to the next breaks, as a mask."""
        errors = 0
        if self.leaves_range(after.position):
            errors |= self._position
        if exceeds(after.velocity, self._velocity_limit) or (
            self._near_end is not None
            and self._is_too_fast_near_end(before.position, after.velocity, self._near_end)
        ):
            errors |= self._velocity
        if exceeds(after.acceleration, self._acceleration_limit):
            errors |= self._velocity_step
        steps = map(sub, after.acceleration, before.acceleration)
        if exceeds(steps, self._jerk_step):
            errors |= self._acceleration_step
        return errors

    def leaves_range(self, position: Sequence[float]) -> bool:
        """Returns whether a joint is beyond its range."""
        return any(map(lt, position, self._low)) or any(map(gt, position, self._high))

    def _is_too_fast_near_end(
        self,
        position: list[float],
        velocity: list[float],
        near_end: list[tuple[float, float, float, float]],
    ) -> bool:
        """Returns whether a velocity is above the bound at the position that it begins from.

        libfranka's limiter computes the bound at the same position, ``q_d`` of the last state.
        """
        rounding = self._rounding
        for q, v, (low, high, offset, twice) in zip(position, velocity, near_end, strict=True):
            distance = high - q if v > 0.0 else q - low
            bound = sqrt(twice * distance) - offset if distance > 0.0 else 0.0
            if abs(v) > max(bound, 0.0) + rounding:
                return True
        return False
