"""What a command asks for, checked against the policy and the arm that are to carry it out."""

from __future__ import annotations

import math

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import GoalSpace, Plant, PolicyManifest
from skill_proto.messages import Goal, ServoJoint, ServoPose, Skill
from skill_robots.arm import ArmSpec
from skill_runtime.authority.refusal import Refusal

SMALLEST_NORM = 1e-6
"""A skill shorter than this has no direction."""


def skill(message: Skill, manifest: PolicyManifest) -> Array:
    """The skill ``(Z,)``; on a sphere scaled to unit length, which is what training used.

    Raises:
        Refusal: ``not_supported`` or ``invalid``.
    """
    space = manifest.skill
    if space.kind == "none":
        fix = "send 'servo_*'" if manifest.goal is None else "send 'goal' or 'servo_*'"
        raise Refusal("not_supported", f"policy {manifest.name!r} takes no skill", fix)
    vector = _sized(message.skill, space.size, "skill", f"policy {manifest.name!r}")
    if space.kind == "one_hot":
        if sorted(vector) != [0.0] * (space.size - 1) + [1.0]:
            raise Refusal(
                "invalid",
                f"skill {_text(vector)} is not one-hot",
                "send one entry 1 and all others 0",
            )
        return vector
    length = math.hypot(*vector)
    if not SMALLEST_NORM <= length < np.inf:
        raise Refusal(
            "invalid",
            f"skill {_text(vector)} has length {length:g} and so no direction",
            "send a vector with a direction, as 1 0; 'hold' stops the arm",
        )
    return vector / length


def goal(message: Goal, manifest: PolicyManifest) -> Array:
    """The goal ``(G,)``, inside the box that the policy was evaluated on.

    Raises:
        Refusal: ``not_supported`` or ``invalid``.
    """
    space = manifest.goal
    if space is None:
        raise Refusal(
            "not_supported", f"policy {manifest.name!r} takes no goals", "send 'skill' instead"
        )
    vector = _sized(message.goal, manifest.goal_size, "goal", f"policy {manifest.name!r}")
    names = _component_names(space)
    _inside(vector, np.array(space.low), np.array(space.high), names, space.unit, "goal")
    return vector


def joints(message: ServoJoint, spec: ArmSpec) -> Array:
    """Joint positions ``(dof,)`` [rad] within the arm's limits.

    Raises:
        Refusal: ``invalid``.
    """
    vector = _sized(message.joint_position, spec.dof, "joint_position", f"arm {spec.name!r}")
    _inside(
        vector, spec.position_low, spec.position_high, spec.joint_names, "rad", "joint_position"
    )
    return vector


def pose(message: ServoPose, plant: Plant) -> Array:
    """End-effector position ``(3,)`` [m] inside the workspace.

    Raises:
        Refusal: ``invalid``.
    """
    vector = np.array(message.end_effector_position)
    _inside(
        vector,
        np.array(plant.workspace_low_m),
        np.array(plant.workspace_high_m),
        ("x", "y", "z"),
        "m",
        "end_effector_position",
    )
    return vector


def gripper_width(width: float | None, spec: ArmSpec) -> float | None:
    """The hand's opening [m], within what it can do.

    Raises:
        Refusal: ``invalid``.
    """
    if width is not None and width > spec.gripper_width_max:
        raise Refusal(
            "invalid",
            f"gripper_width {width:g} m exceeds {spec.gripper_width_max:g} m, the hand's opening",
            f"send 0 to {spec.gripper_width_max:g}, or leave it out",
        )
    return width


def _sized(values: tuple[float, ...], size: int, name: str, owner: str) -> Array:
    if len(values) != size:
        raise Refusal(
            "invalid",
            f"{name} has {len(values)} entries, {owner} takes {size}",
            f"send {size} numbers",
        )
    return np.array(values, np.float64)


def _inside(
    vector: Array, low: Array, high: Array, names: tuple[str, ...], unit: str, what: str
) -> None:
    for value, least, greatest, name in zip(vector, low, high, names, strict=True):
        if not least <= value <= greatest:
            raise Refusal(
                "invalid",
                f"{what}: {name} = {value:g} {unit} is outside {least:g} to {greatest:g} {unit}",
                f"send {name} within these bounds",
            )


def _component_names(space: GoalSpace) -> tuple[str, ...]:
    return tuple(f"{space.field}[{component}]" for component in space.components)


def _text(vector: Array) -> str:
    return "[" + ", ".join(f"{value:g}" for value in vector[:8]) + "]"
