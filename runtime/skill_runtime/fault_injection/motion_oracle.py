"""What must hold of the set-points that reach the motors.

They are held against the published limits by formulas that the governor has too (motion_limits.py
has each once); what the judge has by itself is the sequence: derivatives are taken from what
arrived, and nothing here knows of stops, verdicts or what the server meant to send.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec, JointTarget
from skill_robots.franka import kinematics
from skill_robots.motion.limits import UNRESTRICTED, Margins, Motion, MotionLimits
from skill_robots.motion.setpoint_shaper import ShaperConfig
from skill_runtime.control.arm_link import COMMUNICATION_TIMEOUT_S
from skill_runtime.fault_injection.faulty_arm import RESTS_ALONE_S

CONSISTENT_RAD_S = 0.01
"""A velocity that is fed forward may differ this much from that of the set-points [rad/s]."""
AT_REST = 0.01
"""A set-point slower than this is at rest: the shaper comes to its end exponentially [rad/s]."""
BUILD_UP_S = 0.03
"""Time in which the shaper turns from speeding up to braking [s]."""
STILL = 1e-6
"""A set-point slower than this has not moved to speak of [rad/s]."""
ROUNDING = 1e-5
"""By how much a limit may be passed: a share of a speed, metres or radians of a distance."""


@dataclass
class MotionOracle:
    """Follows the set-points, and raises :class:`InvariantError` at one that must not be.

    Args:
        limits: of the arm; its surroundings are those of the governor.
        period_s: servo period [s].
        lockstep: whether the simulation advances only when a set-point arrives.

    Attributes:
        rest_within_s: longest time from the end of what allowed a motion to a set-point at rest.
    """

    limits: MotionLimits
    period_s: float
    lockstep: bool
    rest_within_s: float = field(init=False)
    _told: Motion | None = None
    _told_at: float = -math.inf
    _lost: int = 0
    _fresh: bool = False
    _most_excess: float = 0.0
    _least: Margins = UNRESTRICTED

    def __post_init__(self) -> None:
        """Derives what follows from the limits."""
        self.rest_within_s = _rest_within_s(self.limits.spec)

    def moves(self, now: float) -> bool:
        """Whether the arm is told to move, and not out of reach of what it is told."""
        return self._speed > AT_REST and not self._is_alone(now, COMMUNICATION_TIMEOUT_S)

    def _is_alone(self, now: float, after_s: float) -> bool:
        without_s = self._lost * self.period_s if self.lockstep else now - self._told_at
        return without_s > after_s

    def lost(self) -> None:
        """A set-point has not reached the motors."""
        self._lost += 1

    @property
    def _speed(self) -> float:
        return 0.0 if self._told is None else float(np.abs(self._told.velocity).max())

    def started_afresh(self) -> None:
        """The simulated scene was put at a new start, arm and all."""
        self._fresh = True

    def settled(self, position: Array, now: float, *, released: bool) -> None:
        """The set-point was put on the measured joints.

        Only an arm at rest may bear that, or one that has let go of its set-points or that they
        do not reach.
        """
        if self.moves(now) and not released and not self._fresh:
            raise InvariantError(f"the set-point was moved at {self._speed:.3f} rad/s")
        self._fresh = False
        self._start(position)

    def _start(self, position: Array) -> None:
        """From here, at rest, on."""
        rest = np.zeros_like(position)
        self._most_excess = max(0.0, self._excess(position)) + ROUNDING
        # An arm that starts beyond a limit may come back, but go no farther.
        self._least = Margins(*(min(0.0, room) - ROUNDING for room in self.limits.room(position)))
        self._told = Motion(position.copy(), rest, rest)

    def commanded(self, target: JointTarget, measured: Array, now: float) -> None:
        """A set-point reaches the motors of an arm that is at ``measured``, at server time ``now``.

        An arm that was without one for too long has come to rest by itself: there it has to go on.
        """
        position = target.position.copy()
        if not np.isfinite(position).all():
            raise InvariantError(f"a set-point is not finite: {position.tolist()}")
        if self._told is None:
            raise InvariantError("a set-point before any start")
        if self._is_alone(now, RESTS_ALONE_S) and math.isfinite(self._told_at):
            # In a time that waits, nobody has moved it.
            self._start(self._told.position if self.lockstep else measured)
        self._told_at, self._lost = now, 0
        width = target.gripper_width
        if width is not None and not 0.0 <= width <= self.limits.spec.gripper_width_max:
            raise InvariantError(f"the hand is told to open {width} m")
        after = self._told.then(position, self.period_s)
        if np.abs(target.velocity - after.velocity).max() > CONSISTENT_RAD_S:
            raise InvariantError(
                f"the velocity fed forward is not that of the set-points: {target.velocity}"
            )
        self._check_step(self._told, after)
        self._check_place(after)
        self._told = after

    def _check_step(self, before: Motion, after: Motion) -> None:
        broken = self.limits.broken_by_step(before, after)
        if broken is not None:
            raise InvariantError(f"a set-point breaks {broken}")
        low, high = self.limits.speed_bounds(after.position)
        if (after.velocity < low - ROUNDING).any() or (after.velocity > high + ROUNDING).any():
            raise InvariantError(f"a joint is too fast: {after.velocity.tolist()}")
        way = (kinematics.forward_point(each.position.tolist()) for each in (before, after))
        speed = math.dist(*way) / self.period_s
        if speed > self.limits.spec.end_effector_speed * (1.0 + ROUNDING):
            raise InvariantError(f"the end effector is told to go {speed:.2f} m/s")

    def _check_place(self, after: Motion) -> None:
        excess = self._excess(after.position)
        if excess > self._most_excess:
            raise InvariantError(f"a joint is {excess:.2g} rad beyond its end")
        if np.abs(after.velocity).max() <= STILL:
            return  # where it is was looked at when it came here
        room = self.limits.room(after.position)
        if any(left < least for left, least in zip(room, self._least, strict=True)):
            raise InvariantError(f"too near: {room}, at least {self._least}")

    def _excess(self, position: Array) -> float:
        """By how much the joint farthest out is beyond its end [rad]; negative inside."""
        spec = self.limits.spec
        beyond = np.maximum(spec.position_low - position, position - spec.position_high)
        return float(beyond.max())


def _rest_within_s(spec: ArmSpec) -> float:
    """By the law of ``SetpointShaper.brake``, from the full speed of the slowest joint to stop [s].

    It falls by ``a_max t`` until ``a_max = k_v v``, and from there on as ``exp(-k_v t)``.
    """
    law = ShaperConfig()
    line_s = float((spec.velocity_limit / spec.acceleration_limit).max()) - 1.0 / law.velocity_gain
    slow = law.limit_share * float(spec.acceleration_limit.max()) / law.velocity_gain
    return BUILD_UP_S + line_s + math.log(slow / AT_REST) / law.velocity_gain


class InvariantError(BaseException):
    """Something that must never be, was.

    Not an ``Exception``: the loop takes those for faults of its own and goes on.
    """
