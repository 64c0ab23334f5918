"""Policy action -> joint goal -> shaped set-point, for one arm or a batch.

The decoder turns an end-effector displacement in [-1, 1]^3 into a joint goal at the policy's rate.
The shaper follows that goal at the servo rate inside the arm's velocity, acceleration and jerk
limits. Both run in training exactly as in serving: they are part of the plant that a policy is
trained on (docs/plant.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skill_robots.arm import ArmSpec
from skill_robots.panda import kinematics

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ActionConfig:
    """How far one action reaches, and where."""

    displacement: float = 0.04
    """Set-point displacement along an axis for an action of 1 [m per control step]."""
    leash: float = 0.06
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
class Hands:
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


def locate_hands(
    joint_position: Array,
    joint_velocity: Array,
    setpoint: Array,
    setpoint_velocity: Array,
    base_position: Array,
) -> Hands:
    """Hands for measured joints and set-points, each ``(n, 7)``; base ``(3,)`` in the world [m]."""
    n = len(joint_position)
    ends, jacobian = kinematics.forward_with_jacobian(np.concatenate([joint_position, setpoint]))
    rates = np.concatenate([joint_velocity, setpoint_velocity])
    velocity = (jacobian[:, :3] @ rates[:, :, None])[:, :, 0]
    position = ends.position + base_position
    return Hands(
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

    def displace(self, action: Array, setpoint: Array, hands: Hands) -> Array:
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

    def reach(self, goal: Array, setpoint: Array, hands: Hands) -> Array:
        """Joint goal of one control step towards end-effector positions ``(n, 3)``, world [m]."""
        step = goal - hands.setpoint
        length = np.linalg.norm(step, axis=1, keepdims=True)
        step *= np.minimum(1.0, self.config.displacement / np.maximum(length, 1e-9))
        return self._solve(hands.setpoint + step, setpoint, hands)

    def _solve(self, goal: Array, setpoint: Array, hands: Hands) -> Array:
        goal = self._on_leash(goal, hands.measured)
        rotation = rotation_to_down(hands.setpoint_rotation)
        twist = np.concatenate([goal - hands.setpoint, rotation], axis=1)
        dq = kinematics.damped_least_squares(
            hands.setpoint_jacobian, twist, setpoint, kinematics.NEUTRAL
        )
        return np.clip(setpoint + dq, self._q_low, self._q_high)

    def _on_leash(self, goal: Array, measured: Array) -> Array:
        gap = goal - measured
        length = np.linalg.norm(gap, axis=1, keepdims=True)
        gap *= np.minimum(1.0, self.config.leash / np.maximum(length, 1e-9))
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


def joints_for_hand(position: Array, iterations: int = 20) -> Array:
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


@dataclass(frozen=True, kw_only=True)
class ShaperConfig:
    """Gains of the set-point shaper; see :class:`SetpointShaper` for the law."""

    limit_share: float = 0.9
    """Share of the arm's velocity, acceleration and jerk limits that is used."""
    position_gain: float = 12.0
    """[1/s]: velocity asked for per radian of distance."""
    velocity_gain: float = 30.0
    """[1/s]: acceleration asked for per rad/s of velocity error."""
    braking_share: float = 0.5
    """Share of the acceleration limit that the approach profile plans to brake with."""


@dataclass
class Setpoint:
    """A shaped set-point, at rest when it is made."""

    position: Array
    """``(n, dof)`` [rad]."""
    velocity: Array = field(init=False)
    """``(n, dof)`` [rad/s]."""
    acceleration: Array = field(init=False)
    """``(n, dof)`` [rad/s^2]."""

    def __post_init__(self) -> None:
        self.velocity = np.zeros_like(self.position)
        self.acceleration = np.zeros_like(self.position)


class SetpointShaper:
    """A velocity-, acceleration- and jerk-limited filter from joint goals to set-points.

    Every servo period ``dt``, open loop in its own state ``(q, v, a)``, with ``e`` the distance
    to the goal and, per joint, the speed ``u = min(k_p |e|, sqrt(2 b a_max |e|), v_max)`` at which
    it may approach::

        v_want = e min_j(u_j / |e_j|)
        a_want = k_v (v_want - v), scaled to |a_want| <= a_max
        a += (a_want - a), scaled to |change| <= j_max dt
        v += a dt;   q += v dt

    Each limit is kept by one factor for all joints, that of the joint nearest to its limit, so that
    the joints stay in step and the hand on its way: limited joint by joint, a sideways push of the
    hand becomes a dive. The law has no rate of its own; run finer (1 ms) it is the same filter, and
    only there can the jerk limit bind (``j_max dt`` against a full reversal of ``2 a_max``).

    ``v_max``, ``a_max`` and ``j_max`` are shares of the arm's limits. Last, and never yet needed,
    each velocity is clipped at the arm's own limit.

    Args:
        spec: the arm's published limits.
        period_s: servo period dt [s].
        config: gains and shares.
    """

    def __init__(self, spec: ArmSpec, period_s: float, config: ShaperConfig | None = None) -> None:
        config = config or ShaperConfig()
        self.period_s = period_s
        self.config = config
        self._v_max = config.limit_share * spec.velocity_limit
        self._v_hard = spec.velocity_limit
        self._a_max = config.limit_share * spec.acceleration_limit
        self._j_step = config.limit_share * spec.jerk_limit * period_s
        self._braking = 2.0 * config.braking_share * spec.acceleration_limit

    def step(self, state: Setpoint, goal: Array) -> None:
        """Advances ``state`` by one period towards ``goal`` ``(n, dof)`` [rad], in place."""
        error = goal - state.position
        distance = np.maximum(np.abs(error), _TINY)
        speed = np.minimum(self.config.position_gain * distance, np.sqrt(self._braking * distance))
        pace = (np.minimum(speed, self._v_max) / distance).min(axis=1, keepdims=True)
        wanted = _within(self.config.velocity_gain * (pace * error - state.velocity), self._a_max)
        self._accelerate(state, wanted)

    def brake(self, state: Setpoint) -> None:
        """Advances ``state`` by one period towards rest, in place.

        The same law with ``v_want = 0``: every joint slows down in proportion, so that the hand
        stays on its way, and none turns back. There is no goal, so it may begin at any time.
        """
        wanted = _within(-self.config.velocity_gain * state.velocity, self._a_max)
        self._accelerate(state, wanted)

    def _accelerate(self, state: Setpoint, wanted: Array) -> None:
        change = _within(wanted - state.acceleration, self._j_step)
        before = state.velocity
        velocity = before + (state.acceleration + change) * self.period_s
        velocity = np.minimum(np.maximum(velocity, -self._v_hard), self._v_hard)
        state.acceleration = (velocity - before) / self.period_s
        state.velocity = velocity
        state.position = state.position + velocity * self.period_s


_TINY = 1e-9


def _within(wanted: Array, limit: Array) -> Array:
    """``wanted`` ``(n, dof)``, each row scaled by one factor into ``+-limit`` ``(dof,)``."""
    excess = (np.abs(wanted) / limit).max(axis=1, keepdims=True)
    return wanted / np.maximum(excess, 1.0)
