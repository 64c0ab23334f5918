"""Checks that a policy's manifest agrees with the robot that is to run it.

A number in another unit or frame is a wrong number: the policy would see or move something else
than in training. Such a manifest is refused. Differences of the plant that only affect the
performance of a policy are not checked here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import GIVEN_FIELDS, ActionPart, ManifestError, PolicyManifest
from skill_robots.arm import ArmSpec
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.drives import end_effector, joints
from skill_robots.motion.gripper import GRASP, WIDTH, WIDTH_DISPLACEMENT
from skill_robots.observation import FIELDS

_METRE = "m"
_WORLD, _JOINT, _NONE = "world", "joint", "none"

_PARTS: dict[str, tuple[int, str, str]] = {
    end_effector.DISPLACEMENT: (3, _METRE, _WORLD),
    end_effector.POSITION: (3, _METRE, _WORLD),
    end_effector.ROTATION: (3, "rad", _WORLD),
    end_effector.QUATERNION: (4, "1", _WORLD),
    end_effector.EULER: (3, "rad", _WORLD),
    joints.DISPLACEMENT: (7, "rad", _JOINT),
    joints.POSITION: (7, "rad", _JOINT),
    joints.VELOCITY: (7, "rad/s", _JOINT),
    WIDTH: (1, _METRE, _NONE),
    WIDTH_DISPLACEMENT: (1, _METRE, _NONE),
    GRASP: (1, _METRE, _NONE),
}
"""Size, unit and frame of each action part that this robot has."""

_GRIPPER = {WIDTH, WIDTH_DISPLACEMENT, GRASP}
_MOTIONS: tuple[set[str], ...] = (
    {end_effector.DISPLACEMENT},
    {end_effector.DISPLACEMENT, end_effector.ROTATION},
    {end_effector.POSITION},
    *({end_effector.POSITION, name} for name in end_effector.ORIENTATIONS),
    *({name} for name in joints.PARTS),
)
"""Action parts that move the arm together."""

MAX_ANGLE = 2.0 * np.pi
"""A larger scale or offset is one in degrees [rad, rad/s]; no joint is as fast. The arm's own limit
of speed does not count, which may be reduced for a first motion."""

ROUNDED = 1e-6
"""Relative difference of two lengths that counts as equal."""

TRAINED_UNITS = {"cube_mass": "kg", "cube_table_friction": "1"}
"""Units of the quantities of ``trained_on``, and of estimates, that serving and evaluation read."""


class UnsupportedPolicyError(ValueError):
    """A policy needs observations or actions that this robot does not have as declared."""


def check_supported(spec: ArmSpec, manifest: PolicyManifest) -> None:
    """Checks observation, action, goal, workspace and units of a policy.

    Raises:
        UnsupportedPolicyError: the text lists every contradiction.
    """
    try:
        manifest.arm_plant  # noqa: B018  a policy without an arm raises
    except ManifestError as error:
        raise UnsupportedPolicyError(str(error)) from None
    _check_fields(manifest)
    _check_parts(manifest)
    checks: tuple[Callable[[ArmSpec, PolicyManifest], list[str]], ...] = (
        _observation,
        _action,
        _goal,
        _workspace,
        _quantities,
    )
    found = [text for check in checks for text in check(spec, manifest)]
    if found:
        raise UnsupportedPolicyError(
            f"the manifest of {manifest.name!r} contradicts the robot {spec.name!r}: "
            f"{'; '.join(found)}. Correct the manifest (docs/policy-file.md); if it is right, this "
            "robot cannot run the policy"
        )


def _reach_m(spec: ArmSpec) -> float:
    """Returns an upper bound on the distance of the end effector from the arm's first axis [m]."""
    return float(spec.end_effector_reach[0])


def _check_fields(manifest: PolicyManifest) -> None:
    unknown = [
        field.name
        for field in manifest.measured
        if field.name not in FIELDS or FIELDS[field.name].size != field.size
    ]
    if unknown:
        raise UnsupportedPolicyError(
            f"the policy observes fields that this robot does not have in that size: "
            f"{', '.join(unknown)}; it has {', '.join(FIELDS)}, and {', '.join(GIVEN_FIELDS)}"
        )
    goal = manifest.goal
    if goal is not None and goal.field not in FIELDS:
        raise UnsupportedPolicyError(
            f"the goal is of the field {goal.field!r}, which this robot does not have; it has "
            f"{', '.join(FIELDS)}"
        )


def _check_parts(manifest: PolicyManifest) -> None:
    names = {part.name for part in manifest.action}
    known = all(_PARTS.get(part.name, (0,))[0] == part.size for part in manifest.action)
    if not known or len(names & _GRIPPER) > 1 or names - _GRIPPER not in _MOTIONS:
        raise UnsupportedPolicyError(
            f"the policy's action is {[(part.name, part.size) for part in manifest.action]}; this "
            f"robot takes {' or '.join(map(_sizes, _MOTIONS))}, alone or with one of "
            f"{', '.join(sorted(_GRIPPER))} (1)"
        )


def _sizes(names: set[str]) -> str:
    return " and ".join(f"{name} ({_PARTS[name][0]})" for name in _PARTS if name in names)


def _observation(spec: ArmSpec, manifest: PolicyManifest) -> list[str]:
    del spec
    return [
        text
        for field in manifest.measured
        for text in _differences(
            f"observation {field.name!r}",
            (field.unit, field.frame),
            (FIELDS[field.name].unit, FIELDS[field.name].frame),
        )
    ]


def _action(spec: ArmSpec, manifest: PolicyManifest) -> list[str]:
    found: list[str] = []
    for part in manifest.action:
        owner = f"action {part.name!r}"
        found += _differences(owner, (part.unit, part.frame), _PARTS[part.name][1:])
        if part.name in _GRIPPER and part.max_offset:
            found.append(f"{owner} has an offset, which the gripper does not take")
        else:
            found += _magnitude(spec, part, f"{owner} has the offset", part.max_offset)
        scale = part.max_scale
        too_large = _magnitude(spec, part, f"{owner} has the scale", scale)
        found += too_large
        if (
            not too_large
            and part.name in (WIDTH, GRASP)
            and scale > spec.gripper_width_max * (1 + ROUNDED)
        ):
            found.append(
                f"{owner} has the scale {scale:g} m, but this gripper opens to "
                f"{spec.gripper_width_max:g} m"
            )
    return found


def _magnitude(spec: ArmSpec, part: ActionPart, owner: str, size: float) -> list[str]:
    """Returns the faults in the magnitude of a scale or offset, one text each."""
    if part.unit == _METRE and size > _reach_m(spec):
        return [f"{owner} {size:g} m, {_beyond(spec)}"]
    if part.unit in ("rad", "rad/s") and size > MAX_ANGLE * (1 + ROUNDED):
        per_second = " per second" if part.unit == "rad/s" else ""
        return [f"{owner} {size:g} {part.unit}, over a turn{per_second}; is it in degrees?"]
    return []


def _goal(spec: ArmSpec, manifest: PolicyManifest) -> list[str]:
    goal = manifest.goal
    if goal is None:
        return []
    field = FIELDS[goal.field]
    found = _differences("goal", (goal.unit, goal.frame), (field.unit, field.frame))
    if max(goal.components) >= field.size:
        found.append(
            f"goal has the component {max(goal.components)}, expected at most {field.size - 1}: "
            f"{field.name!r} has {field.size} entries"
        )
    farthest = max(abs(value) for value in (*goal.low, *goal.high))
    if (goal.unit, goal.frame) == (_METRE, "world") and farthest > 2 * _reach_m(spec):
        found.append(f"goal reaches {farthest:g} m from the origin, {_beyond(spec)}")
    return found


def _workspace(spec: ArmSpec, manifest: PolicyManifest) -> list[str]:
    plant, reach = manifest.arm_plant, _reach_m(spec)
    low, high = np.array(plant.workspace_low_m), np.array(plant.workspace_high_m)
    found: list[str] = []
    if (high - low).max() > 2 * reach:
        found.append(f"the workspace is {(high - low).max():g} m long, {_beyond(spec)}")
    base = np.array(ActionConfig().base_position)
    nearest = np.clip(base, low, high) - base
    if np.hypot(*nearest[:2]) > reach or abs(nearest[2]) > 2 * reach:
        found.append(
            f"the workspace {_box(low)} to {_box(high)} m does not contain a point within the "
            f"arm's reach of {reach:g} m around its base at {_box(base)} m"
        )
    if plant.max_setpoint_error_m > reach:
        found.append(f"max_setpoint_error_m is {plant.max_setpoint_error_m:g} m, {_beyond(spec)}")
    return found


def _quantities(spec: ArmSpec, manifest: PolicyManifest) -> list[str]:
    del spec
    context = manifest.context
    units = [
        (f"trained_on {name!r}", name, span.unit) for name, span in manifest.trained_on.items()
    ]
    if context is not None:
        units += [
            (f"context estimate {item.name!r}", item.name, item.unit)
            for item in (*context.estimates, *context.unidentified)
        ]
    return [
        f"{owner} has the unit {unit!r}, expected {TRAINED_UNITS[name]!r}"
        for owner, name, unit in units
        if unit != TRAINED_UNITS.get(name, unit)
    ]


def _differences(owner: str, given: tuple[str, str], expected: tuple[str, str]) -> list[str]:
    """Compares (unit, frame)."""
    return [
        f"{owner} has the {kind} {found!r}, expected {wanted!r}"
        for kind, found, wanted in zip(("unit", "frame"), given, expected, strict=True)
        if found != wanted
    ]


def _beyond(spec: ArmSpec) -> str:
    return f"too much for an arm with a reach of {_reach_m(spec):g} m; the unit is metres"


def _box(corner: Array) -> str:
    return "(" + ", ".join(f"{value:g}" for value in corner) + ")"
