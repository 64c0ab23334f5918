"""SetpointShaper: filters joint goals to set-points of limited velocity, acceleration and jerk."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec, PositionBasedVelocityLimit

CREEP = 0.05
"""Least ``v_max`` of a joint near an end of its range, at which its bound may be 0 [rad/s]. All
joints share one factor, so a joint without speed would stop the others."""

VELOCITY_LOOKAHEAD_S = 0.5
"""Distance of the goal of a velocity, in time [s]."""

END_MARGIN = 0.02
"""A velocity ends this far from the end of a joint's range [rad]."""


@dataclass(frozen=True, kw_only=True)
class ShaperConfig:
    """Gains of the set-point shaper; see :class:`SetpointShaper` for the law."""

    limit_share: float = 0.9
    """Share of the arm's velocity, acceleration and jerk limits that is used."""
    position_gain: float = 12.0
    """Requested velocity per radian of distance [1/s]."""
    velocity_gain: float = 30.0
    """Requested acceleration per rad/s of velocity error [1/s]."""
    braking_share: float = 0.5
    """Share of the acceleration limit that the approach profile plans to brake with."""


@dataclass
class Setpoint:
    """A shaped set-point; a new one is at rest."""

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

    In every servo period ``dt``, open loop in its own state ``(q, v, a)``, with ``e`` the distance
    to the goal and, per joint, the approach speed
    ``u = min(k_p |e|, sqrt(2 b a_max |e|), v_max)``::

        v_want = e min_j(u_j / |e_j|)
        a_want = k_v (v_want - v), scaled to |a_want| <= a_max
        a += (a_want - a), scaled to |change| <= j_max dt
        v += a dt;   q += v dt

    Each limit is kept by one factor for all joints, that of the joint nearest to its limit. So the
    joints stay in step and the end effector stays on its path; limits applied joint by joint would
    let it dip during a sideways push. The law does not depend on the servo rate. The jerk limit
    can bind only at short periods such as 1 ms (``j_max dt`` against a reversal of ``2 a_max``).

    ``v_max``, ``a_max`` and ``j_max`` are shares of the arm's limits. As a last safeguard each
    velocity is clipped at the arm's own limit.

    If the arm has position-based velocity limits, ``v_max`` of a joint towards an end of its range
    is at most a share of the bound at ``q + v / k_v``. The velocity follows its request with the
    time constant ``1 / k_v``, so it is then below the bound at ``q`` while the bound falls.

    Args:
        spec: the arm.
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
        self._spec = spec

    def step(self, state: Setpoint, goal: Array, max_pace: float = math.inf) -> None:
        """Advances ``state`` by one period towards ``goal`` ``(n, dof)`` [rad], in place.

        ``max_pace`` bounds the requested velocity per radian of distance [1/s].
        """
        error = goal - state.position
        distance = np.maximum(np.abs(error), _TINY)
        speed = np.minimum(self.config.position_gain * distance, np.sqrt(self._braking * distance))
        fastest = self._v_max
        if self._spec.position_based_velocity_limit is not None:
            fastest = self._fastest_near_end(self._spec.position_based_velocity_limit, state, error)
        pace = (np.minimum(speed, fastest) / distance).min(axis=1, keepdims=True)
        if max_pace < math.inf:
            pace = np.minimum(pace, max_pace)
        wanted = _within(self.config.velocity_gain * (pace * error - state.velocity), self._a_max)
        self._accelerate(state, wanted)

    def follow(self, state: Setpoint, velocity: Array) -> None:
        """Advances ``state`` by one period at a joint velocity ``(n, dof)`` [rad/s], in place.

        The goal lies :data:`VELOCITY_LOOKAHEAD_S` ahead, but never beyond a joint's range, so that
        a joint slows down before its end. The other limits are those of :meth:`step`.
        """
        goal = state.position + VELOCITY_LOOKAHEAD_S * velocity
        low = np.minimum(self._spec.position_low + END_MARGIN, state.position)
        high = np.maximum(self._spec.position_high - END_MARGIN, state.position)
        self.step(state, np.minimum(np.maximum(goal, low), high), 1.0 / VELOCITY_LOOKAHEAD_S)

    def brake(self, state: Setpoint) -> None:
        """Advances ``state`` by one period towards rest, in place.

        The same law with ``v_want = 0``: all joints slow down in proportion, so that the end
        effector stays on its path, and no joint reverses. Braking has no goal and may begin at any
        time.
        """
        wanted = _within(-self.config.velocity_gain * state.velocity, self._a_max)
        self._accelerate(state, wanted)

    def _fastest_near_end(
        self, near_end: PositionBasedVelocityLimit, state: Setpoint, error: Array
    ) -> Array:
        """Returns ``v_max`` of each joint in the direction of its goal, ``(n, dof)`` [rad/s]."""
        ahead = state.position + state.velocity / self.config.velocity_gain
        spec = self._spec
        room = np.where(error > 0.0, spec.position_high - ahead, ahead - spec.position_low)
        bound = np.sqrt(2.0 * near_end.deceleration * np.maximum(room, 0.0)) - near_end.offset
        return np.minimum(np.maximum(self.config.limit_share * bound, CREEP), self._v_max)

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
    """Scales each row of ``wanted`` ``(n, dof)`` by one factor into ``+-limit`` ``(dof,)``."""
    excess = (np.abs(wanted) / limit).max(axis=1, keepdims=True)
    return wanted / np.maximum(excess, 1.0)
