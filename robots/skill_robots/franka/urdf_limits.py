"""Limits of a connected arm from the URDF that it sends.

An FR3 describes itself in the reply to ``GetRobotModel`` (robot systems from 5.7 on): ranges and
velocity limits of its joints, and from 5.9 on its position-based velocity limits. Those differ
between robot systems and from the documentation, so a driver takes them from the robot.

The text comes over a network. It is parsed as a stream by expat, without a tree and without
document type definitions, so that entities cannot make it larger than it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from xml.parsers.expat import ExpatError, ParserCreate

import numpy as np

from skill_proto.arrays import Array, Flags
from skill_robots.arm import ArmError, ArmSpec, PositionBasedVelocityLimit

JOINTS = 7
"""Joints of both arms."""

MAX_BYTES = 1 << 20
"""Largest URDF that is parsed; that of an FR3 has 20 kB."""

MAX_DEPTH = 32
"""Deepest nesting of elements that is parsed; a URDF needs six."""

RANGE_TOLERANCE = 0.3
"""Largest difference of an end of a joint's range from the published one [rad]. Systems before 5.9
differ by up to 0.16; the Panda's joint 6 differs from the FR3's by 0.46."""

VELOCITY_FACTOR = 1.5
"""Largest ratio of a velocity limit to the published one; the Panda's joint 5 has half of the
FR3's."""

_MAX_MAGNITUDE = 1e4
"""Largest magnitude of a number in SI units that can be a limit of a joint."""

_NAME = re.compile(r"(?:.*[^A-Za-z0-9])?joint([1-7])", re.DOTALL)
"""Name of an arm's joint, with any prefix: ``joint1``, ``fr3_joint1``."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class UrdfError(ArmError):
    """A robot's URDF is malformed, incomplete, or describes another type of arm."""


@dataclass(frozen=True, kw_only=True)
class UrdfLimits:
    """Limits in a URDF, ``(7,)`` each."""

    position_low: Array
    """[rad]."""
    position_high: Array
    """[rad]."""
    velocity_limit: Array
    """[rad/s]."""
    position_based_velocity_limit: PositionBasedVelocityLimit | None
    """None if no joint has one."""


@dataclass
class _Joint:
    """Elements of one joint of the arm, as attributes by name."""

    name: str
    limit: dict[str, str] | None = None
    near_end: dict[str, str] | None = None


@dataclass
class _Reader:
    """Collects the joints of the arm while expat reads the text."""

    path: list[str] = field(default_factory=list[str])
    """Names of the open elements."""
    joints: dict[int, _Joint] = field(default_factory=dict[int, _Joint])
    """By the number of the joint, 1 to 7."""
    open_joint: _Joint | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Handles the start of an element."""
        self.path.append(tag)
        depth = len(self.path)
        if depth > MAX_DEPTH:
            raise UrdfError(f"the URDF nests more than {MAX_DEPTH} elements")
        if depth == 1 and tag != "robot":
            raise UrdfError(f"the URDF begins with {_short(tag)}, expected <robot>")
        if self.path == ["robot", "joint"]:
            self._start_joint(attributes)
        elif self.path[:2] == ["robot", "joint"] and depth == 3 and self.open_joint is not None:
            joint = self.open_joint
            if tag == "limit":
                joint.limit = _only(joint.limit, joint.name, tag, attributes)
            elif tag == "position_based_velocity_limits":
                joint.near_end = _only(joint.near_end, joint.name, tag, attributes)

    def end(self, tag: str) -> None:
        """Handles the end of an element."""
        del tag
        if len(self.path) == 2:
            self.open_joint = None
        self.path.pop()

    def refuse_declaration(self, *declaration: object) -> None:
        """Refuses a document type declaration."""
        del declaration
        raise UrdfError(
            "the URDF has a document type declaration, which a robot description does not need"
        )

    def _start_joint(self, attributes: dict[str, str]) -> None:
        match = _NAME.fullmatch(attributes.get("name", ""))
        if match is None or attributes.get("type") != "revolute":
            return  # such as a finger's joint 1, which is prismatic
        number = int(match[1])
        joint = _Joint(attributes["name"])
        if number in self.joints:
            raise UrdfError(
                f"the URDF has two joints {number}, {_short(self.joints[number].name)} and "
                f"{_short(joint.name)}; expected one arm with joints 1 to {JOINTS}"
            )
        self.joints[number] = self.open_joint = joint


def limits_from_urdf(text: str) -> UrdfLimits:
    """Reads the limits of an arm's seven joints.

    Joints are found by the end of their names, ``joint1`` to ``joint7``, as in libfranka.

    Raises:
        UrdfError: the text is not a URDF of one arm with finite, plausible limits.
    """
    numbers = range(1, JOINTS + 1)
    found = _parse(text)
    if missing := [f"joint{number}" for number in numbers if number not in found]:
        raise UrdfError(
            f"the URDF has no revolute {', '.join(missing)}; expected joint1 to joint{JOINTS}"
        )
    joints = [found[number] for number in numbers]
    limits = [_element(joint.name, "limit", joint.limit) for joint in joints]
    low, high, velocity = (
        _vector(joints, limits, attribute) for attribute in ("lower", "upper", "velocity")
    )
    _check(joints, low < high, "an upper limit above its lower one")
    _check(joints, velocity > 0.0, "a positive velocity limit")
    return UrdfLimits(
        position_low=low,
        position_high=high,
        velocity_limit=velocity,
        position_based_velocity_limit=_near_end(joints, low, high),
    )


def spec_from_urdf(spec: ArmSpec, text: str) -> ArmSpec:
    """Returns ``spec`` with ranges and velocity limits of the connected arm.

    If the URDF has no position-based velocity limits, those of ``spec`` apply to its ranges.

    Raises:
        UrdfError: the text is not a URDF, or its limits are those of another type of arm.
    """
    limits = limits_from_urdf(text)
    _check_type(spec, limits)
    near_end = limits.position_based_velocity_limit
    return replace(
        spec,
        position_low=limits.position_low,
        position_high=limits.position_high,
        velocity_limit=limits.velocity_limit,
        position_based_velocity_limit=near_end or spec.position_based_velocity_limit,
    )


def _parse(text: str) -> dict[int, _Joint]:
    """Returns the joints of the arm by number."""
    if len(text) > MAX_BYTES:
        raise UrdfError(f"the URDF has {len(text):,} characters, more than {MAX_BYTES:,}")
    reader, parser = _Reader(), ParserCreate("utf-8")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.refuse_declaration
    try:
        parser.Parse(text.encode("utf-8"), True)
    except ExpatError as error:
        raise UrdfError(f"the URDF is not well-formed XML: {error}") from None
    except UnicodeEncodeError:
        raise UrdfError("the URDF has characters that UTF-8 does not have") from None
    return reader.joints


def _only(
    before: dict[str, str] | None, joint: str, tag: str, attributes: dict[str, str]
) -> dict[str, str]:
    """Returns the attributes of an element that a joint has once."""
    if before is not None:
        raise UrdfError(f"{_short(joint)} of the URDF has two elements <{tag}>, expected one")
    return attributes


def _element(joint: str, tag: str, attributes: dict[str, str] | None) -> dict[str, str]:
    if attributes is None:
        raise UrdfError(f"{_short(joint)} of the URDF has no <{tag}>")
    return attributes


def _vector(joints: list[_Joint], elements: list[dict[str, str]], attribute: str) -> Array:
    """Returns one attribute of each joint, ``(7,)``, read-only."""
    values = np.array(
        [
            _number(joint.name, attribute, element.get(attribute))
            for joint, element in zip(joints, elements, strict=True)
        ]
    )
    values.flags.writeable = False
    return values


def _number(joint: str, attribute: str, text: str | None) -> float:
    if text is None:
        raise UrdfError(f"{_short(joint)} of the URDF has no attribute {attribute!r}")
    trimmed = text.strip(" \t\r\n")
    value = float(trimmed) if _NUMBER.fullmatch(trimmed) and len(trimmed) <= 64 else np.inf
    if abs(value) > _MAX_MAGNITUDE:
        raise UrdfError(
            f"{attribute} of {_short(joint)} in the URDF is {_short(text)}, expected a number of "
            f"magnitude at most {_MAX_MAGNITUDE:g}"
        )
    return value


def _near_end(joints: list[_Joint], low: Array, high: Array) -> PositionBasedVelocityLimit | None:
    """Returns the position-based velocity limits; None if no joint has one."""
    if all(joint.near_end is None for joint in joints):
        return None
    tag = "position_based_velocity_limits"
    elements = [_element(joint.name, tag, joint.near_end) for joint in joints]
    offset = _vector(joints, elements, "velocity_offset")
    deceleration = _vector(joints, elements, "deceleration_limit")
    _check(joints, offset >= 0.0, "a velocity offset of at least 0")
    _check(joints, deceleration > 0.0, "a positive deceleration limit")
    in_the_middle = np.sqrt(deceleration * (high - low)) - offset
    _check(joints, in_the_middle > 0.0, "a velocity bound above 0 in the middle of its range")
    return PositionBasedVelocityLimit(offset=offset, deceleration=deceleration)


def _check(joints: list[_Joint], holds: Flags, expected: str) -> None:
    for joint, good in zip(joints, holds.tolist(), strict=True):
        if not good:
            raise UrdfError(f"{_short(joint.name)} of the URDF does not have {expected}")


def _check_type(spec: ArmSpec, limits: UrdfLimits) -> None:
    """Refuses limits that are not those of an arm of this type."""
    ends = (
        (limits.position_low, spec.position_low, "lower limit"),
        (limits.position_high, spec.position_high, "upper limit"),
    )
    for found, published, name in ends:
        far = np.abs(found - published) > RANGE_TOLERANCE
        _refuse_other_type(spec, far, found, published, f"{name} [rad]")
    ratio = limits.velocity_limit / spec.velocity_limit
    far = (ratio > VELOCITY_FACTOR) | (ratio < 1.0 / VELOCITY_FACTOR)
    _refuse_other_type(
        spec, far, limits.velocity_limit, spec.velocity_limit, "velocity limit [rad/s]"
    )
    inside = (limits.position_low < spec.neutral) & (spec.neutral < limits.position_high)
    _refuse_other_type(spec, ~inside, limits.position_low, spec.neutral, "range around neutral")


def _refuse_other_type(
    spec: ArmSpec, far: Flags, found: Array, published: Array, name: str
) -> None:
    for i in np.flatnonzero(far).tolist():
        raise UrdfError(
            f"the URDF is not that of an arm of type {spec.name!r}: {name} of joint {i + 1} is "
            f"{found[i]:g}, the published value is {published[i]:g}. Name the arm that is connected"
        )


def _short(text: str) -> str:
    """Quotes text of the URDF, printable and at most 40 characters long."""
    return ascii(text if len(text) <= 40 else f"{text[:37]}...")
