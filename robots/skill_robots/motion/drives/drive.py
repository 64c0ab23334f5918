"""ArmDrive: the interface of all kinds of actions that move the arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from skill_proto.arrays import Array
from skill_robots.motion.action import EndEffectors


@dataclass(frozen=True, kw_only=True)
class JointGoal:
    """Where the joints shall go until the next action; exactly one of the two is given."""

    position: Array | None = None
    """``(1, dof)`` [rad]."""
    velocity: Array | None = None
    """``(1, dof)`` [rad/s]."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """The measured arm and its set-point at the time of an action."""

    joint_position: Array
    """Measured ``(1, dof)`` [rad]."""
    setpoint: Array
    """``(1, dof)`` [rad]."""
    ends: EndEffectors


class ArmDrive(Protocol):
    """Joint goals from the actions of a policy."""

    def goal(self, action: Array, now: Situation) -> JointGoal:
        """Returns the goal of an action ``(A,)``; entries beyond [-1, 1] are clipped."""
        ...

    def write_resting(self, action: Array, now: Situation) -> None:
        """Writes the entries by which the arm stays into an action ``(A,)``."""
        ...
