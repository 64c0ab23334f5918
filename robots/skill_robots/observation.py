"""Named observation fields, computed the same way for one arm or a batch of scenes.

A policy file lists the names of its fields. Training and serving both build the observation here,
in raw SI units. A field's scale is its typical magnitude on the tabletop; the exported graph
divides by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import ObservationField
from skill_robots.arm import Pose
from skill_robots.kinematics import Kinematics
from skill_robots.objects import CUBE
from skill_robots.rotations import euler_of, matrix_of, quaternion_of


@dataclass(frozen=True, kw_only=True)
class WorldState:
    """The quantities that observation fields are computed from, for n scenes, world frame."""

    joint_position: Array
    """``(n, dof)`` [rad]."""
    joint_velocity: Array
    """``(n, dof)`` [rad/s]."""
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
    objects: Mapping[str, Pose] = field(default_factory=dict[str, Pose])
    """Poses of the objects by name, every array with a leading axis n."""
    kinematics: Kinematics | None = None
    """Those of the arm, for the orientation of the end effector; None for a world without it."""

    @property
    def end_effector_rotation(self) -> Array:
        """``(n, 3, 3)`` measured, in the axes of the world.

        Raises:
            KeyError: this world does not report the orientation of its end effector.
        """
        if self.kinematics is None:
            raise KeyError("this world does not report the orientation of its end effector")
        return self.kinematics.forward(self.joint_position).rotation


def rotate(quaternion: Array, vector: Array) -> Array:
    """Rotates ``vector`` ``(n, 3)`` by ``quaternion`` ``(n, 4)``, w first."""
    one = len(quaternion) == 1  # every servo period: plain floats are faster than numpy's calls
    w, x, y, z = quaternion[0].tolist() if one else quaternion.T
    a, b, c = vector[0].tolist() if one else vector.T
    p, q, r = y * c - z * b + w * a, z * a - x * c + w * b, x * b - y * a + w * c
    turn = np.array([y * r - z * q, z * p - x * r, x * q - y * p])
    return vector + 2.0 * (turn[None] if one else turn.T)


@dataclass(frozen=True, kw_only=True)
class FieldSpec:
    """One observation field: its meaning and its computation."""

    name: str
    size: int
    unit: str
    frame: str
    scale: float
    """Typical magnitude, in ``unit``."""
    compute: Callable[[WorldState], Array]
    """``WorldState -> (n, size)``."""
    object: str | None = None
    """Name of the object that the field describes; None for proprioceptive fields."""


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


def _object_fields(name: str) -> tuple[FieldSpec, ...]:
    """Pose, velocities and relative position of one object."""

    def spec(
        suffix: str, size: int, unit: str, scale: float, compute: Callable[[WorldState], Array]
    ) -> FieldSpec:
        return FieldSpec(
            name=f"{name}_{suffix}",
            size=size,
            unit=unit,
            frame="world",
            scale=scale,
            compute=compute,
            object=name,
        )

    return (
        spec("position", 3, "m", 0.15, lambda world: world.objects[name].position),
        spec("quaternion", 4, "1", 1.0, lambda world: world.objects[name].quaternion),
        spec(
            "euler",
            3,
            "rad",
            1.0,
            lambda world: euler_of(matrix_of(world.objects[name].quaternion)),
        ),
        spec("velocity", 3, "m/s", 0.5, lambda world: world.objects[name].velocity),
        spec(
            "angular_velocity", 3, "rad/s", 5.0, lambda world: world.objects[name].angular_velocity
        ),
        spec(
            "from_end_effector",
            3,
            "m",
            0.15,
            lambda world: world.objects[name].position - world.end_effector_position,
        ),
    )


FIELDS: dict[str, FieldSpec] = {
    spec.name: spec
    for spec in (
        _field("joint_position", 7, "rad", 1.0, frame="joint"),
        _field("joint_velocity", 7, "rad/s", 1.0, frame="joint"),
        _field("end_effector_position", 3, "m", 0.15),
        _field("end_effector_velocity", 3, "m/s", 0.5),
        _field(
            "end_effector_quaternion",
            4,
            "1",
            1.0,
            lambda world: quaternion_of(world.end_effector_rotation),
        ),
        _field(
            "end_effector_euler",
            3,
            "rad",
            1.0,
            lambda world: euler_of(world.end_effector_rotation),
        ),
        _field("setpoint_velocity", 3, "m/s", 0.5),
        _field(
            "setpoint_gap",
            3,
            "m",
            0.05,
            lambda world: world.setpoint_position - world.end_effector_position,
        ),
        _field("gripper_width", 1, "m", 0.04, frame="none"),
        _field(
            "finger_position",
            2,
            "m",
            0.02,
            lambda world: np.repeat(world.gripper_width / 2.0, 2, axis=1),
            frame="none",
        ),
        *_object_fields(CUBE),
    )
}
"""Every field that a policy may ask for, by name."""

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
"""Fields of the pushing policies, 28 numbers. Mass is not observable without the set-point gap."""

GRIPPER_OBSERVATION: tuple[str, ...] = (*PUSH_OBSERVATION, "gripper_width")
"""Fields of the policies that drive the gripper, 29 numbers."""


@cache
def specs(names: tuple[str, ...]) -> tuple[FieldSpec, ...]:
    """Returns the specs of these fields, in order.

    Raises:
        KeyError: a name is not a field; the message lists the known fields.
    """
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        raise KeyError(f"no observation field {', '.join(unknown)}; there are {', '.join(FIELDS)}")
    return tuple(FIELDS[name] for name in names)


def observed_objects(names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names of the objects that these fields describe, each once, in order.

    Raises:
        KeyError: a name is not a field.
    """
    described = (spec.object for spec in specs(names))
    return tuple(dict.fromkeys(name for name in described if name is not None))


def observe(names: tuple[str, ...], world: WorldState) -> Array:
    """Returns the observation ``(n, O)`` of these fields, in order, in raw units.

    Raises:
        KeyError: a name is not a field, or the world lacks an object that a field describes.
    """
    return np.concatenate([spec.compute(world) for spec in specs(names)], axis=1)


def layout(names: tuple[str, ...]) -> dict[str, slice]:
    """Returns the slice of each field in the observation vector."""
    slices: dict[str, slice] = {}
    start = 0
    for spec in specs(names):
        slices[spec.name] = slice(start, start + spec.size)
        start += spec.size
    return slices


def scales(names: tuple[str, ...]) -> Array:
    """Returns the typical magnitude of each entry of the observation vector, ``(O,)``."""
    return np.concatenate([np.full(spec.size, spec.scale) for spec in specs(names)])


def manifest_fields(names: tuple[str, ...]) -> tuple[ObservationField, ...]:
    """Returns these fields as a manifest declares them."""
    return tuple(
        ObservationField(name=spec.name, size=spec.size, unit=spec.unit, frame=spec.frame)
        for spec in specs(names)
    )
