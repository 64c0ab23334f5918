"""A command governor (safety shield) with fail-safe trajectories, for one arm.

In each servo period the governor checks the next set-point of the shaper. It adopts the set-point
only if a braking trajectory, limited in acceleration and jerk, leads from it to rest without
leaving any limit. Otherwise it follows the last verified braking trajectory, the fail-safe
trajectory, to its end. By induction a verified trajectory to rest exists at every instant, for any
input. Limits that conflict cannot trap the arm: near the end of a joint's range, for example, the
FR3's velocity bound falls faster than a jerk limit lets the arm brake. The driver of a real arm
executes the same trajectory by itself if set-points end (``ArmSpec.braking_limit``).

After one refusal the whole fail-safe trajectory is executed. Resuming half-way would produce a jerk
in every period for as long as the input keeps violating a limit. The shaper must continue from the
set-point that was sent instead (:attr:`Verdict.braking`).

A correct shaper never causes an intervention; the counters are the evidence. The governor does not
know forces, objects on the table, or the lag of the measured arm.

Command governors: Garone, Di Cairano and Kolmanovsky, "Reference and command governors for systems
with constraints: A survey on theory and applications", Automatica 75, 2017. Online verification of
fail-safe trajectories of manipulators: Thumm and Althoff, "Provably safe deep reinforcement
learning for robotic manipulation in human environments", ICRA 2022.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import sub, truediv
from typing import Literal, get_args

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmError, ArmSpec, ArmState, JointTarget
from skill_robots.kinematics import Point
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.braking import BrakingPlanner
from skill_robots.motion.limits import (
    ROUNDING,
    Motion,
    MotionLimit,
    MotionLimits,
    Surroundings,
    VerifiedStop,
    exceeds,
)
from skill_robots.motion.margins import WITHIN_LIMITS, Margins

Intervention = MotionLimit | Literal["stale", "not_finite", "inconsistent", "gripper_width"]
INTERVENTIONS: tuple[Intervention, ...] = (
    "stale",
    "not_finite",
    "inconsistent",
    *get_args(MotionLimit),
    "gripper_width",
)
"""``stale``: there is no new set-point. ``inconsistent``: the velocity fed forward differs from the
difference of the positions."""

WORKSPACE_MARGIN_M = 0.02
"""A set-point may pass the workspace's walls by this before the governor intervenes [m]."""

CONSISTENCY_TOLERANCE = 1e-3
"""Maximum difference between the velocity fed forward and that of the positions, as a share of the
velocity limit."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The set-point that may be sent, and the reason for a correction."""

    target: JointTarget
    intervention: Intervention | None = None
    """Reason, in the period of the refusal only; None while the fail-safe trajectory continues."""
    braking: bool = False
    """Whether the target is of the fail-safe trajectory instead of the requested one."""


@dataclass(frozen=True, kw_only=True)
class Headroom:
    """Distances of the set-point from its limits."""

    joint_position: float
    """Least distance of a joint to an end of its range [rad]."""
    joint_velocity: float
    """Least distance of a joint's velocity to its bound, as a share of the joint's limit."""
    joint_acceleration: float
    """Least unused share of a joint's limit."""
    joint_jerk: float
    """Least unused share of a joint's limit."""
    end_effector_speed: float
    """Unused share of its limit."""
    workspace: float
    """From the end effector to the walls of its box [m]."""
    table: float
    """From the lowest point of the arm to the minimum clearance above the table [m]."""
    self_collision: float
    """From the nearest two links to the minimum clearance between links [m]."""


class Governor:
    """Keeps set-points, and the fail-safe trajectories from them, inside every limit.

    Call :meth:`reset` if the arm was moved by other means (a new episode in simulation, a recovery
    on a real arm): the set-point is then at rest at the measured joints. If that is outside of the
    workspace, too near to the table or beyond the end of a joint's range, the governor accepts
    every trajectory that leads no farther out.

    Args:
        spec: the arm.
        workspace_low: lower corner of the box for the end effector, world frame [m].
        workspace_high: its upper corner [m].
        servo_period_s: time between two checks [s].
        base_position: of the arm in the world frame [m]; it stands on the table.
        margin_m: a set-point may pass the box by this before the governor intervenes [m]. Policies
            aim inside the box, but the shaper cannot stop a moving set-point at once: shipped
            policies carry it up to 14 mm past (``benchmarks/safety/governor.py``), abrupt random
            actions farther now and then.

    Attributes:
        limits: the checks, with the arm's spec and its surroundings.
        interventions: number of refused set-points, by reason.
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
        self._longest_step: list[float] = (
            spec.velocity_limit * servo_period_s * (1.0 + ROUNDING)
        ).tolist()
        self._consistency: list[float] = (CONSISTENCY_TOLERANCE * spec.velocity_limit).tolist()
        self._acceleration_limit: list[float] = spec.acceleration_limit.tolist()
        self._jerk_step: list[float] = (spec.jerk_limit * servo_period_s).tolist()
        self._range: list[tuple[float, float]] = list(
            zip(spec.position_low.tolist(), spec.position_high.tolist(), strict=True)
        )
        self._planner = BrakingPlanner.of(spec, servo_period_s)
        self._now: Motion | None = None
        self._min_margins = WITHIN_LIMITS
        self._end_braking()
        self._previous: tuple[Motion, Margins, VerifiedStop | None, int, bool] | None = None
        self._gripper: tuple[float | None, bool] = (None, False)
        self.interventions: dict[Intervention, int] = dict.fromkeys(INTERVENTIONS, 0)

    def reset(self, state: ArmState) -> None:
        """Takes the measured joint positions, at rest, as the last adopted set-point.

        Raises:
            ArmError: they are not finite.
        """
        position = np.array(state.joint_position, dtype=np.float64)
        if not np.isfinite(position).all():
            raise ArmError("the measured joint positions are not finite")
        rest = np.zeros(self._spec.dof)
        self._now = Motion(position, rest, rest)
        self._min_margins = _min_margins_from(self.limits.margins(position))
        self._end_braking()
        self._previous = None
        self._gripper = (None, False)

    def check(self, target: JointTarget | None, state: ArmState) -> Verdict:
        """Adopts a set-point, or brakes.

        Args:
            target: the set-point for the coming servo period; None if there is no new one.
            state: measured; used only before the first set-point.

        Returns:
            A target that keeps every limit, and the reason if it is not the requested one.

        Raises:
            ArmError: before the first set-point, the measured joint positions are not finite.
        """
        if self._now is None:
            self.reset(state)
        now = self._now
        assert now is not None  # set by reset()
        self._previous = (
            now,
            self._min_margins,
            self._fail_safe,
            self._followed,
            self._braking,
        )
        finite = target if target is not None and _is_finite(target) else None
        if finite is not None:
            self._gripper = (finite.gripper_width, finite.grasp)
        if self._braking:
            return self._brake(now)
        if finite is None:
            problem = "stale" if target is None else "not_finite"
        else:
            problem = self._adopt(finite, now)
        if problem is not None:
            self.interventions[problem] += 1
            self._braking = True
            return self._brake(now, problem)
        assert finite is not None  # otherwise there is a problem
        return self._with_gripper(finite)

    def rollback(self, *, at_rest: bool) -> None:
        """Reverts the last check, because its set-point did not reach the arm.

        A second call without a check in between reverts nothing.

        Args:
            at_rest: the arm has stopped on its own at the set-point before.
        """
        if self._previous is not None:
            (
                self._now,
                self._min_margins,
                self._fail_safe,
                self._followed,
                self._braking,
            ) = self._previous
            self._previous = None
        if at_rest and self._now is not None:
            rest = np.zeros(self._spec.dof)
            self._now = Motion(self._now.position, rest, rest)
            self._end_braking()

    @property
    def last(self) -> JointTarget:
        """The last set-point; after :meth:`reset`, the measured joints at rest."""
        now = self._now
        if now is None:
            raise RuntimeError("the governor has no set-point yet; call reset() or check() first")
        width, grasp = self._gripper
        return JointTarget(
            position=now.position.copy(),
            velocity=now.velocity.copy(),
            acceleration=now.acceleration.copy(),
            gripper_width=width,
            grasp=grasp,
        )

    def headroom(self) -> Headroom | None:
        """Measures the headroom of the last set-point; None before the first."""
        now, spec, period_s = self._now, self._spec, self._period_s
        if now is None:
            return None
        before = now if self._previous is None else self._previous[0]
        position, acceleration = now.position.tolist(), now.acceleration.tolist()
        step = list(map(sub, position, before.position.tolist()))
        middle = [q - each / 2.0 for q, each in zip(position, step, strict=True)]
        _, velocity = spec.kinematics.forward_point_with_velocity(
            middle, [each / period_s for each in step]
        )
        change = map(sub, acceleration, before.acceleration.tolist())
        low, high = self.limits.speed_bounds(now.position)
        speeds = np.minimum(now.velocity - low, high - now.velocity) / spec.velocity_limit
        margins = self.limits.margins(now.position)
        return Headroom(
            joint_position=min(map(_to_nearer_end, position, self._range)),
            joint_velocity=min(speeds.tolist()),
            joint_acceleration=1.0 - _largest_share(acceleration, self._acceleration_limit),
            joint_jerk=1.0 - _largest_share(change, self._jerk_step),
            end_effector_speed=1.0 - math.hypot(*velocity) / spec.end_effector_speed,
            workspace=margins.workspace,
            table=margins.table,
            self_collision=margins.self_collision,
        )

    def _adopt(self, target: JointTarget, now: Motion) -> Intervention | None:
        """Makes ``target`` the present set-point, or returns the reason for its refusal."""
        steps = map(sub, target.position.tolist(), now.position.tolist())
        if exceeds(steps, self._longest_step):
            return "joint_velocity"  # tested before the division, which could overflow
        after = now.then(target.position.copy(), self._period_s)
        if exceeds(map(sub, target.velocity.tolist(), after.velocity.tolist()), self._consistency):
            return "inconsistent"
        problem = self.limits.broken_by_step(now, after)
        if problem is not None:
            return problem
        trajectory = self._planner.plan(*after)
        near = self._fail_safe if self._min_margins == WITHIN_LIMITS else None
        found = self.limits.verify_stop(trajectory, now.position, self._min_margins, near)
        if not isinstance(found, VerifiedStop):
            return found
        if found.margins is not None:
            self._min_margins = _min_margins_from(found.margins)
        self._now, self._fail_safe, self._followed = after, found, 0
        return None

    def _brake(self, now: Motion, problem: Intervention | None = None) -> Verdict:
        """Follows the fail-safe trajectory for one period; stays at its end afterwards."""
        if self._fail_safe is not None and self._followed < len(self._fail_safe.trajectory):
            self._followed += 1
            now = Motion(*self._fail_safe.trajectory.after(self._followed))
            self._min_margins = _min_margins_from(self.limits.margins(now.position))
        else:
            rest = np.zeros(self._spec.dof)
            now = Motion(now.position, rest, rest)
            self._end_braking()
        self._now = now
        return replace(self._with_gripper(self.last), intervention=problem, braking=True)

    def _end_braking(self) -> None:
        self._fail_safe: VerifiedStop | None = None
        self._followed, self._braking = 0, False

    def _with_gripper(self, target: JointTarget) -> Verdict:
        """Clips the gripper width of a target."""
        width = target.gripper_width
        if width is None or 0.0 <= width <= self._spec.gripper_width_max:
            return Verdict(target=target)
        self.interventions["gripper_width"] += 1
        inside = min(max(width, 0.0), self._spec.gripper_width_max)
        return Verdict(target=replace(target, gripper_width=inside), intervention="gripper_width")


def _min_margins_from(margins: Margins) -> Margins:
    """Returns the minimum margins from here on: beyond a limit, no farther out than now."""
    return Margins(*(min(0.0, margin) for margin in margins))


def _to_nearer_end(position: float, ends: tuple[float, float]) -> float:
    """Returns the distance of a joint to the nearer end of its range; negative beyond it."""
    low, high = ends
    return min(position - low, high - position)


def _largest_share(values: Iterable[float], limits: Iterable[float]) -> float:
    """Returns the largest magnitude of a value as a share of its limit."""
    return max(map(truediv, map(abs, values), limits))


def _point(vector: Array) -> Point:
    x, y, z = vector.tolist()
    return x, y, z


def _is_finite(target: JointTarget) -> bool:
    # A sum is finite only if every part is; inf - inf is NaN.
    numbers = target.position.tolist() + target.velocity.tolist() + target.acceleration.tolist()
    return math.isfinite(sum(numbers)) and (
        target.gripper_width is None or math.isfinite(target.gripper_width)
    )
