"""Observation fields of a MuJoCo body: all of ``qpos``, ``qvel`` and ``act``, with names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import mujoco

from skill_proto.manifest import ObservationField

_FREE, _BALL, _SLIDE, _HINGE = (
    mujoco.mjtJoint.mjJNT_FREE.value,
    mujoco.mjtJoint.mjJNT_BALL.value,
    mujoco.mjtJoint.mjJNT_SLIDE.value,
    mujoco.mjtJoint.mjJNT_HINGE.value,
)

_Parts = dict[int, tuple[tuple[str, int, str, str], ...]]
"""Suffix, size, unit and frame of the fields of each kind of joint."""

_POSITIONS: _Parts = {
    _FREE: (("position", 3, "m", "world"), ("quaternion", 4, "1", "world")),
    _BALL: (("quaternion", 4, "1", "none"),),
    _SLIDE: (("position", 1, "m", "joint"),),
    _HINGE: (("position", 1, "rad", "joint"),),
}
_VELOCITIES: _Parts = {
    _FREE: (("velocity", 3, "m/s", "world"), ("angular_velocity", 3, "rad/s", "none")),
    _BALL: (("angular_velocity", 3, "rad/s", "none"),),
    _SLIDE: (("velocity", 1, "m/s", "joint"),),
    _HINGE: (("velocity", 1, "rad/s", "joint"),),
}


def body_fields(model: mujoco.MjModel) -> tuple[ObservationField, ...]:
    """Returns the fields of ``qpos``, ``qvel`` and, if there are some, ``act``, in MuJoCo's order.

    Joints with an actuator that follow one another are one field. Any other joint, such as the
    root, has fields of its own, named after it. A free joint's angular velocity is in the frame of
    its body, as in MuJoCo.
    """
    groups = _groups(model)
    found = (*_fields(model, groups, _POSITIONS), *_fields(model, groups, _VELOCITIES))
    if not model.na:
        return found
    activation = ObservationField(name="activation", size=model.na, unit="1", frame="none")
    return (*found, activation)


def _fields(
    model: mujoco.MjModel, groups: Sequence[tuple[str, list[int]]], parts: _Parts
) -> Iterator[ObservationField]:
    """Yields the fields of ``qpos`` or of ``qvel``."""
    for name, joints in groups:
        kind = int(model.jnt_type[joints[0]])
        for suffix, size, unit, frame in parts[kind]:
            yield ObservationField(
                name=f"{name}_{suffix}", size=size * len(joints), unit=unit, frame=frame
            )


def _groups(model: mujoco.MjModel) -> list[tuple[str, list[int]]]:
    """Returns name and joints of each field, in order."""
    driven = {
        int(joint)
        for kind, joint in zip(model.actuator_trntype, model.actuator_trnid[:, 0], strict=True)
        if kind == mujoco.mjtTrn.mjTRN_JOINT.value
    }

    def group(joint: int) -> tuple[bool, int]:
        alone = joint not in driven or model.jnt_type[joint] in (_FREE, _BALL)
        return alone, joint if alone else int(model.jnt_type[joint])

    found: list[tuple[str, list[int]]] = []
    for (alone, _), members in groupby(range(model.njnt), key=group):
        joints = list(members)
        name = model.joint(joints[0]).name or f"joint_{joints[0]}"
        if not alone:
            earlier = sum(other.startswith("joint") for other, _ in found)
            name = f"joint_{earlier + 1}" if earlier else "joint"
        found.append((name, joints))
    return found
