"""command."""

from __future__ import annotations

from dataclasses import dataclass

from skill_proto.arrays import Array

DEMO = "demo"
"""``kind`` of the command of the internal show-off controller."""


@dataclass(frozen=True, kw_only=True)
class ActiveCommand:
    """The command that the arm carries out."""

    kind: str
    """Message type, or :data:`DEMO`."""
    vector: Array
    """Skill, goal [m], joint positions [rad] or end-effector position [m]."""
    expires: float
    """Server time at which it ends [s]."""
    seq: int = 0
    gripper_width: float | None = None
    grasp: bool = False


@dataclass(frozen=True, kw_only=True)
class CommandHeader:
    """What every leased command says of itself."""

    lease: str
    seq: int
    reference_time: float
    valid_for_s: float | None = None
