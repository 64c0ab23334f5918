"""Policy action -> joint goal -> shaped set-point, for one arm or a batch.

The decoder turns an end-effector displacement in [-1, 1]^3 into a joint goal at the policy's rate.
The shaper follows that goal at the servo rate inside the arm's velocity, acceleration and jerk
limits. Both run in training exactly as in serving: they are part of the plant that a policy is
trained on (docs/plant.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.franka import kinematics


@dataclass(frozen=True, kw_only=True)
class ActionConfig:
    """How far one action reaches, and where."""

    displacement: float = 0.04
    """Set-point displacement along an axis for an action of 1 [m per control step]."""
    max_setpoint_error: float = 0.06
    """Largest distance of the commanded from the measured end effector [m]; with the plant's
    stiffness this caps the push at 72 / 46 N in x / y (docs/plant.md)."""
    workspace_low: tuple[float, float, float] = (-0.30, -0.32, 0.015)
    """World frame [m]; the fingertips reach 9 mm below the end effector."""
    workspace_high: tuple[float, float, float] = (0.15, 0.32, 0.25)
    base_position: tuple[float, float, float] = (-0.6, 0.0, 0.0)
    """Of the arm in the world frame [m]."""
    origin: Literal["setpoint", "measured"] = "setpoint"
    """What an action displaces: the set-point, which so integrates the actions, or the measured end
    effector, as the skill-aware benchmark has it."""


DOWN = np.diag([1.0, -1.0, -1.0])
"""End-effector rotation with the hand pointing straight down."""


@dataclass(frozen=True, kw_only=True)
class EndEffectors:
    """Where the measured end effectors and those of the set-points are, for n arms.

    Computed once a control step and shared by the observation and the decoder.
    """

    measured: Array
    """``(n, 3)`` world frame [m]."""
    measured_velocity: Array
    """``(n, 3)`` [m/s]."""
    setpoint: Array
    """``(n, 3)`` world frame [m]."""
    setpoint_velocity: Array
    """``(n, 3)`` [m/s]."""
    setpoint_rotation: Array
    """``(n, 3, 3)``."""
    setpoint_jacobian: Array
    """``(n, 6, 7)``."""


def end_effector_state(
    joint_position: Array,
    joint_velocity: Array,
    setpoint: Array,
    setpoint_velocity: Array,
    base_position: Array,
) -> EndEffectors:
    """Hands for measured joints and set-points, each ``(n, 7)``; base ``(3,)`` in the world [m]."""
    n = len(joint_position)
    ends, jacobian = kinematics.forward_with_jacobian(np.concatenate([joint_position, setpoint]))
    rates = np.concatenate([joint_velocity, setpoint_velocity])
    velocity = (jacobian[:, :3] @ rates[:, :, None])[:, :, 0]
    position = ends.position + base_position
    return EndEffectors(
        measured=position[:n],
        measured_velocity=velocity[:n],
        setpoint=position[n:],
        setpoint_velocity=velocity[n:],
        setpoint_rotation=ends.rotation[n:],
        setpoint_jacobian=jacobian[n:],
    )


class ActionDecoder:
    """End-effector displacements to joint goals, one damped least-squares step each."""

    def __init__(self, config: ActionConfig, spec: ArmSpec) -> None:
        self.config = config
        self._low = np.array(config.workspace_low)
        self._high = np.array(config.workspace_high)
        self._base = np.array(config.base_position)
        margin = 0.02
        self._q_low = spec.position_low + margin
        self._q_high = spec.position_high - margin

    def displace(self, action: Array, setpoint: Array, hands: EndEffectors) -> Array:
        """Joint goal for a displacement action.

        The goal is the end effector of the current set-point (or the measured one, see
        ``ActionConfig.origin``) plus ``displacement * action``, kept on the leash round the
        measured end effector and inside the workspace, the hand pointing down.

        Args:
            action: ``(n, 3)`` in [-1, 1], world frame.
            setpoint: ``(n, 7)`` shaped joint set-point [rad].
            hands: where the measured hands and those of the set-point are.

        Returns:
            ``(n, 7)`` joint goal [rad].
        """
        step = self.config.displacement * np.clip(action, -1.0, 1.0)
        origin = hands.setpoint if self.config.origin == "setpoint" else hands.measured
        return self._solve(origin + step, setpoint, hands)

    def reach(self, goal: Array, setpoint: Array, hands: EndEffectors) -> Array:
        """Joint goal of one control step towards end-effector positions ``(n, 3)``, world [m]."""
        step = goal - hands.setpoint
        length = np.linalg.norm(step, axis=1, keepdims=True)
        step *= np.minimum(1.0, self.config.displacement / np.maximum(length, 1e-9))
        return self._solve(hands.setpoint + step, setpoint, hands)

    def _solve(self, goal: Array, setpoint: Array, hands: EndEffectors) -> Array:
        goal = self._limit_setpoint_error(goal, hands.measured)
        rotation = rotation_to_down(hands.setpoint_rotation)
        twist = np.concatenate([goal - hands.setpoint, rotation], axis=1)
        dq = kinematics.damped_least_squares(
            hands.setpoint_jacobian, twist, setpoint, kinematics.NEUTRAL
        )
        return np.clip(setpoint + dq, self._q_low, self._q_high)

    def _limit_setpoint_error(self, goal: Array, measured: Array) -> Array:
        gap = goal - measured
        length = np.linalg.norm(gap, axis=1, keepdims=True)
        gap *= np.minimum(1.0, self.config.max_setpoint_error / np.maximum(length, 1e-9))
        return np.clip(measured + gap, self._low, self._high)


def rotation_to_down(rotation: Array) -> Array:
    """Small-angle rotation vector ``(n, 3)`` from ``rotation`` to :data:`DOWN`, world frame."""
    error = DOWN @ np.swapaxes(rotation, 1, 2)
    return 0.5 * np.stack(
        [
            error[:, 2, 1] - error[:, 1, 2],
            error[:, 0, 2] - error[:, 2, 0],
            error[:, 1, 0] - error[:, 0, 1],
        ],
        axis=1,
    )


def inverse_kinematics(position: Array, iterations: int = 20) -> Array:
    """Joint positions ``(n, 7)`` that put the end effector at ``position``, hand down.

    Args:
        position: ``(n, 3)`` in the arm's base frame [m], inside the workspace.
        iterations: damped least-squares steps from the neutral pose. 20 reach every start of an
            episode to rounding; in the workspace's far corners up to 1 cm may remain.
    """
    joints = np.tile(kinematics.NEUTRAL, (len(position), 1))
    for _ in range(iterations):
        here, jacobian = kinematics.forward_with_jacobian(joints)
        twist = np.concatenate([position - here.position, rotation_to_down(here.rotation)], axis=1)
        joints = joints + kinematics.damped_least_squares(
            jacobian, twist, joints, kinematics.NEUTRAL, rest_gain=0.0
        )
    return joints
