"""Checks the content of commands against the policy and the arm that execute them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from skill_proto.arrays import Array, FloatArray
from skill_proto.manifest import GoalSpace, Plant, PolicyManifest
from skill_proto.messages import Goal, ServoJoint, ServoPose, Skill
from skill_proto.wire import WireError
from skill_robots.arm import ArmSpec
from skill_runtime.authority.refusal import Refusal

MIN_SKILL_NORM = 1e-6
"""A shorter skill has no direction."""


def validate_skill(message: Skill, manifest: PolicyManifest) -> Array:
    """Returns the skill ``(Z,)``; a skill on a sphere is scaled to unit length, as in training.

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
                f"skill {_format(vector)} is not one-hot",
                "send one entry 1 and all others 0",
            )
        return vector
    length = math.hypot(*vector)
    if not MIN_SKILL_NORM <= length < np.inf:
        raise Refusal(
            "invalid",
            f"skill {_format(vector)} has length {length:g}, so it has no direction",
            "send a vector with a direction, such as 1 0; 'hold' stops the arm",
        )
    return vector / length


def validate_goal(message: Goal, manifest: PolicyManifest) -> Array:
    """Returns the goal ``(G,)``, inside the box in which the policy was evaluated.

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
    _check_bounds(vector, np.array(space.low), np.array(space.high), names, space.unit, "goal")
    return vector


def validate_joints(message: ServoJoint, spec: ArmSpec) -> Array:
    """Returns the joint positions ``(dof,)`` [rad], inside the limits of the arm.

    Raises:
        Refusal: ``invalid``.
    """
    vector = _sized(message.joint_position, spec.dof, "joint_position", f"arm {spec.name!r}")
    _check_bounds(
        vector, spec.position_low, spec.position_high, spec.joint_names, "rad", "joint_position"
    )
    return vector


def validate_pose(message: ServoPose, plant: Plant) -> Array:
    """Returns the end-effector position ``(3,)`` [m], inside the workspace.

    Raises:
        Refusal: ``invalid``.
    """
    vector = np.array(message.end_effector_position)
    _check_bounds(
        vector,
        np.array(plant.workspace_low_m),
        np.array(plant.workspace_high_m),
        ("x", "y", "z"),
        "m",
        "end_effector_position",
    )
    return vector


def validate_gripper_width(width: float | None, spec: ArmSpec) -> float | None:
    """Returns the gripper width [m], at most the maximum of the gripper.

    Raises:
        Refusal: ``invalid``.
    """
    if width is not None and width > spec.gripper_width_max:
        raise Refusal(
            "invalid",
            f"gripper_width {width:g} m exceeds {spec.gripper_width_max:g} m, the gripper's "
            "maximum",
            f"send 0 to {spec.gripper_width_max:g}, or leave it out",
        )
    return width


def validate_act(arrays: Mapping[str, FloatArray], manifest: PolicyManifest) -> int:
    """Checks names and shapes of the arrays of an ``act`` request, whose numbers are finite.

    Returns:
        The number of rows.

    Raises:
        WireError: ``invalid``.
    """
    sizes = {"observation": manifest.observation_size, "previous_action": manifest.action_size}
    commands = {"skill": manifest.skill.size, "goal": manifest.goal_size}
    sizes |= {name: size for name, size in commands.items() if size}
    usage = "send " + ", ".join(f"{name} [n, {size}]" for name, size in sizes.items())
    if "observation" not in arrays:
        raise WireError("invalid", "the request has no observation", usage)
    if any(commands.values()) and not commands.keys() & arrays.keys():
        missing = " and no ".join(name for name, size in commands.items() if size)
        raise WireError("invalid", f"the request has no {missing}", usage)
    rows = len(arrays["observation"]) if arrays["observation"].ndim == 2 else 0
    for name, array in arrays.items():
        if name not in sizes or array.shape != (max(rows, 1), sizes[name]):
            raise WireError(
                "invalid",
                f"array {name!r} of shape {list(array.shape)} does not fit the policy",
                usage,
            )
    return rows


def _sized(values: tuple[float, ...], size: int, name: str, owner: str) -> Array:
    if len(values) != size:
        raise Refusal(
            "invalid",
            f"{name} has {len(values)} entries, {owner} takes {size}",
            f"send {size} numbers",
        )
    return np.array(values, np.float64)


def _check_bounds(
    vector: Array, low: Array, high: Array, names: tuple[str, ...], unit: str, field: str
) -> None:
    for value, lower, upper, name in zip(vector, low, high, names, strict=True):
        if not lower <= value <= upper:
            raise Refusal(
                "invalid",
                f"{field}: {name} = {value:g} {unit} is outside {lower:g} to {upper:g} {unit}",
                f"send {name} within these bounds",
            )


def _component_names(space: GoalSpace) -> tuple[str, ...]:
    return tuple(f"{space.field}[{component}]" for component in space.components)


def _format(vector: Array) -> str:
    return "[" + ", ".join(f"{value:g}" for value in vector[:8]) + "]"
