"""A message becomes a target, or is refused.

The rules are pure: messages arrive here as numbers and names, so that they are tested without ROS.
Every pose is in the server's world frame; units are m, rad and s; quaternions have w first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from skill_proto.printable import printable
from skill_proto.validation_text import clip
from skill_runtime.ros2.parameters import Ros2Parameters

TargetKind = Literal["servo_pose", "servo_joint", "skill", "goal"]

MAX_AHEAD_S = 0.05
"""A stamp this far ahead of the node's clock is refused [s]; the server has the same bound."""

POINT_SIZE = 3
"""Largest number of entries of a goal that the topic ``goal``, a point, can carry."""

GRIPPER_DOWN = (0.0, 1.0, 0.0, 0.0)
"""Orientation of an end effector that points down, w first."""


class RefusedMessageError(Exception):
    """A message is no target; the text says what was wrong, what was expected, and the fix."""


@dataclass(frozen=True)
class Target:
    """A target for the arm."""

    topic: str
    kind: TargetKind
    values: tuple[float, ...]
    ends: float
    """Time of ``time.monotonic`` after which it must not move the arm [s]."""


@dataclass(frozen=True)
class Header:
    """Header of a message with a stamp."""

    frame_id: str
    age_s: float
    """Time of the node's clock minus the stamp [s]."""
    stamp_ns: int = 0
    """The stamp itself [ns]."""


class TargetRules:
    """Makes targets of messages.

    Args:
        parameters: Parameters of the node.

    Each method raises RefusedMessageError. ``now`` is the time of ``time.monotonic`` at which the
    message arrived [s].
    """

    def __init__(self, parameters: Ros2Parameters) -> None:
        self._parameters = parameters
        self._newest: dict[str, tuple[int, float]] = {}  # by topic: stamp [ns] and arrival [s]

    def pose(
        self, header: Header, position: Sequence[float], orientation: Sequence[float], now: float
    ) -> Target:
        """Returns a target of the end effector: ``(3,)`` [m] and a quaternion ``(4,)``."""
        self._check_frame(header)
        _check_finite("position", position)
        _check_finite("orientation", orientation)
        angle, most = angle_from_down(orientation), self._parameters.orientation_tolerance_rad
        if angle > most:
            raise RefusedMessageError(
                f"the orientation is {angle:.2f} rad from the gripper pointing down, at most "
                f"{most:g} rad from (x, y, z, w) = (1, 0, 0, 0) are taken, turns about the "
                "vertical included; send that one, or raise the parameter "
                "orientation_tolerance_rad: the server keeps the gripper down"
            )
        return self._target(
            "target_pose", "servo_pose", position, self._left("target_pose", header, now), now
        )

    def joints(
        self,
        header: Header,
        names: Sequence[str],
        positions: Sequence[float],
        expected: Sequence[str],
        now: float,
    ) -> Target:
        """Returns a target of the joints, whose names ``expected`` gives in the server's order."""
        if len(names) != len(positions):
            raise RefusedMessageError(
                f"{len(names)} names and {len(positions)} positions; send one position per name"
            )
        if sorted(names) != sorted(expected):
            raise RefusedMessageError(
                f"the joints are {_listed(names)}; send each of {_listed(expected)} once"
            )
        _check_finite("position", positions)
        by_name = dict(zip(names, positions, strict=True))
        ordered = [by_name[name] for name in expected]
        return self._target(
            "target_joint", "servo_joint", ordered, self._left("target_joint", header, now), now
        )

    def skill(self, values: Sequence[float], size: int, now: float) -> Target:
        """Returns a skill ``(size,)``, valid from its arrival: the message has no stamp."""
        if len(values) != size:
            raise RefusedMessageError(
                f"{len(values)} numbers; send {size}, the length of the policy's skills"
            )
        _check_finite("data", values)
        return self._target("skill", "skill", values, self._parameters.valid_for_s, now)

    def goal(self, header: Header, point: Sequence[float], size: int, now: float) -> Target:
        """Returns a goal ``(size,)``, the first entries of the point; size 0: no goals."""
        self._check_frame(header)
        if not size:
            raise RefusedMessageError("the policy takes no goals; publish a skill")
        if size > POINT_SIZE:
            raise RefusedMessageError(
                f"the policy's goals have {size} numbers, and a point has {POINT_SIZE}; send the "
                "goal with SkillClient"
            )
        _check_finite("point", point)
        return self._target("goal", "goal", point[:size], self._left("goal", header, now), now)

    def _check_frame(self, header: Header) -> None:
        wanted = self._parameters.frame_id
        if header.frame_id != wanted:
            given = printable(clip(header.frame_id, 60))
            raise RefusedMessageError(
                f"frame_id is '{given}'; send '{wanted}', or give the server's world frame "
                "another name by the parameter frame_id"
            )

    def _left(self, topic: str, header: Header, now: float) -> float:
        """Returns how long a stamped target remains valid [s]; the last check of a message."""
        age_s, most, valid_s = (
            header.age_s,
            self._parameters.max_age_s,
            self._parameters.valid_for_s,
        )
        if age_s > most or age_s >= valid_s:
            limit = f"at most {most:g} s" if most < valid_s else f"less than {valid_s:g} s"
            raise RefusedMessageError(
                f"the stamp is {age_s:.3g} s old, {limit} are taken; set header.stamp to the time "
                "of sending, and keep the clocks of both machines equal"
            )
        if age_s < -MAX_AHEAD_S:
            raise RefusedMessageError(
                f"the stamp is {-age_s:.3g} s ahead of this node's clock; keep the clocks of both "
                "machines equal"
            )
        newest_ns, arrived = self._newest.get(topic, (header.stamp_ns, now))
        # After a silence the order begins anew: a clock may have been set back.
        if header.stamp_ns < newest_ns and now - arrived <= self._parameters.silence_s:
            raise RefusedMessageError(
                f"the stamp is {1e-9 * (newest_ns - header.stamp_ns):.3g} s older than that of the "
                "message before; publish a topic from one program, in the order of the stamps"
            )
        self._newest[topic] = header.stamp_ns, now
        return valid_s - max(0.0, age_s)

    def _target(
        self, topic: str, kind: TargetKind, values: Sequence[float], left_s: float, now: float
    ) -> Target:
        return Target(topic, kind, tuple(float(value) for value in values), now + left_s)


def angle_from_down(quaternion: Sequence[float]) -> float:
    """Returns the angle between an orientation and the gripper pointing down [rad].

    Args:
        quaternion: ``(4,)``, w first; its length is irrelevant.

    Raises:
        RefusedMessageError: The quaternion is zero.
    """
    length = math.hypot(*quaternion)
    if length < 1e-6:
        raise RefusedMessageError("the orientation is zero; send (x, y, z, w) = (1, 0, 0, 0)")
    along = sum(a * b for a, b in zip(quaternion, GRIPPER_DOWN, strict=True)) / length
    return 2.0 * math.acos(min(1.0, abs(along)))


def _check_finite(field: str, values: Sequence[float]) -> None:
    if not all(math.isfinite(value) for value in values):
        raise RefusedMessageError(f"{field} has a number that is not finite; send finite numbers")


def _listed(names: Sequence[str]) -> str:
    return printable(clip(", ".join(names) or "(none)", 200))
