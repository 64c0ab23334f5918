"""Observation fields of a MuJoCo body: all of ``qpos``, then all of ``qvel``, with names."""

from __future__ import annotations

from itertools import groupby

import mujoco

from skill_proto.manifest import ObservationField

_FREE, _BALL, _SLIDE = (
    mujoco.mjtJoint.mjJNT_FREE.value,
    mujoco.mjtJoint.mjJNT_BALL.value,
    mujoco.mjtJoint.mjJNT_SLIDE.value,
)


def body_fields(model: mujoco.MjModel) -> tuple[ObservationField, ...]:
    """Returns the fields of ``qpos`` and ``qvel``, in MuJoCo's order.

    Joints with an actuator that follow one another are one field. Any other joint, such as the
    root, has fields of its own, named after it. A free joint's angular velocity is in the frame of
    its body, as in MuJoCo.
    """
    return tuple(_positions(model)) + tuple(_velocities(model))


def _positions(model: mujoco.MjModel) -> list[ObservationField]:
    fields: list[ObservationField] = []
    for name, joints in _groups(model):
        kind = model.jnt_type[joints[0]]
        if kind == _FREE:
            fields += [
                _field(f"{name}_position", 3, "m", "world"),
                _field(f"{name}_quaternion", 4, "1", "world"),
            ]
        elif kind == _BALL:
            fields.append(_field(f"{name}_quaternion", 4, "1", "none"))
        else:
            unit = "m" if kind == _SLIDE else "rad"
            fields.append(_field(f"{name}_position", len(joints), unit, "joint"))
    return fields


def _velocities(model: mujoco.MjModel) -> list[ObservationField]:
    fields: list[ObservationField] = []
    for name, joints in _groups(model):
        kind = model.jnt_type[joints[0]]
        if kind == _FREE:
            fields += [
                _field(f"{name}_velocity", 3, "m/s", "world"),
                _field(f"{name}_angular_velocity", 3, "rad/s", "none"),
            ]
        elif kind == _BALL:
            fields.append(_field(f"{name}_angular_velocity", 3, "rad/s", "none"))
        else:
            unit = "m/s" if kind == _SLIDE else "rad/s"
            fields.append(_field(f"{name}_velocity", len(joints), unit, "joint"))
    return fields


def _field(name: str, size: int, unit: str, frame: str) -> ObservationField:
    return ObservationField(name=name, size=size, unit=unit, frame=frame)


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
