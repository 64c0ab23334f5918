"""CartesianLimits of a commanded motion: velocity, discontinuities, and the elbow."""

from __future__ import annotations

from math import hypot

from skill_robots.control_box.config import CYCLE_S, CartesianLimits, RateLimits
from skill_robots.control_box.generators.cartesian_motion import CartesianMotion
from skill_robots.control_box.generators.generator import error_mask
from skill_robots.control_box.generators.joint_limits import Tolerance
from skill_robots.control_box.wire.protocol import ErrorBit, Protocol


class CartesianJudge:
    """Compares the differences of consecutive poses with the limits.

    A limit holds for the length of the linear and of the angular vector.

    Args:
        limits: published limits.
        protocol: version of the interface, which names the errors and rounds poses.
    """

    def __init__(self, limits: CartesianLimits, protocol: Protocol) -> None:
        tolerance = Tolerance.of(protocol)
        self._linear = _bounds(limits.translation, tolerance)
        self._angular = _bounds(limits.rotation, tolerance)
        self._errors = (
            error_mask(protocol, ErrorBit.CARTESIAN_MOTION_GENERATOR_VELOCITY_LIMITS_VIOLATION),
            error_mask(protocol, ErrorBit.CARTESIAN_MOTION_GENERATOR_VELOCITY_DISCONTINUITY),
            error_mask(protocol, ErrorBit.CARTESIAN_MOTION_GENERATOR_ACCELERATION_DISCONTINUITY),
        )

    def broken(self, before: CartesianMotion, after: CartesianMotion) -> int:
        """Returns the limits that a step from one set-point to the next breaks, as a mask."""
        jerk = [
            (a - a0) / CYCLE_S
            for a, a0 in zip(after.acceleration, before.acceleration, strict=True)
        ]
        errors = 0
        for error, vector, linear, angular in zip(
            self._errors,
            (after.twist, after.acceleration, jerk),
            self._linear,
            self._angular,
            strict=True,
        ):
            if hypot(*vector[:3]) > linear or hypot(*vector[3:]) > angular:
                errors |= error
        return errors


class ElbowJudge:
    """Limits of a commanded elbow, the position of joint 3.

    Args:
        limits: published limits.
        protocol: version of the interface.
    """

    def __init__(self, limits: RateLimits, protocol: Protocol) -> None:
        self._bounds = _bounds(limits, Tolerance.of(protocol))
        self._error = error_mask(
            protocol, ErrorBit.CARTESIAN_MOTION_GENERATOR_ELBOW_LIMIT_VIOLATION
        )

    def broken(self, velocity: float, acceleration: float, jerk: float) -> int:
        """Returns the error mask of the elbow's derivatives [rad/s, rad/s^2, rad/s^3]."""
        pairs = zip((velocity, acceleration, jerk), self._bounds, strict=True)
        return self._error if any(abs(value) > bound for value, bound in pairs) else 0


def _bounds(limits: RateLimits, tolerance: Tolerance) -> tuple[float, float, float]:
    return (
        limits.velocity + tolerance.velocity,
        limits.acceleration + tolerance.acceleration,
        limits.jerk + tolerance.jerk,
    )
