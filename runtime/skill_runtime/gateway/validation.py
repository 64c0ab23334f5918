"""Checks the content of commands against the policy and the arm that execute them."""

from __future__ import annotations

import math

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import GoalSpace, PolicyManifest
from skill_proto.messages import Goal, ServoJoint, ServoPose, Skill, Welcome
from skill_runtime.authority.refusal import Refusal

MIN_SKILL_NORM = 1e-6
"""A shorter skill has no direction."""

BOUND_TOLERANCE = 1e-6
"""A number that exceeds its bound by no more than this counts as rounded, and is set to the bound.
It is the error of a position of a few metres in single precision [m or rad]."""


class CommandValidator:
    """The bounds of one server's commands.

    Args:
        welcome: Describes the server; time, mode and lease are not used.
    """

    def __init__(self, welcome: Welcome) -> None:
        self._manifest = welcome.manifest
        self._robot = welcome.robot
        self._joint_names = welcome.joint_names
        self._joint_low = np.array(welcome.joint_position_low)
        self._joint_high = np.array(welcome.joint_position_high)
        self._gripper_width_max = welcome.gripper_width_max

    def validate(self, message: Skill | Goal | ServoJoint | ServoPose) -> Array:
        """Returns the vector of a motion command, as the controller executes it.

        Raises:
            Refusal: ``not_supported`` or ``invalid``.
        """
        self._check_gripper_width(message.gripper_width)
        match message:
            case Skill():
                return validate_skill(message, self._manifest)
            case Goal():
                return validate_goal(message, self._manifest)
            case ServoJoint():
                return self._validate_joints(message)
            case ServoPose():
                return self._validate_pose(message)

    def _validate_joints(self, message: ServoJoint) -> Array:
        """Returns the joint positions ``(dof,)`` [rad], inside the limits of the arm."""
        owner = f"arm {self._robot!r}"
        vector = _sized(message.joint_position, len(self._joint_names), "joint_position", owner)
        low, high, names = self._joint_low, self._joint_high, self._joint_names
        return _within(vector, low, high, names, "rad", "joint_position")

    def _validate_pose(self, message: ServoPose) -> Array:
        """Returns the end-effector position ``(3,)`` [m], inside the workspace."""
        plant = self._manifest.plant
        low, high = np.array(plant.workspace_low_m), np.array(plant.workspace_high_m)
        vector = np.array(message.end_effector_position)
        return _within(vector, low, high, ("x", "y", "z"), "m", "end_effector_position")

    def _check_gripper_width(self, width: float | None) -> None:
        limit = self._gripper_width_max
        if width is not None and width > limit + BOUND_TOLERANCE:
            raise Refusal(
                "invalid",
                f"gripper_width {width} m exceeds {limit} m, the gripper's maximum",
                f"send 0 to {limit}, or leave it out",
            )


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
    return _within(vector, np.array(space.low), np.array(space.high), names, space.unit, "goal")


def _sized(values: tuple[float, ...], size: int, name: str, owner: str) -> Array:
    if len(values) != size:
        raise Refusal(
            "invalid",
            f"{name} has {len(values)} entries, {owner} takes {size}",
            f"send {size} numbers",
        )
    return np.array(values, np.float64)


def _within(
    vector: Array, low: Array, high: Array, names: tuple[str, ...], unit: str, field: str
) -> Array:
    """Returns the vector; an entry that exceeds its bound by rounding is set to the bound."""
    for value, lower, upper, name in zip(vector, low, high, names, strict=True):
        if not lower - BOUND_TOLERANCE <= value <= upper + BOUND_TOLERANCE:
            raise Refusal(
                "invalid",
                f"{field}: {name} = {value} {unit} is outside {lower} to {upper} {unit}",
                f"send {name} within these bounds",
            )
    return np.clip(vector, low, high)


def _component_names(space: GoalSpace) -> tuple[str, ...]:
    return tuple(f"{space.field}[{component}]" for component in space.components)


def _format(vector: Array) -> str:
    return "[" + ", ".join(f"{value:g}" for value in vector[:8]) + "]"
