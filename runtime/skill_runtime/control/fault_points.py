"""Hooks for fault injection.

Controller, control loop and command reader call :class:`FaultPoints` at a few declared points, if
they were given one. ``skill_runtime.fault_injection`` passes a subclass that raises errors, as a
bug at that point would, and observes when the set-point is placed on the measured joints.
"""

from __future__ import annotations

from typing import Literal

from skill_proto.messages import Inbound, Message
from skill_robots.arm import ArmState

FaultPoint = Literal["handle", "receive", "publish", "set-point", "demo"]
"""Execution of one command, reading of messages, sending of telemetry, shaping of a set-point, step
of the demo."""


class FaultPoints:
    """Hooks without effect; fault injection overrides them."""

    def enter(self, point: FaultPoint) -> None:
        """Is called at the start of an operation, which fails if this raises an exception."""

    def setpoint_placed(self, state: ArmState) -> None:
        """Is called after the set-point was placed on the measured joints of ``state``."""

    def answered(self, message: Inbound, reply: Message) -> None:
        """Is called with each command and its reply, refusals included."""
