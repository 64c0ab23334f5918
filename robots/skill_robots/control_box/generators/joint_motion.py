"""JointMotion: a joint set-point with its derivatives, in discrete time.

The derivatives are the differences that the robot judges: ``v_k = (q_k - q_(k-1)) / dt`` and
``a_k = (v_k - v_(k-1)) / dt`` with dt = 1 ms. Vectors are lists of seven floats, because for one
arm numpy's overhead exceeds the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from skill_robots.control_box.config import CYCLE_S

_RATE = round(1.0 / CYCLE_S)


class JointMotion(NamedTuple):
    """A set-point of one cycle."""

    position: list[float]
    """[rad]."""
    velocity: list[float]
    """[rad/s]."""
    acceleration: list[float]
    """[rad/s^2]."""

    @staticmethod
    def at_rest(position: Sequence[float]) -> JointMotion:
        """Returns a set-point at rest."""
        return JointMotion(list(position), [0.0] * 7, [0.0] * 7)

    def to_position(self, position: list[float]) -> JointMotion:
        """Returns the set-point of the next cycle at ``position``."""
        velocity = [_RATE * (q - q0) for q, q0 in zip(position, self.position, strict=True)]
        return JointMotion(position, velocity, self._acceleration_to(velocity))

    def to_velocity(self, velocity: list[float]) -> JointMotion:
        """Returns the set-point of the next cycle with ``velocity``."""
        position = [q + CYCLE_S * v for q, v in zip(self.position, velocity, strict=True)]
        return JointMotion(position, velocity, self._acceleration_to(velocity))

    def extrapolated(self) -> JointMotion:
        """Returns the set-point of the next cycle with the same acceleration."""
        acceleration = self.acceleration
        velocity = [v + CYCLE_S * a for v, a in zip(self.velocity, acceleration, strict=True)]
        position = [q + CYCLE_S * v for q, v in zip(self.position, velocity, strict=True)]
        return JointMotion(position, velocity, acceleration)

    def stopped(self) -> JointMotion:
        """Returns the set-point of the next cycle at the same position."""
        still = [0.0] * 7
        return JointMotion(self.position, still, self._acceleration_to(still))

    @property
    def is_at_rest(self) -> bool:
        """Whether velocity and acceleration are zero."""
        return not any(self.velocity) and not any(self.acceleration)

    def _acceleration_to(self, velocity: list[float]) -> list[float]:
        return [_RATE * (v - v0) for v, v0 in zip(velocity, self.velocity, strict=True)]
