"""The invariants of the set-points that reach the motors.

They are checked against the published limits with the formulas of the governor
(``skill_robots.motion.limits``). The sequence is the oracle's own: it derives velocity,
acceleration and jerk from the set-points that arrived, and knows neither braking trajectories nor
verdicts nor the server's intentions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec, JointTarget
from skill_robots.motion.limits import Motion, MotionLimits
from skill_robots.motion.margins import WITHIN_LIMITS, Margins
from skill_robots.motion.setpoint_shaper import ShaperConfig
from skill_runtime.control.state_monitor import COMMUNICATION_TIMEOUT_S
from skill_runtime.fault_injection.faulty_arm import STOPS_AFTER_S

CONSISTENT_RAD_S = 0.01
"""Largest difference of a feed-forward velocity from that of the set-points [rad/s]."""
AT_REST = 0.01
"""A set-point slower than this is at rest: the shaper approaches its goal exponentially [rad/s]."""
BUILD_UP_S = 0.03
"""Time that the shaper needs from accelerating to braking [s]."""
STILL = 1e-6
"""A set-point slower than this does not move [rad/s]."""
ROUNDING = 1e-5
"""Tolerance of a limit: a share of a speed, metres or radians of a distance."""


@dataclass
class MotionOracle:
    """Follows the set-points; raises :class:`InvariantError` at the first that breaks an invariant.

    Args:
        limits: limits of the arm, in the surroundings of the governor.
        period_s: servo period [s].
        lockstep: whether the simulation advances only when a set-point arrives.

    Attributes:
        rest_within_s: longest time from the end of a command to a set-point at rest [s].
    """

    limits: MotionLimits
    period_s: float
    lockstep: bool
    rest_within_s: float = field(init=False)
    _last: Motion | None = None
    _last_time: float = -math.inf
    _lost: int = 0
    _was_reset: bool = False
    _max_excess: float = 0.0
    _min_margins: Margins = WITHIN_LIMITS

    def __post_init__(self) -> None:
        """Derives the braking time from the limits."""
        self.rest_within_s = _rest_within_s(self.limits.spec)

    def accepts(self, joint_position: Sequence[float]) -> bool:
        """Returns whether a target ``(dof,)`` [rad] lies within the joints' ranges; () does."""
        spec = self.limits.spec
        ranges = zip(joint_position, spec.position_low, spec.position_high, strict=False)
        return all(low <= value <= high for value, low, high in ranges)

    def is_moving(self, now: float) -> bool:
        """Returns whether set-points move the arm and reach it."""
        return self._speed > AT_REST and not self._is_timed_out(now, COMMUNICATION_TIMEOUT_S)

    def _is_timed_out(self, now: float, after_s: float) -> bool:
        without_s = self._lost * self.period_s if self.lockstep else now - self._last_time
        return without_s > after_s

    def on_lost(self) -> None:
        """A set-point has not reached the motors."""
        self._lost += 1

    @property
    def _speed(self) -> float:
        return 0.0 if self._last is None else float(np.abs(self._last.velocity).max())

    def on_reset(self) -> None:
        """The simulated scene, with the arm, was reset."""
        self._was_reset = True

    def on_placed(self, position: Array, now: float, *, released: bool) -> None:
        """The set-point was placed on the measured joints ``position``.

        The arm must be at rest, must have stopped on its own (``released``), or must have received
        no set-points for too long.
        """
        if self.is_moving(now) and not released and not self._was_reset:
            raise InvariantError(f"the set-point was placed at {self._speed:.3f} rad/s")
        self._was_reset = False
        self._start(position)

    def _start(self, position: Array) -> None:
        """Starts at rest at ``position``."""
        rest = np.zeros_like(position)
        self._max_excess = max(0.0, self._excess(position)) + ROUNDING
        # An arm that starts beyond a limit may come back, but go no farther.
        margins = self.limits.margins(position)
        self._min_margins = Margins(*(min(0.0, margin) - ROUNDING for margin in margins))
        self._last = Motion(position.copy(), rest, rest)

    def on_command(self, target: JointTarget, measured: Array, now: float) -> None:
        """A set-point reaches the motors at server time ``now``; the arm is at ``measured``.

        An arm that has been without set-points for too long has stopped on its own; the set-points
        must continue from its measured position.
        """
        position = target.position.copy()
        if not np.isfinite(position).all():
            raise InvariantError(f"a set-point is not finite: {position.tolist()}")
        if self._last is None:
            raise InvariantError("a set-point before any start")
        if self._is_timed_out(now, STOPS_AFTER_S) and math.isfinite(self._last_time):
            # In lockstep no time has passed in which the arm could have been moved.
            self._start(self._last.position if self.lockstep else measured)
        self._last_time, self._lost = now, 0
        width = target.gripper_width
        if width is not None and not 0.0 <= width <= self.limits.spec.gripper_width_max:
            raise InvariantError(f"the gripper width is set to {width} m")
        after = self._last.then(position, self.period_s)
        if np.abs(target.velocity - after.velocity).max() > CONSISTENT_RAD_S:
            raise InvariantError(
                f"the velocity fed forward is not that of the set-points: {target.velocity}"
            )
        self._check_step(self._last, after)
        self._check_place(after)
        self._last = after

    def _check_step(self, before: Motion, after: Motion) -> None:
        broken = self.limits.broken_by_step(before, after)
        if broken is not None:
            raise InvariantError(f"a set-point breaks {broken}")
        low, high = self.limits.speed_bounds(after.position)
        if (after.velocity < low - ROUNDING).any() or (after.velocity > high + ROUNDING).any():
            raise InvariantError(f"a joint is too fast: {after.velocity.tolist()}")
        forward_point = self.limits.spec.kinematics.forward_point
        points = (forward_point(each.position.tolist()) for each in (before, after))
        speed = math.dist(*points) / self.period_s
        if speed > self.limits.spec.end_effector_speed * (1.0 + ROUNDING):
            raise InvariantError(f"the end effector is too fast: {speed:.2f} m/s")

    def _check_place(self, after: Motion) -> None:
        excess = self._excess(after.position)
        if excess > self._max_excess:
            raise InvariantError(f"a joint is {excess:.2g} rad beyond its end")
        if np.abs(after.velocity).max() <= STILL:
            return  # this position was checked before
        margins = self.limits.margins(after.position)
        if any(now < least for now, least in zip(margins, self._min_margins, strict=True)):
            raise InvariantError(f"too near: {margins}, at least {self._min_margins}")

    def _excess(self, position: Array) -> float:
        """Returns how far a joint is beyond its end, at most [rad]; negative inside the range."""
        spec = self.limits.spec
        beyond = np.maximum(spec.position_low - position, position - spec.position_high)
        return float(beyond.max())


def _rest_within_s(spec: ArmSpec) -> float:
    """Returns the time from full speed of the slowest joint to rest [s].

    By the law of ``SetpointShaper.brake``, the speed falls by ``a_max t`` until ``a_max = k_v v``,
    and then as ``exp(-k_v t)``.
    """
    law = ShaperConfig()
    line_s = float((spec.velocity_limit / spec.acceleration_limit).max()) - 1.0 / law.velocity_gain
    slow = law.limit_share * float(spec.acceleration_limit.max()) / law.velocity_gain
    return BUILD_UP_S + line_s + math.log(slow / AT_REST) / law.velocity_gain


class InvariantError(BaseException):
    """An invariant is broken.

    It is not an ``Exception``, because the control loop turns those into faults and continues.
    """
