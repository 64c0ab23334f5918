"""Observation fields for the names of observation terms in exports of mjlab and Isaac Lab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skill_robots.observation import FIELDS
from skill_runtime.policy.foreign.metadata import ExportedMetadata

JOINT_POSITION = ("joint_pos", "joint_pos_rel", "joint_position")
JOINT_VELOCITY = ("joint_vel", "joint_vel_rel", "joint_velocity")
PREVIOUS_ACTION = ("actions", "last_action", "previous_action", "previous_actions")
GOAL = ("goal", "command", "pose_command", "desired_goal", "target_object_position")

_SAME = {
    "object_position": "cube_position",
    "object_pos": "cube_position",
    "ee_pos": "end_effector_position",
    "eef_pos": "end_effector_position",
    "ee_quat": "end_effector_quaternion",
    "eef_quat": "end_effector_quaternion",
    "gripper_pos": "finger_position",
} | {name: name for name in FIELDS}
"""Our field by the name of a term. Exporters name terms freely, so a person must check it."""

ARM_JOINTS = 7
Field = dict[str, Any]


def fields_of(metadata: ExportedMetadata, action_size: int, width: int) -> list[Field] | None:
    """Returns the fields of the observation terms, or None if their sizes do not add up.

    At most one term may have an unknown size: it gets the entries that are left, as a goal if its
    name is that of a command, and otherwise with a name that a person must replace.

    Args:
        metadata: of the file.
        action_size: length of the action.
        width: length of the graph's observation.
    """
    names = metadata.observation_names
    lengths = metadata.observation_history_lengths
    steps = [1] * len(names)
    if len(lengths) == len(names):
        steps = [max(1, round(length)) for length in lengths]
    found = [_known(name, metadata, action_size) for name in names]
    known = sum(
        k * _width(fields) for k, fields in zip(steps, found, strict=True) if fields is not None
    )
    open_terms = [k for k, fields in enumerate(found) if fields is None]
    if len(open_terms) > 1 or not names:
        return None
    left = width - known
    if open_terms:
        at = open_terms[0]
        if left <= 0 or left % steps[at]:
            return None
        found[at] = [_open_term(names[at], left // steps[at], metadata)]
        left = 0
    if left:
        return None
    return [
        field | ({"history": k} if k > 1 else {})
        for k, fields in zip(steps, found, strict=True)
        for field in fields or []
    ]


def _known(name: str, metadata: ExportedMetadata, action_size: int) -> list[Field] | None:
    """Returns the fields of a term whose size is known, or None."""
    joints = len(metadata.joint_names) or ARM_JOINTS
    if joints not in (ARM_JOINTS, ARM_JOINTS + 2):
        return None
    if name in JOINT_POSITION:
        return _joint_fields("joint_position", "finger_position", joints, metadata)
    if name in JOINT_VELOCITY:
        return _joint_fields("joint_velocity", "constant", joints, metadata)
    if name in PREVIOUS_ACTION:
        return [_field("previous_action", action_size, "1", "none")]
    if name in _SAME:
        spec = FIELDS[_SAME[name]]
        return [_field(spec.name, spec.size, spec.unit, spec.frame)]
    return None


def _joint_fields(arm: str, fingers: str, joints: int, metadata: ExportedMetadata) -> list[Field]:
    """Returns the field of the arm's joints, and that of the fingers if the robot has them.

    Velocities of fingers are not measured; a resting finger stands for them.
    """
    spec = FIELDS[arm]
    fields = [_field(spec.name, spec.size, spec.unit, spec.frame)]
    default = metadata.default_joint_pos
    is_relative = arm == "joint_position" and len(default) == joints
    if is_relative:
        fields[0]["offset"] = list(default[:ARM_JOINTS])
    if joints > ARM_JOINTS:
        fields.append(_field(fingers, 2, "m" if fingers != "constant" else "1", "none"))
        if is_relative:
            fields[1]["offset"] = list(default[ARM_JOINTS:])
    return fields


def _open_term(name: str, size: int, metadata: ExportedMetadata) -> Field:
    if name in (*GOAL, *metadata.command_names):
        return _field("goal", size, None, None)
    return _field(None, size, None, None)


def _field(name: str | None, size: int, unit: str | None, frame: str | None) -> Field:
    return {"name": name, "size": size, "unit": unit, "frame": frame}


def _width(fields: Sequence[Field]) -> int:
    return sum(field["size"] for field in fields)
