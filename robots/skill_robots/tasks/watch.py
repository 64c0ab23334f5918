"""Counts, over a batch of scenes, the set-points that the governor would have corrected.

The governor looks at one arm in the tick. This is the same test over arrays, so that an
evaluation of hundreds of scenes can publish the count; it corrects nothing.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skill_robots.action import ActionConfig
from skill_robots.arm import ArmSpec
from skill_robots.governor import ROUNDING, WORKSPACE_MARGIN_M
from skill_robots.panda import kinematics

Array = NDArray[np.float64]
Kind = Literal["not_finite", "joint_velocity", "joint_position", "workspace"]


class SetpointWatch:
    """Tests set-points ``(n, dof)`` against an arm's limits and the workspace.

    Attributes:
        interventions: set-points so far that broke each kind of limit.
    """

    def __init__(
        self, spec: ArmSpec, actions: ActionConfig, period_s: float, setpoint: Array
    ) -> None:
        """Starts watching from ``setpoint`` ``(n, dof)``, at rest [rad]."""
        base = np.array(actions.base_position)
        self._spec = spec
        self._step = spec.velocity_limit * period_s + ROUNDING
        self._low = np.array(actions.workspace_low) - base - WORKSPACE_MARGIN_M
        self._high = np.array(actions.workspace_high) - base + WORKSPACE_MARGIN_M
        self._last = setpoint.copy()
        self._last_excess = self._excess(setpoint)
        self.interventions: dict[Kind, int] = {
            "not_finite": 0,
            "joint_velocity": 0,
            "joint_position": 0,
            "workspace": 0,
        }

    @property
    def total(self) -> int:
        """Interventions of all kinds."""
        return sum(self.interventions.values())

    def check(self, position: Array, velocity: Array) -> None:
        """Looks at the next set-points, both ``(n, dof)`` [rad, rad/s]."""
        spec = self._spec
        finite = np.isfinite(np.concatenate([position, velocity], axis=1)).all(
            axis=1, keepdims=True
        )
        # A scene whose set-point is not a number would fail every other test as well.
        position = np.where(finite, position, self._last)
        too_fast = (np.abs(position - self._last) > self._step) | (
            np.abs(velocity) > spec.velocity_limit + ROUNDING
        )
        too_far = (position < spec.position_low - ROUNDING) | (
            position > spec.position_high + ROUNDING
        )
        excess = self._excess(position)
        # Outside the box every way that leads back is open, and only those.
        leaves = excess > np.maximum(self._last_excess, 0.0)
        self.interventions["not_finite"] += int(np.count_nonzero(~finite))
        self.interventions["joint_velocity"] += int(np.count_nonzero(too_fast.any(axis=1)))
        self.interventions["joint_position"] += int(np.count_nonzero(too_far.any(axis=1)))
        self.interventions["workspace"] += int(np.count_nonzero(leaves))
        self._last = position
        self._last_excess = excess

    def _excess(self, joint_position: Array) -> Array:
        """``(n,)``: how far each end effector is outside the box [m]; negative inside."""
        point = kinematics.forward(joint_position).position
        return np.maximum(self._low - point, point - self._high).max(axis=1)
