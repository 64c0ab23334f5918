"""CartesianMotion: a Cartesian set-point with its derivatives, in discrete time.

Vectors are lists of floats; a rotation is its 3x3 matrix in column-major order, a list of nine.
Twists and their derivatives have the linear part first, in the base frame O.
"""

from __future__ import annotations

from math import atan2, cos, sin, sqrt
from typing import NamedTuple

from skill_robots.control_box.config import CYCLE_S

_RATE = round(1.0 / CYCLE_S)
_TINY = 1e-12


class CartesianMotion(NamedTuple):
    """A set-point of one cycle."""

    position: list[float]
    """Origin of EE in O [m]."""
    rotation: list[float]
    """Axes of EE in O, column-major."""
    twist: list[float]
    """[m/s, rad/s]."""
    acceleration: list[float]
    """[m/s^2, rad/s^2]."""

    @staticmethod
    def at_rest(transform: list[float]) -> CartesianMotion:
        """Returns a set-point at rest, from a homogeneous matrix in column-major order."""
        position, rotation = split(transform)
        return CartesianMotion(position, rotation, [0.0] * 6, [0.0] * 6)

    def to_pose(self, position: list[float], rotation: list[float]) -> CartesianMotion:
        """Returns the set-point of the next cycle at a pose."""
        twist = [_RATE * (x - x0) for x, x0 in zip(position, self.position, strict=True)]
        twist += [_RATE * angle for angle in rotation_between(self.rotation, rotation)]
        return CartesianMotion(position, rotation, twist, self._acceleration_to(twist))

    def with_twist(self, twist: list[float]) -> CartesianMotion:
        """Returns the set-point of the next cycle with a twist."""
        position, rotation = self._moved(twist)
        return CartesianMotion(position, rotation, twist, self._acceleration_to(twist))

    def extrapolated(self) -> CartesianMotion:
        """Returns the set-point of the next cycle with the same acceleration."""
        twist = [v + CYCLE_S * a for v, a in zip(self.twist, self.acceleration, strict=True)]
        position, rotation = self._moved(twist)
        return CartesianMotion(position, rotation, twist, self.acceleration)

    def stopped(self) -> CartesianMotion:
        """Returns the set-point of the next cycle at the same pose."""
        still = [0.0] * 6
        return CartesianMotion(self.position, self.rotation, still, self._acceleration_to(still))

    @property
    def transform(self) -> list[float]:
        """The pose as a homogeneous matrix in column-major order."""
        r = self.rotation
        return [*r[0:3], 0.0, *r[3:6], 0.0, *r[6:9], 0.0, *self.position, 1.0]

    def _acceleration_to(self, twist: list[float]) -> list[float]:
        return [_RATE * (v - v0) for v, v0 in zip(twist, self.twist, strict=True)]

    def _moved(self, twist: list[float]) -> tuple[list[float], list[float]]:
        position = [x + CYCLE_S * v for x, v in zip(self.position, twist[:3], strict=True)]
        return position, rotated(self.rotation, [CYCLE_S * w for w in twist[3:]])


def split(transform: list[float]) -> tuple[list[float], list[float]]:
    """Returns position and rotation of a homogeneous matrix in column-major order."""
    return transform[12:15], transform[0:3] + transform[4:7] + transform[8:11]


def rotation_between(first: list[float], second: list[float]) -> list[float]:
    """Returns the rotation vector in O that turns the first rotation into the second [rad].

    With ``E = R2 R1^T`` it is the axis of E times its angle: ``vee(E - E^T) / 2`` is the axis times
    the sine, and ``(trace(E) - 1) / 2`` the cosine.
    """
    a, b, c, d, e, f, g, h, i = first
    p, q, r, s, t, u, v, w, x = second
    # The sum over the columns of R2 times the same column of R1.
    xx, yy, zz = p * a + s * d + v * g, q * b + t * e + w * h, r * c + u * f + x * i
    xy, yx = p * b + s * e + v * h, q * a + t * d + w * g
    xz, zx = p * c + s * f + v * i, r * a + u * d + x * g
    yz, zy = q * c + t * f + w * i, r * b + u * e + x * h
    along_x, along_y, along_z = 0.5 * (zy - yz), 0.5 * (xz - zx), 0.5 * (yx - xy)
    sine = sqrt(along_x * along_x + along_y * along_y + along_z * along_z)
    scale = atan2(sine, 0.5 * (xx + yy + zz - 1.0)) / sine if sine > _TINY else 1.0
    return [scale * along_x, scale * along_y, scale * along_z]


def rotated(rotation: list[float], vector: list[float]) -> list[float]:
    """Turns a rotation by a rotation vector in O [rad], after Rodrigues."""
    x, y, z = vector
    angle = sqrt(x * x + y * y + z * z)
    if angle < _TINY:
        return rotation
    x, y, z = x / angle, y / angle, z / angle
    s, c = sin(angle), cos(angle)
    turned: list[float] = []
    for k in (0, 3, 6):
        u, v, w = rotation[k : k + 3]
        along = (1.0 - c) * (x * u + y * v + z * w)
        turned += [
            c * u + s * (y * w - z * v) + along * x,
            c * v + s * (z * u - x * w) + along * y,
            c * w + s * (x * v - y * u) + along * z,
        ]
    return turned
