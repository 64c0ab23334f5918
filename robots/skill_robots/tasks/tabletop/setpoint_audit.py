"""SetpointAudit: counts, over a batch of scenes, the set-points that the governor would refuse.

A few evenly spread scenes have a complete governor, which checks every set-point up to the first
that it refuses. In the other scenes only velocities, joint limits and the workspace are checked,
which is fast with arrays. The audit never changes a set-point.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skill_proto.arrays import Array, Flags
from skill_robots.arm import ArmSpec, ArmState, JointTarget
from skill_robots.kinematics import Point
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.governor import INTERVENTIONS, WORKSPACE_MARGIN_M, Governor, Intervention

GovernorFactory = Callable[[ArmSpec, Point, Point, float], Governor]
"""Arguments: the arm's limits, both corners of its workspace [m], and the servo period [s]."""

GOVERNED_SCENES = 8
"""Number of scenes of a batch with a governor, which costs more than the rest of a scene
(``benchmarks/safety/governor.py`` measures the cost, with a governor in every scene)."""

_ROUNDING = 1e-9
"""Tolerance for rounding of a set-point on a limit [rad, rad/s]."""


class SetpointAudit:
    """Checks set-points ``(n, dof)`` against an arm's limits and the workspace.

    Args:
        spec: the arm's published limits.
        actions: action configuration, which has the workspace.
        period_s: servo period [s].
        setpoint: the first set-points, at rest, ``(n, dof)`` [rad].
        governed: number of scenes with a governor.
        governor: makes the governor of one scene.

    Attributes:
        interventions: number of set-points beyond each kind of limit. A governed scene counts at
            most one.
    """

    def __init__(
        self,
        spec: ArmSpec,
        actions: ActionConfig,
        period_s: float,
        setpoint: Array,
        *,
        governed: int = GOVERNED_SCENES,
        governor: GovernorFactory = Governor,
    ) -> None:
        base = np.array(actions.base_position)
        self._spec = spec
        self._step = spec.velocity_limit * period_s + _ROUNDING
        self._low = np.array(actions.workspace_low) - base - WORKSPACE_MARGIN_M
        self._high = np.array(actions.workspace_high) - base + WORKSPACE_MARGIN_M
        self._last = setpoint.copy()
        self._last_excess = self._excess(setpoint)
        self.interventions: dict[Intervention, int] = dict.fromkeys(INTERVENTIONS, 0)
        self._rest = np.zeros(spec.dof)
        chosen = np.linspace(0, len(setpoint) - 1, min(governed, len(setpoint))).round()
        self._governors: dict[int, Governor] = {}
        self._refused: set[int] = set()
        for scene in dict.fromkeys(int(index) for index in chosen):
            made = governor(spec, actions.workspace_low, actions.workspace_high, period_s)
            made.reset(self._state(setpoint[scene]))
            self._governors[scene] = made

    @property
    def total(self) -> int:
        """Number of interventions of all kinds."""
        return sum(self.interventions.values())

    def check(self, position: Array, velocity: Array) -> None:
        """Checks the next set-points, both ``(n, dof)`` [rad, rad/s]."""
        finite: Flags = np.asarray(
            np.isfinite(np.concatenate([position, velocity], axis=1)).all(axis=1), np.bool_
        )
        governed = np.zeros(len(position), np.bool_)
        governed[list(self._refused)] = True
        for scene in list(self._governors):
            governed[scene] = True
            self._check_governed(scene, position[scene], velocity[scene])
        # A set-point with NaN would fail every other check as well.
        self._check_others(
            np.where(finite[:, None], position, self._last), velocity, ~finite, ~governed
        )

    def _check_governed(self, scene: int, position: Array, velocity: Array) -> None:
        target = JointTarget(position=position, velocity=velocity, acceleration=self._rest)
        found = self._governors[scene].check(target, self._state(position)).intervention
        if found is not None:
            self.interventions[found] += 1
            # The governor would continue from its stop, but the scene continues from its set-point.
            del self._governors[scene]
            self._refused.add(scene)

    def _check_others(
        self, position: Array, velocity: Array, not_finite: Flags, counted: Flags
    ) -> None:
        spec = self._spec
        too_fast = (np.abs(position - self._last) > self._step) | (
            np.abs(velocity) > spec.velocity_limit + _ROUNDING
        )
        too_far = (position < spec.position_low - _ROUNDING) | (
            position > spec.position_high + _ROUNDING
        )
        excess = self._excess(position)
        # Outside the box only motion back towards the box is allowed.
        leaves = excess > np.maximum(self._last_excess, 0.0)
        found: dict[Intervention, Flags] = {
            "not_finite": not_finite,
            "joint_velocity": np.asarray(too_fast.any(axis=1), np.bool_),
            "joint_position": np.asarray(too_far.any(axis=1), np.bool_),
            "workspace": leaves,
        }
        for kind, scenes in found.items():
            self.interventions[kind] += int(np.count_nonzero(scenes & counted))
        self._last, self._last_excess = position, excess

    def _state(self, position: Array) -> ArmState:
        return ArmState(
            time_s=0.0, joint_position=position, joint_velocity=self._rest, gripper_width=0.0
        )

    def _excess(self, joint_position: Array) -> Array:
        """Returns each end effector's distance outside the box ``(n,)`` [m]; negative inside."""
        point = self._spec.kinematics.forward(joint_position).position
        return np.maximum(self._low - point, point - self._high).max(axis=1)


AuditFactory = Callable[[ArmSpec, ActionConfig, float, Array], SetpointAudit]
"""Arguments: those of :class:`SetpointAudit` that depend on the batch."""
