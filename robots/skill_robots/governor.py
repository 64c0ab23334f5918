"""Governor: the last word before the motors, for one arm.

It checks each shaped set-point against what the arm may never be told, corrects what is outside,
and counts every correction. Behind a working shaper it does nothing at all; its count is evidence
of that.

What it does not do: it does not bound acceleration or jerk (the shaper does), it does not look
ahead (a set-point may run up to a limit at full speed and is cut there, with no promise that the
arm could have stopped), and it knows nothing of forces, of self-collision or of how far the
measured arm lags behind. Verified stops, which keep a feasible braking trajectory ready at every
tick, belong here too: they would replace the simple brake of :meth:`Governor._hold`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from skill_robots.action import ActionConfig
from skill_robots.arm import ArmError, ArmSpec, ArmState, JointTarget
from skill_robots.panda import kinematics

Vector = NDArray[np.float64]
Point = tuple[float, float, float]

Intervention = Literal[
    "stale", "not_finite", "joint_velocity", "joint_position", "workspace", "hand_width"
]

WORKSPACE_MARGIN_M = 0.02
"""How far a set-point may pass the workspace box before the governor acts [m]."""

ROUNDING = 1e-9
"""Room for rounding when a set-point sits on a limit [rad, rad/s]."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What may be sent, and what had to be corrected for it."""

    target: JointTarget
    interventions: tuple[Intervention, ...] = ()
    """Empty where the target passed unchanged."""


class Governor:
    """Keeps set-points finite, fresh, and inside joint, velocity and workspace limits.

    It measures steps against the set-point that it let through last. Call :meth:`reset` whenever
    the arm was moved by other means (a new episode in simulation, a recovery on a real arm).

    Args:
        spec: the arm's published limits.
        workspace_low: lower corner of the box for the end effector, world frame [m].
        workspace_high: its upper corner [m].
        servo_period_s: time between two checks [s].
        base_position: of the arm in the world frame [m].
        margin_m: how far a set-point may pass the box before the governor acts [m]. Policies aim
            inside the box, but the shaper cannot stop a moving set-point at once: abrupt random
            actions carry it up to 18 mm past.

    Attributes:
        interventions: corrections so far, by kind.
    """

    def __init__(
        self,
        spec: ArmSpec,
        workspace_low: Point,
        workspace_high: Point,
        servo_period_s: float,
        *,
        base_position: Point = ActionConfig.base_position,
        margin_m: float = WORKSPACE_MARGIN_M,
    ) -> None:
        self._period_s = servo_period_s
        self._spec = spec
        self._low, self._high = spec.position_low, spec.position_high
        self._speed = spec.velocity_limit
        self._step = spec.velocity_limit * servo_period_s
        self._box = tuple(
            (low - base - margin_m, high - base + margin_m)
            for low, high, base in zip(workspace_low, workspace_high, base_position, strict=True)
        )
        self._last: JointTarget | None = None
        self._last_excess = 0.0
        self.interventions: dict[Intervention, int] = dict.fromkeys(get_args(Intervention), 0)

    def reset(self, state: ArmState) -> None:
        """Takes the measured joint positions, at rest, as the last good set-point.

        Raises:
            ArmError: they are not finite.
        """
        position = np.array(state.joint_position, dtype=np.float64)
        if not np.isfinite(position).all():
            raise ArmError("the measured joint positions are not finite")
        rest = np.zeros(self._spec.dof)
        self._last = JointTarget(position=position, velocity=rest, acceleration=rest)
        self._last_excess = self._excess(position)

    def check(self, target: JointTarget | None, state: ArmState) -> Verdict:
        """Lets a set-point through, corrected where it must be.

        Args:
            target: the set-point for the coming servo period; None where there is no new one.
            state: measured; used only before the first set-point.

        Returns:
            A target that is always safe to send in the sense of this class, and what was done.
            Without a usable target the arm brakes from the last good one and stays there.

        Raises:
            ArmError: before the first set-point, the measured joint positions are not finite.
        """
        if self._last is None:
            self.reset(state)
        last = self._last
        assert last is not None  # reset() has just seen to it
        found: list[Intervention] = []
        allowed = self._judge(target, last, found)
        for intervention in found:
            self.interventions[intervention] += 1
        self._last = replace(
            allowed, position=allowed.position.copy(), velocity=allowed.velocity.copy()
        )
        return Verdict(target=allowed, interventions=tuple(found))

    def _judge(
        self, target: JointTarget | None, last: JointTarget, found: list[Intervention]
    ) -> JointTarget:
        if target is None:
            found.append("stale")
            return self._hold(last)
        if not _is_finite(target):
            found.append("not_finite")
            return self._hold(last)
        target = self._limit_hand(self._limit_joints(target, last, found), found)
        excess = self._excess(target.position)
        # Outside the box every way that leads back is open, and only those.
        if excess > max(self._last_excess, 0.0):
            found.append("workspace")
            target = self._hold(last)
            excess = self._excess(target.position)
        self._last_excess = excess
        return target

    def _limit_joints(
        self, target: JointTarget, last: JointTarget, found: list[Intervention]
    ) -> JointTarget:
        """Cuts velocities first, then positions; a joint at its end does not go on outwards."""
        position, velocity = target.position, target.velocity
        step = position - last.position
        if _outside(step, -self._step, self._step) or _outside(velocity, -self._speed, self._speed):
            found.append("joint_velocity")
            position = last.position + np.clip(step, -self._step, self._step)
            velocity = np.clip(velocity, -self._speed, self._speed)
        if _outside(position, self._low, self._high):
            found.append("joint_position")
            position, velocity = self._inside(position, velocity)
        if position is target.position:
            return target
        return replace(target, position=position, velocity=velocity)

    def _inside(self, position: Vector, velocity: Vector) -> tuple[Vector, Vector]:
        velocity = np.where(position > self._high, np.minimum(velocity, 0.0), velocity)
        velocity = np.where(position < self._low, np.maximum(velocity, 0.0), velocity)
        return np.clip(position, self._low, self._high), velocity

    def _limit_hand(self, target: JointTarget, found: list[Intervention]) -> JointTarget:
        width = target.hand_width
        if width is None or 0.0 <= width <= self._spec.hand_width_max:
            return target
        found.append("hand_width")
        return replace(target, hand_width=min(max(width, 0.0), self._spec.hand_width_max))

    def _hold(self, last: JointTarget) -> JointTarget:
        """One servo period of braking at the acceleration limit, from the last good set-point."""
        most = self._spec.acceleration_limit * self._period_s
        velocity = last.velocity - np.clip(last.velocity, -most, most)
        acceleration = (velocity - last.velocity) / self._period_s
        position, velocity = self._inside(last.position + velocity * self._period_s, velocity)
        return replace(last, position=position, velocity=velocity, acceleration=acceleration)

    def _excess(self, joint_position: Vector) -> float:
        """How far the end effector is outside the box [m]; negative inside."""
        point = kinematics.forward_point(joint_position.tolist())
        return max(max(low - x, x - high) for x, (low, high) in zip(point, self._box, strict=True))


def _is_finite(target: JointTarget) -> bool:
    # A sum is finite only if every part is; inf - inf is NaN.
    numbers = target.position.tolist() + target.velocity.tolist() + target.acceleration.tolist()
    return isfinite(sum(numbers)) and (target.hand_width is None or isfinite(target.hand_width))


def _outside(values: Vector, low: Vector, high: Vector) -> bool:
    # Plain floats: for seven numbers a loop is several times faster than numpy's reductions.
    bounds = zip(values.tolist(), low.tolist(), high.tolist(), strict=True)
    return any(not a - ROUNDING <= x <= b + ROUNDING for x, a, b in bounds)
