"""The outcome of one controller update; the control loop passes it on to the authority."""

from __future__ import annotations

from dataclasses import dataclass

from skill_proto.messages import FaultClass
from skill_robots.motion.governor import Intervention


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault, as found."""

    kind: FaultClass
    reason: str
    """In words."""


@dataclass(frozen=True, kw_only=True)
class UpdateReport:
    """The events of one update, in the order of their effect."""

    recovered: bool = False
    """The recoverable fault that was in force has ended."""
    intervention: Intervention | None = None
    """The reason why the governor refused the set-point."""
    warning: str = ""
    """An event that the user should know, in words; empty without one."""
    faults: tuple[Fault, ...] = ()
    """Faults found, in order. A fault that lasts is found again in every tick."""
