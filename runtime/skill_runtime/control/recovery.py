"""When a recoverable fault ends without ``clear``."""

from __future__ import annotations

from collections.abc import Callable

from skill_proto.messages import FaultClass
from skill_robots.arm import Arm
from skill_runtime.control.arm_link import ArmLink


class AutomaticRecovery:
    """Decides when the cause of a recoverable fault is gone.

    Args:
        arm: asked to recover, once per ``communication`` fault.
        link: the connection to that arm.
        missing_object: returns the needed object without a fresh pose, in words, at a time.

    Attributes:
        begun: whether the arm was asked to recover from the fault in force.
    """

    def __init__(
        self, arm: Arm, link: ArmLink, missing_object: Callable[[float], str | None]
    ) -> None:
        self._arm = arm
        self._link = link
        self._missing_object = missing_object
        self.begun = False

    def has_ended(self, fault: FaultClass | None, now: float) -> bool:
        """Returns whether the fault ends in this tick.

        Called in every tick with a recoverable fault, or after recovery was :attr:`begun`.

        ``tracker`` ends with a fresh pose of every needed object. ``communication`` ends after
        ``RECOVERY_TIME_S`` of answers, from an arm at rest and in sync. As soon as such an arm
        answers at rest, it is asked to recover; it is silent until it has.

        Args:
            fault: class of the recoverable fault in force; None without one.
            now: server time [s].

        Raises:
            ArmError: the arm cannot recover.
        """
        if fault != "communication":
            self.begun = False
            return fault == "tracker" and self._missing_object(now) is None
        if not self.begun and self._link.fresh and self._link.monitor.at_rest:
            self.begun = True
            self._arm.recover()
        return self._link.is_stable
