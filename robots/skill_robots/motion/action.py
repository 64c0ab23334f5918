"""Policy action -> joint goal, for one arm or a batch.

The decoder turns an end-effector displacement in [-1, 1]^3 into a joint goal at the policy's rate.
The shaper (``setpoint_shaper``) follows that goal at the servo rate. Both run in training exactly
as in serving: they are part of the plant that a policy is trained on (docs/plant.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.motion.inverse_kinematics import damped_least_squares, rotation_to_down


@dataclass(frozen=True, kw_only=True)
class ActionConfig:
    """Scale of an action, and the bounds of its goal."""

    displacement: float = 0.04
    """Displacement along an axis for an action of 1 [m per control step]."""
    max_setpoint_error: float = 0.06
    """Maximum distance of the commanded from the measured end effector [m]; with the plant's
    stiffness this caps the push at 72 / 46 N in x / y (docs/plant.md)."""
    workspace_low: tuple[float, float, float] = (-0.30, -0.32, 0.015)
    """World frame [m]; the fingertips reach 9 mm below the end effector."""
    workspace_high: tuple[float, float, float] = (0.15, 0.32, 0.25)
    base_position: tuple[float, float, float] = (-0.6, 0.0, 0.0)
    """Position of the arm's base in the world frame [m]."""
    origin: Literal["setpoint", "measured"] = "setpoint"
    """The end effector to which a displacement is added: that of the set-point, where displacements
    accumulate, or the measured one."""


MAX_JOINT_ERROR = 0.12
"""Largest distance of a joint goal from the measured joint [rad]: the lead of a joint that moves
the end effector by 6 cm at a lever of half a metre. Goals that do not turn the hand have no need of
it: their end effector is near the measured one, and points down."""

_JOINT_MARGIN = 0.02
"""Joint goals keep this distance from the ends of the joints' ranges [rad]."""


@dataclass(frozen=True, kw_only=True)
class EndEffectors:
    """Measured end effectors of n arms, and those of their set-points.

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
    """``(n, 6, dof)``."""


def end_effector_state(
    spec: ArmSpec,
    joint_position: Array,
    joint_velocity: Array,
    setpoint: Array,
    setpoint_velocity: Array,
    base_position: Array,
) -> EndEffectors:
    """Computes the end effectors of measured joints and of set-points.

    Args:
        spec: the arm.
        joint_position: measured, ``(n, dof)`` [rad].
        joint_velocity: measured, ``(n, dof)`` [rad/s].
        setpoint: ``(n, dof)`` [rad].
        setpoint_velocity: ``(n, dof)`` [rad/s].
        base_position: of the arm in the world frame, ``(3,)`` [m].
    """
    n = len(joint_position)
    if n == 1:  # one served arm; the measured joints need no Jacobian
        point, rate = spec.kinematics.forward_point_with_velocity(
            joint_position[0].tolist(), joint_velocity[0].tolist()
        )
        ends, jacobian = spec.kinematics.forward_with_jacobian(setpoint)
        measured, measured_velocity = np.array([point]), np.array([rate])
    else:
        both = np.concatenate([joint_position, setpoint])
        ends, jacobian = spec.kinematics.forward_with_jacobian(both)
        measured, measured_velocity = ends.position[:n], _velocity(jacobian[:n], joint_velocity)
    return EndEffectors(
        measured=measured + base_position,
        measured_velocity=measured_velocity,
        setpoint=ends.position[-n:] + base_position,
        setpoint_velocity=_velocity(jacobian[-n:], setpoint_velocity),
        setpoint_rotation=ends.rotation[-n:],
        setpoint_jacobian=jacobian[-n:],
    )


def _velocity(jacobian: Array, joint_velocity: Array) -> Array:
    """Returns the end effectors' velocities ``(n, 3)`` [m/s]."""
    return (jacobian[:, :3] @ joint_velocity[:, :, None])[:, :, 0]


class ActionDecoder:
    """Decodes end-effector goals into joint goals, one damped least-squares step each."""

    def __init__(self, config: ActionConfig, spec: ArmSpec) -> None:
        self.config = config
        self._low = np.array(config.workspace_low)
        self._high = np.array(config.workspace_high)
        self._base = np.array(config.base_position)
        self._kinematics = spec.kinematics
        self._q_low = spec.position_low + _JOINT_MARGIN
        self._q_high = spec.position_high - _JOINT_MARGIN
        self._neutral = spec.neutral

    def displace(self, action: Array, setpoint: Array, ends: EndEffectors) -> Array:
        """Returns the joint goal of a displacement action.

        The goal is the end effector of the current set-point (or the measured one, see
        ``ActionConfig.origin``) plus ``displacement * action``. It is limited to
        ``max_setpoint_error`` around the measured end effector and to the workspace, and the end
        effector points down.

        Args:
            action: ``(n, 3)`` in [-1, 1], world frame.
            setpoint: ``(n, dof)`` shaped joint set-point [rad].
            ends: end effectors of the measured joints and of ``setpoint``.

        Returns:
            ``(n, dof)`` joint goal [rad].
        """
        step = self.config.displacement * np.minimum(np.maximum(action, -1.0), 1.0)
        return self.reach(self.origin(ends) + step, setpoint, ends)

    def origin(self, ends: EndEffectors) -> Array:
        """Returns the end effector ``(n, 3)`` to which a displacement is added [m]."""
        return ends.setpoint if self.config.origin == "setpoint" else ends.measured

    def step_towards(self, goal: Array, setpoint: Array, ends: EndEffectors) -> Array:
        """Returns the joint goal of one control step towards ``goal`` ``(n, 3)``, world [m]."""
        step = goal - ends.setpoint
        return self.reach(ends.setpoint + shortened(step, self.config.displacement), setpoint, ends)

    def reach(
        self, goal: Array, setpoint: Array, ends: EndEffectors, turn: Array | None = None
    ) -> Array:
        """Returns the joint goal ``(n, dof)`` of one step of inverse kinematics towards a point.

        Args:
            goal: ``(n, 3)`` of the end effector, world frame [m]. It is limited to
                ``max_setpoint_error`` around the measured end effector and to the workspace.
            setpoint: ``(n, dof)`` shaped joint set-point [rad].
            ends: end effectors of the measured joints and of ``setpoint``.
            turn: ``(n, 3)`` rotation vector of the end effector in the axes of the world [rad];
                None turns it to point down.
        """
        goal = self._to_box(self._to_measured(goal, ends.measured))
        rotation = rotation_to_down(ends.setpoint_rotation) if turn is None else turn
        twist = np.concatenate([goal - ends.setpoint, rotation], axis=1)
        dq = damped_least_squares(ends.setpoint_jacobian, twist, setpoint, self._neutral)
        return self._to_range(setpoint + dq)

    def near(self, joints: Array, measured: Array, ends: EndEffectors) -> Array:
        """Returns a joint goal near the measured arm, which bounds the force of a blocked arm.

        Args:
            joints: ``(n, dof)`` joint goal [rad].
            measured: ``(n, dof)`` measured joints [rad].
            ends: end effectors of ``measured``.

        Returns:
            ``(n, dof)`` joint goal [rad]. Each joint is limited to :data:`MAX_JOINT_ERROR` around
            the measured one, and then the end effector to ``max_setpoint_error``.
        """
        gap = np.minimum(np.maximum(joints - measured, -MAX_JOINT_ERROR), MAX_JOINT_ERROR)
        return self._moved(measured + gap, lambda point: self._to_measured(point, ends.measured))

    def within_box(self, joints: Array) -> Array:
        """Returns a joint goal ``(n, dof)`` whose end effector is inside the workspace."""
        return self._moved(joints, self._to_box)

    def _moved(self, joints: Array, bound: Callable[[Array], Array]) -> Array:
        """Returns a joint goal whose end effector is moved to its bound by damped least squares.

        The end effector slides along a wall: only the part of the motion that leaves is removed.
        Two steps leave an error of millimetres, which the margin of the governor allows.
        """
        joints = self._to_range(joints)
        for _ in range(2):
            here, jacobian = self._kinematics.forward_with_jacobian(joints)
            point = here.position + self._base
            excess = bound(point) - point
            if not excess.any():
                return joints
            linear = jacobian[:, :3]
            gram = linear @ linear.transpose(0, 2, 1) + 1e-4 * np.eye(3)
            step = linear.transpose(0, 2, 1) @ np.linalg.solve(gram, excess[:, :, None])
            joints = self._to_range(joints + step[:, :, 0])
        return joints

    def _to_range(self, joints: Array) -> Array:
        return np.minimum(np.maximum(joints, self._q_low), self._q_high)

    def _to_measured(self, point: Array, measured: Array) -> Array:
        return measured + shortened(point - measured, self.config.max_setpoint_error)

    def _to_box(self, point: Array) -> Array:
        return np.minimum(np.maximum(point, self._low), self._high)


def shortened(vectors: Array, longest: float) -> Array:
    """Returns the vectors ``(n, 3)``, scaled down to this length if they are longer."""
    length = np.sqrt(np.add.reduce(vectors * vectors, axis=1, keepdims=True))
    return vectors * np.minimum(1.0, longest / np.maximum(length, 1e-9))
