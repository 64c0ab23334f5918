"""When a recoverable fault ends without ``clear``."""

from __future__ import annotations

from collections.abc import Callable

from skill_proto.messages import FaultClass
from skill_robots.arm import Arm
from skill_runtime.control.arm_link import RECOVERY_TIME_S, ArmLink


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
        self._since_request_s = 0.0

    def has_ended(self, fault: FaultClass, now: float) -> bool:
        """Returns whether the cause of a recoverable fault is gone at server time ``now``.

        ``tracker`` ends with a fresh pose of every needed object. ``communication`` ends after
        ``RECOVERY_TIME_S`` of answers, from an arm at rest and in sync.
        """
        if fault == "tracker":
            return self._missing_object(now) is None
        return self._link.is_stable

    def request(self, fault: FaultClass | None) -> None:
        """Asks the arm to recover from a ``communication`` fault, when it answers at rest.

        The arm does not answer until it has recovered. It is asked once, and again after
        ``RECOVERY_TIME_S`` if it still takes no set-point: a robot may report its error after the
        first request only. Call this once a tick as long as the fault lasts, and once more after
        its end.

        Args:
            fault: class of the recoverable fault in force; None without one.

        Raises:
            ArmError: the arm cannot recover.
        """
        if fault != "communication":
            self.requested = False
            return
        link = self._link
        self._since_request_s += self._arm.servo_period_s
        if not (link.fresh and link.monitor.at_rest):
            return
        is_due = link.delivery.out_of_sync and self._since_request_s > RECOVERY_TIME_S
        if not self.requested or is_due:
            self.requested = True
            self._since_request_s = 0.0
            self._arm.recover()
