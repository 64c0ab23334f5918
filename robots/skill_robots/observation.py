"""Named observation fields, computed the same way for one arm or a batch of scenes.

A policy file lists the names of the fields it wants; training and serving both build its input
here, in raw SI units. The scale of a field is its typical magnitude on the tabletop; training
divides by it, inside the exported graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import ObservationField


@dataclass(frozen=True, kw_only=True)
class WorldState:
    """Everything an observation can be made of, for n scenes, in the world frame."""

    joint_position: Array
    """``(n, 7)`` [rad]."""
    joint_velocity: Array
    """``(n, 7)`` [rad/s]."""
    end_effector_position: Array
    """``(n, 3)`` measured [m]."""
    end_effector_velocity: Array
    """``(n, 3)`` measured [m/s]."""
    setpoint_position: Array
    """``(n, 3)`` end effector of the shaped set-point [m]."""
    setpoint_velocity: Array
    """``(n, 3)`` [m/s]."""
    gripper_width: Array
    """``(n, 1)`` [m]."""
    cube_position: Array
    """``(n, 3)`` [m]."""
    cube_quaternion: Array
    """``(n, 4)``, w first, w >= 0."""
    cube_velocity: Array
    """``(n, 3)`` [m/s]."""
    cube_angular_velocity: Array
    """``(n, 3)`` [rad/s]."""


def rotate(quaternion: Array, vector: Array) -> Array:
    """``vector`` ``(n, 3)`` turned by ``quaternion`` ``(n, 4)``, w first."""
    one = len(quaternion) == 1  # at every servo period: plain floats are faster than numpy's calls
    w, x, y, z = quaternion[0].tolist() if one else quaternion.T
    a, b, c = vector[0].tolist() if one else vector.T
    p, q, r = y * c - z * b + w * a, z * a - x * c + w * b, x * b - y * a + w * c
    turn = np.array([y * r - z * q, z * p - x * r, x * q - y * p])
    return vector + 2.0 * (turn[None] if one else turn.T)


def canonical_sign(quaternion: Array) -> Array:
    """The same rotations ``(n, 4)`` with w >= 0."""
    return np.where(quaternion[:, :1] < 0, -quaternion, quaternion)


@dataclass(frozen=True, kw_only=True)
class FieldSpec:
    """One observation field: what it is and how to compute it."""

    name: str
    size: int
    unit: str
    frame: str
    scale: float
    """Typical magnitude, in ``unit``."""
    compute: Callable[[WorldState], Array]
    """``WorldState -> (n, size)``."""


def _field(
    name: str,
    size: int,
    unit: str,
    scale: float,
    compute: Callable[[WorldState], Array] | None = None,
    frame: str = "world",
) -> FieldSpec:
    def read(world: WorldState) -> Array:
        value: Array = getattr(world, name)
        return value

    return FieldSpec(
        name=name, size=size, unit=unit, frame=frame, scale=scale, compute=compute or read
    )


FIELDS: dict[str, FieldSpec] = {
    spec.name: spec
    for spec in (
        _field("joint_position", 7, "rad", 1.0, frame="joint"),
        _field("joint_velocity", 7, "rad/s", 1.0, frame="joint"),
        _field("end_effector_position", 3, "m", 0.15),
        _field("end_effector_velocity", 3, "m/s", 0.5),
        _field("setpoint_velocity", 3, "m/s", 0.5),
        _field(
            "setpoint_gap",
            3,
            "m",
            0.05,
            lambda world: world.setpoint_position - world.end_effector_position,
        ),
        _field("gripper_width", 1, "m", 0.04, frame="none"),
        _field("cube_position", 3, "m", 0.15),
        _field("cube_quaternion", 4, "1", 1.0),
        _field("cube_velocity", 3, "m/s", 0.5),
        _field("cube_angular_velocity", 3, "rad/s", 5.0),
        _field(
            "cube_from_end_effector",
            3,
            "m",
            0.15,
            lambda world: world.cube_position - world.end_effector_position,
        ),
    )
}
"""Every field a policy may ask for."""

PUSH_OBSERVATION: tuple[str, ...] = (
    "end_effector_position",
    "end_effector_velocity",
    "cube_position",
    "cube_quaternion",
    "cube_velocity",
    "cube_angular_velocity",
    "cube_from_end_effector",
    "setpoint_gap",
    "setpoint_velocity",
)
"""What the pushing policies see: 28 numbers. Without the set-point gap mass cannot be read."""


def specs(names: Sequence[str]) -> tuple[FieldSpec, ...]:
    """The specs of these fields.

    Raises:
        KeyError: a name is not a field; the message lists those that are.
    """
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        raise KeyError(f"no observation field {', '.join(unknown)}; there are {', '.join(FIELDS)}")
    return tuple(FIELDS[name] for name in names)


def observe(names: Sequence[str], world: WorldState) -> Array:
    """The observation ``(n, O)`` of these fields, in order, in raw units."""
    return np.concatenate([spec.compute(world) for spec in specs(names)], axis=1)


def layout(names: Sequence[str]) -> dict[str, slice]:
    """Where each field lies in the observation vector."""
    slices: dict[str, slice] = {}
    start = 0
    for spec in specs(names):
        slices[spec.name] = slice(start, start + spec.size)
        start += spec.size
    return slices


def scales(names: Sequence[str]) -> Array:
    """Typical magnitude of each entry of the observation vector, ``(O,)``."""
    return np.concatenate([np.full(spec.size, spec.scale) for spec in specs(names)])


def manifest_fields(names: Sequence[str]) -> tuple[ObservationField, ...]:
    """What a manifest says of these fields."""
    return tuple(
        ObservationField(name=spec.name, size=spec.size, unit=spec.unit, frame=spec.frame)
        for spec in specs(names)
    )
