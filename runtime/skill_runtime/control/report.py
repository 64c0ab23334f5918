"""The outcome of one controller update; the control loop passes it on to the authority."""

from __future__ import annotations

from dataclasses import dataclass

from skill_proto.messages import FaultClass, Mode
from skill_robots.motion.governor import Intervention
from skill_runtime.authority.command import ActiveCommand


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
    faults: tuple[Fault, ...] = ()
    """Faults found, in order. A fault that lasts is found again in every tick."""


class ReportBuilder:
    """Command and mode during one update, and its events so far.

    Attributes:
        command: the active command; None after a fault.
        mode: the mode, with the effect of the events so far.
    """

    def __init__(self) -> None:
        self.command: ActiveCommand | None = None
        self.mode: Mode = "hold"
        self._recovered = False
        self._faults: list[Fault] = []

    def begin(self, command: ActiveCommand | None, mode: Mode) -> None:
        """Begins an update; faults of an update that raised an exception are kept."""
        self.command, self.mode, self._recovered = command, mode, False

    @property
    def is_faulty(self) -> bool:
        """Whether a fault has been found."""
        return bool(self._faults)

    def add_fault(self, fault: Fault) -> None:
        """Adds a fault, which ends the command."""
        self._faults.append(fault)
        self.command = None
        self.mode = "stopped" if self.mode == "stopped" else "fault"

    def set_recovered(self) -> None:
        """Ends the recoverable fault in force."""
        self._recovered, self.mode = True, "hold"

    def finish(self, intervention: Intervention | None) -> UpdateReport:
        """Returns the report and forgets its faults."""
        faults, self._faults = tuple(self._faults), []
        return UpdateReport(recovered=self._recovered, intervention=intervention, faults=faults)
