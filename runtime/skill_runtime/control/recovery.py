"""When a recoverable fault ends without ``clear``."""

from __future__ import annotations

from collections.abc import Callable

from skill_proto.messages import FaultClass
from skill_robots.arm import Arm
from skill_runtime.control.arm_link import ArmLink


class AutomaticRecovery:
    """Decides when the cause of a recoverable fault is gone.

    Args:
        arm: the arm.
        link: the connection to the arm.
        missing_object: says which needed object has no fresh pose at a server time; returns None
            if all have one.

    Attributes:
        requested: whether the arm was asked to recover from the fault in force.
    """

    def __init__(
        self, arm: Arm, link: ArmLink, missing_object: Callable[[float], str | None]
    ) -> None:
        self._arm = arm
        self._link = link
        self._missing_object = missing_object
        self.requested = False

    def has_ended(self, fault: FaultClass, now: float) -> bool:
        """Returns whether the cause of a recoverable fault is gone at server time ``now``.

        ``tracker`` ends with a fresh pose of every needed object. ``communication`` ends after
        ``RECOVERY_TIME_S`` of answers, from an arm at rest and in sync.
        """
        if fault == "tracker":
            return self._missing_object(now) is None
        return self._link.is_stable

    def request(self, fault: FaultClass | None) -> None:
        """Asks the arm to recover, once per ``communication`` fault, when it answers at rest.

        The arm does not answer until it has recovered. Call this once a tick as long as the fault
        lasts, and once more after its end.

        Args:
            fault: class of the recoverable fault in force; None without one.

        Raises:
            ArmError: the arm cannot recover.
        """
        if fault != "communication":
            self.requested = False
        elif not self.requested and self._link.fresh and self._link.monitor.at_rest:
            self.requested = True
            self._arm.recover()
