"""The command that the arm executes, and the header that every leased command carries."""

from __future__ import annotations

from dataclasses import dataclass

from skill_proto.arrays import Array

DEMO = "demo"
"""``kind`` of the commands that :class:`~skill_runtime.control.demo.DemoController` gives."""


@dataclass(frozen=True, kw_only=True)
class ActiveCommand:
    """A command that was accepted and has not ended."""

    kind: str
    """Message type, or :data:`DEMO`."""
    vector: Array
    """Skill, goal [m], joint positions [rad] or end-effector position [m]."""
    expires: float
    """Server time at which it ends [s]."""
    seq: int = 0
    gripper_width: float | None = None
    """[m]; None leaves the gripper to the policy, or unchanged."""
    grasp: bool = False
    """Close on the object and hold by force."""


@dataclass(frozen=True, kw_only=True)
class CommandHeader:
    """Sender, order and freshness of a leased command."""

    lease: str
    """Token of the sender's lease."""
    seq: int
    """Number of the command; it rises within a lease."""
    reference_time: float
    """Newest server time that the sender had seen [s]."""
    valid_for_s: float | None = None
    """Validity from ``reference_time`` on; None takes ``lease.DEFAULT_VALIDITY_S`` [s]."""
