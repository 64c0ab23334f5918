"""Governor: the last word before the motors, for one arm.

At each servo period it is given the set-point that the shaper wants next. It adopts it only if the
arm could still be brought to rest from there, acceleration and jerk limited, without leaving any
limit on the way. Otherwise it follows the last such stop, which it has kept ready, to its end. By
induction there is a verified stop at every instant, whatever it is given: limits that work against
each other (the FR3's velocity bound falls near a joint's end faster than a jerk limit lets an arm
brake) cannot trap it.

A set-point that is refused once costs a whole stop: half a stop, then on again, would be a jerk in
each period as long as somebody pushes against a limit. Whoever shapes the set-points must go on
from where the stop has led (:attr:`Verdict.braking`).

Behind a working shaper it does nothing at all; its count is evidence of that. It knows nothing of
forces, of what stands on the table, or of how far the measured arm lags behind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmError, ArmSpec, ArmState, JointTarget
from skill_robots.franka import kinematics
from skill_robots.franka.kinematics import Point
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.braking import BrakingPlanner
from skill_robots.motion.limits import (
    ROUNDING,
    UNRESTRICTED,
    Margins,
    Motion,
    MotionLimit,
    MotionLimits,
    Surroundings,
    VerifiedStop,
)

Intervention = MotionLimit | Literal["stale", "not_finite", "inconsistent", "gripper_width"]
INTERVENTIONS: tuple[Intervention, ...] = (
    "stale",
    "not_finite",
    "inconsistent",
    *get_args(MotionLimit),
    "gripper_width",
)
"""``inconsistent``: the velocity fed forward is not that of the positions."""

WORKSPACE_MARGIN_M = 0.02
"""How far a set-point may pass the workspace box before the governor acts [m]."""

CONSISTENT = 1e-3
"""Share of its limit by which a velocity fed forward may differ from that of the positions."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What may be sent, and what had to be corrected for it."""

    target: JointTarget
    intervention: Intervention | None = None
    """What was wrong, in the period in which it was found; a stop that goes on has none."""
    braking: bool = False
    """Whether the target is of a stop rather than the one that was asked for."""


@dataclass(frozen=True, kw_only=True)
class Headroom:
    """How far the set-point is from its limits."""

    joint_position: float
    """Of the joint nearest to an end of its range [rad]."""
    joint_velocity: float
    """Of the joint nearest to its bound, as a share of its limit."""
    joint_acceleration: float
    """Of the joint nearest to its limit, as a share of that."""
    joint_jerk: float
    """Of the joint nearest to its limit, as a share of that."""
    end_effector_speed: float
    """As a share of its limit."""
    workspace: float
    """From the end effector to the walls of its box [m]."""
    table: float
    """From the lowest point of the arm to the clearance it keeps of the table [m]."""
    self_collision: float
    """From the nearest two links to the clearance they keep of each other [m]."""


class Governor:
    """Keeps set-points, and the stops from them, inside every limit.

    Call :meth:`reset` whenever the arm was moved by other means (a new episode in simulation, a
    recovery on a real arm): it is then at rest where it was measured. If that is outside of the
    workspace, too near to the table or beyond a joint's end, every way that leads no farther out
    is open.

    Args:
        spec: the arm's published limits.
        workspace_low: lower corner of the box for the end effector, world frame [m].
        workspace_high: its upper corner [m].
        servo_period_s: time between two checks [s].
        base_position: of the arm in the world frame [m]; it stands on the table.
        margin_m: how far a set-point may pass the box before the governor acts [m]. Policies aim
            inside the box, but the shaper cannot stop a moving set-point at once: shipped
            policies carry it up to 14 mm past (``benchmarks/safety/governor.py``), abrupt random
            actions farther now and then.

    Attributes:
        interventions: set-points refused so far, by reason.
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
        self._spec = spec
        self._period_s = servo_period_s
        in_base = np.array(base_position)
        low, high = np.array(workspace_low) - in_base, np.array(workspace_high) - in_base
        around = Surroundings(low=_point(low - margin_m), high=_point(high + margin_m))
        self.limits = MotionLimits(spec, around, servo_period_s)
        self._longest_step = spec.velocity_limit * servo_period_s * (1.0 + ROUNDING)
        self._planner = BrakingPlanner(spec.acceleration_limit, spec.jerk_limit, servo_period_s)
        self._now: Motion | None = None
        self._least = UNRESTRICTED
        self._end_stop()
        self._kept: tuple[Motion, Margins, VerifiedStop | None, int, bool] | None = None
        self._hand: tuple[float | None, bool] = (None, False)
        self.interventions: dict[Intervention, int] = dict.fromkeys(INTERVENTIONS, 0)

    def reset(self, state: ArmState) -> None:
        """Takes the measured joint positions, at rest, as the last good set-point.

        Raises:
            ArmError: they are not finite.
        """
        position = np.array(state.joint_position, dtype=np.float64)
        if not np.isfinite(position).all():
            raise ArmError("the measured joint positions are not finite")
        rest = np.zeros(self._spec.dof)
        self._now = Motion(position, rest, rest)
        self._least = _no_less_than(self.limits.room(position))
        self._end_stop()
        self._kept = None
        self._hand = (None, False)

    def check(self, target: JointTarget | None, state: ArmState) -> Verdict:
        """Lets a set-point through, or brakes.

        Args:
            target: the set-point for the coming servo period; None where there is no new one.
            state: measured; used only before the first set-point.

        Returns:
            A target that is always safe to send in the sense of this class, and what was done.

        Raises:
            ArmError: before the first set-point, the measured joint positions are not finite.
        """
        if self._now is None:
            self.reset(state)
        now = self._now
        assert now is not None  # reset() has just seen to it
        self._kept = (now, self._least, self._ready, self._followed, self._braking)
        if target is not None and _is_finite(target):
            self._hand = (target.gripper_width, target.grasp)
        if self._braking:
            return self._brake(now)
        problem = self._adopt(target, now)
        if problem is not None:
            self.interventions[problem] += 1
            self._braking = True
            return self._brake(now, problem)
        assert target is not None  # else 'stale'
        return self._with_hand(target)

    def rollback(self, *, at_rest: bool) -> None:
        """Forgets the last set-point, if there is one since: it did not reach the arm.

        Args:
            at_rest: the arm has come to rest by itself, where the one before has led it.
        """
        if self._kept is not None:
            self._now, self._least, self._ready, self._followed, self._braking = self._kept
            self._kept = None
        if at_rest and self._now is not None:
            rest = np.zeros(self._spec.dof)
            self._now = Motion(self._now.position, rest, rest)
            self._end_stop()

    @property
    def last(self) -> JointTarget:
        """The last set-point; before the first, that of :meth:`reset`."""
        now = self._now
        if now is None:
            raise RuntimeError("there is no set-point before the first")
        width, grasp = self._hand
        return JointTarget(
            position=now.position.copy(),
            velocity=now.velocity.copy(),
            acceleration=now.acceleration.copy(),
            gripper_width=width,
            grasp=grasp,
        )

    def headroom(self) -> Headroom | None:
        """Of the last set-point; None before the first."""
        now, spec = self._now, self._spec
        if now is None:
            return None
        before = now if self._kept is None else self._kept[0]
        jerk = np.abs(now.acceleration - before.acceleration) / self._period_s
        points = [kinematics.forward_point(each.position.tolist()) for each in (before, now)]
        speed = math.dist(*points) / self._period_s
        low, high = self.limits.speed_bounds(now.position)
        ends = np.minimum(now.position - spec.position_low, spec.position_high - now.position)
        speeds = np.minimum(now.velocity - low, high - now.velocity) / spec.velocity_limit
        room = self.limits.room(now.position)
        return Headroom(
            joint_position=float(ends.min()),
            joint_velocity=float(speeds.min()),
            joint_acceleration=1.0
            - float((np.abs(now.acceleration) / spec.acceleration_limit).max()),
            joint_jerk=1.0 - float((jerk / spec.jerk_limit).max()),
            end_effector_speed=1.0 - speed / spec.end_effector_speed,
            workspace=room.workspace,
            table=room.table,
            self_collision=room.self_collision,
        )

    def _adopt(self, target: JointTarget | None, now: Motion) -> Intervention | None:
        """Makes ``target`` the present set-point, or says why not."""
        if target is None:
            return "stale"
        if not _is_finite(target):
            return "not_finite"
        step = np.abs(target.position - now.position)
        if (step > self._longest_step).any():
            return "joint_velocity"  # before it is divided by: it may be as long as floats go
        after = now.then(np.array(target.position), self._period_s)
        if (
            np.abs(target.velocity - after.velocity) > CONSISTENT * self._spec.velocity_limit
        ).any():
            return "inconsistent"
        problem = self.limits.broken_by_step(now, after)
        if problem is not None:
            return problem
        stop = self._planner.plan(*after)
        near = self._ready if self._least == UNRESTRICTED else None
        found = self.limits.verify_stop(stop, now.position, self._least, near)
        if not isinstance(found, VerifiedStop):
            return found
        if found.room is not None:
            self._least = _no_less_than(found.room)
        self._now, self._ready, self._followed = after, found, 0
        return None

    def _brake(self, now: Motion, problem: Intervention | None = None) -> Verdict:
        """One period of the stop that is ready; at its end the arm rests where it is."""
        if self._ready is not None and self._followed < len(self._ready.way):
            self._followed += 1
            now = Motion(*self._ready.way.after(self._followed))
            self._least = _no_less_than(self.limits.room(now.position))
        else:
            rest = np.zeros(self._spec.dof)
            now = Motion(now.position, rest, rest)
            self._end_stop()
        self._now = now
        return replace(self._with_hand(self.last), intervention=problem, braking=True)

    def _end_stop(self) -> None:
        self._ready: VerifiedStop | None = None
        self._followed, self._braking = 0, False

    def _with_hand(self, target: JointTarget) -> Verdict:
        width = target.gripper_width
        if width is None or 0.0 <= width <= self._spec.gripper_width_max:
            return Verdict(target=target)
        self.interventions["gripper_width"] += 1
        inside = min(max(width, 0.0), self._spec.gripper_width_max)
        return Verdict(target=replace(target, gripper_width=inside), intervention="gripper_width")


def _no_less_than(room: Margins) -> Margins:
    """What must be left where there is ``room``: beyond a limit, no way may lead farther out."""
    return Margins(*(min(0.0, left) for left in room))


def _point(vector: Array) -> Point:
    x, y, z = vector.tolist()
    return x, y, z


def _is_finite(target: JointTarget) -> bool:
    # A sum is finite only if every part is; inf - inf is NaN.
    numbers = target.position.tolist() + target.velocity.tolist() + target.acceleration.tolist()
    return math.isfinite(sum(numbers)) and (
        target.gripper_width is None or math.isfinite(target.gripper_width)
    )
