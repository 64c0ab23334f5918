"""Errors at the server's fault points, as a bug there would raise them."""

from __future__ import annotations

from collections.abc import Callable

from skill_proto.messages import Inbound, Message
from skill_robots.arm import ArmState
from skill_runtime.control.fault_points import FaultPoint, FaultPoints


class ErrorInjector(FaultPoints):
    """Raises an error at one fault point as long as that point is active.

    Args:
        on_error: called before each error.
        on_placed: called after the set-point was placed on the measured joints.
        before_command: called before each command.
        on_answer: called with each command and its reply.

    Attributes:
        active: the fault point that fails at present; None for no failure.
        has_raised: whether an error was raised since this was last set to False.
    """

    def __init__(
        self,
        on_error: Callable[[], None],
        on_placed: Callable[[ArmState], None],
        before_command: Callable[[], None],
        on_answer: Callable[[Inbound, Message], None],
    ) -> None:
        self.active: FaultPoint | None = None
        self.has_raised = False
        self._on_error = on_error
        self._on_placed = on_placed
        self._before_command = before_command
        self._on_answer = on_answer

    def enter(self, point: FaultPoint) -> None:
        """Raises a RuntimeError if ``point`` is active."""
        if point == "handle":
            self._before_command()
        if self.active == point:
            self.has_raised = True
            self._on_error()
            raise RuntimeError(f"injected error at {point!r}")

    def setpoint_placed(self, state: ArmState) -> None:
        """Reports the state to ``on_placed``."""
        self._on_placed(state)

    def answered(self, message: Inbound, reply: Message) -> None:
        """Reports command and reply to ``on_answer``."""
        self._on_answer(message, reply)
