"""Checks the content of commands against the policy and the arm that execute them."""

from __future__ import annotations

import math
import operator

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Goal, ServoJoint, ServoPose, Skill, Welcome
from skill_proto.vectors import (
    BOUND_TOLERANCE,
    MIN_SKILL_NORM,
    VectorError,
    goal_names,
    normalise_skills,
    within,
)
from skill_runtime.authority.refusal import Refusal


class CommandValidator:
    """The bounds of one server's commands.

    Args:
        welcome: Describes the server; time, mode and lease are not used.
    """

    def __init__(self, welcome: Welcome) -> None:
        self._manifest = welcome.manifest
        self._robot = welcome.robot
        self._joint_names = welcome.joint_names
        self._joint_low = welcome.joint_position_low
        self._joint_high = welcome.joint_position_high
        self._gripper_width_max = welcome.gripper_width_max

    def validate(self, message: Skill | Goal | ServoJoint | ServoPose) -> Array:
        """Returns the vector of a motion command, as the controller executes it.

        Raises:
            Refusal: ``not_supported`` or ``invalid``.
        """
        self._check_gripper_width(message.gripper_width)
        try:
            match message:
                case Skill():
                    return validate_skill(message, self._manifest)
                case Goal():
                    return validate_goal(message, self._manifest)
                case ServoJoint():
                    return self._validate_joints(message)
                case ServoPose():
                    return self._validate_pose(message)
        except VectorError as error:
            fix = f"{error.fix}; 'hold' stops the arm" if isinstance(message, Skill) else error.fix
            raise Refusal("invalid", str(error), fix) from None

    def _validate_joints(self, message: ServoJoint) -> Array:
        """Returns the joint positions ``(dof,)`` [rad], inside the limits of the arm."""
        owner = f"arm {self._robot!r}"
        values = _sized(message.joint_position, len(self._joint_names), "joint_position", owner)
        low, high, names = self._joint_low, self._joint_high, self._joint_names
        return _within(values, low, high, names, "rad", "joint_position")

    def _validate_pose(self, message: ServoPose) -> Array:
        """Returns the end-effector position ``(3,)`` [m], inside the workspace."""
        plant = self._manifest.arm_plant
        return _within(
            message.end_effector_position,
            plant.workspace_low_m,
            plant.workspace_high_m,
            ("x", "y", "z"),
            "m",
            "end_effector_position",
        )

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

    A policy with neither skill nor goal takes the empty skill.

    Raises:
        Refusal: ``not_supported``, or ``invalid`` for a wrong size.
        VectorError: The skill breaks a rule.
    """
    space = manifest.skill
    if space.kind == "none" and (manifest.goal is not None or message.skill):
        fix = "send an empty 'skill'" if manifest.goal is None else "send 'goal' or 'servo_*'"
        raise Refusal("not_supported", f"policy {manifest.name!r} takes no skill", fix)
    if space.kind == "none":
        return np.zeros(0)
    values = _sized(message.skill, space.size, "skill", f"policy {manifest.name!r}")
    length = math.hypot(*values)
    if space.kind == "sphere" and MIN_SKILL_NORM <= length < math.inf:
        return np.array([value / length for value in values])
    return normalise_skills(np.array([values]), space)[0]


def validate_goal(message: Goal, manifest: PolicyManifest) -> Array:
    """Returns the goal ``(G,)``, inside the box that the manifest declares.

    Raises:
        Refusal: ``not_supported``, or ``invalid`` for a wrong size.
        VectorError: The goal is outside of the box.
    """
    space = manifest.goal
    if space is None:
        fix = "send 'skill' instead" if manifest.skill.size else "send an empty 'skill' instead"
        raise Refusal("not_supported", f"policy {manifest.name!r} takes no goals", fix)
    values = _sized(message.goal, manifest.goal_size, "goal", f"policy {manifest.name!r}")
    return _within(values, space.low, space.high, goal_names(space), space.unit, "goal")


def _sized(values: tuple[float, ...], size: int, name: str, owner: str) -> tuple[float, ...]:
    if len(values) != size:
        raise Refusal(
            "invalid",
            f"{name} has {len(values)} entries, {owner} takes {size}",
            f"send {size} numbers",
        )
    return values


def _within(
    values: tuple[float, ...],
    low: tuple[float, ...],
    high: tuple[float, ...],
    names: tuple[str, ...],
    unit: str,
    name: str,
) -> Array:
    """Returns values inside their bounds; see :func:`skill_proto.vectors.within`."""
    # Plain floats first: numpy takes several times as long for so few numbers.
    if all(map(operator.le, low, values)) and all(map(operator.le, values, high)):
        return np.array(values)
    return within(np.array([values]), low, high, names, unit, name)[0]
