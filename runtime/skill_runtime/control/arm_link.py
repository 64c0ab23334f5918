"""The connection to one arm: reads its state, and sends it governed set-points.

A robot that receives no set-point for :data:`COMMUNICATION_TIMEOUT_S` stops on its own. Its
position is then unknown to the controller: it may have coasted or been moved by hand. The link is
out of sync until the robot, measured at rest, takes a set-point again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from skill_robots.arm import Arm, ArmCommunicationError, ArmError, ArmState, JointTarget
from skill_robots.motion.governor import Governor, Intervention
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.object_tracker import ObjectTracker
from skill_runtime.control.report import Fault
from skill_runtime.control.state_monitor import (
    COMMUNICATION_TIMEOUT_S,
    StateMonitor,
    is_at_rest,
)

RECOVERY_TIME_S = 1.0
"""After a silence, the arm must answer at rest for this long before it is moved again [s]."""


class SetpointDelivery:
    """Tracks whether set-points reach one arm.

    Args:
        arm: the arm.
        clock: server time [s]; read only for an arm that is not in lockstep.

    Attributes:
        out_of_sync: commanded and measured position may differ, because the robot stopped on its
            own. True until the robot takes a set-point while it is measured at rest.
    """

    def __init__(self, arm: Arm, clock: Callable[[], float]) -> None:
        self._arm = arm
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """Starts from a set-point on the measured joints; no set-point has been sent since."""
        self.out_of_sync = not self._arm.lockstep  # the first set-point may be some time away
        self._lost_s = 0.0
        self._last_sent = math.inf

    @property
    def timed_out(self) -> bool:
        """Whether too many set-points in a row did not reach the arm."""
        return self._lost_s > COMMUNICATION_TIMEOUT_S

    def check_timeout(self) -> float | None:
        """Returns the gap since the last set-point if it exceeds the timeout [s], once.

        The link is :attr:`out_of_sync` from then on.
        """
        if self.out_of_sync or self._arm.lockstep:
            return None
        gap_s = self._clock() - self._last_sent
        if gap_s <= COMMUNICATION_TIMEOUT_S:
            return None
        self.out_of_sync = True
        return gap_s

    def on_sent(self, *, at_rest: bool) -> None:
        """A set-point has reached the arm; ``at_rest``: measured in this tick, and at rest."""
        self._lost_s = 0.0
        if not self._arm.lockstep:
            self._last_sent = self._clock()
        if at_rest:
            self.out_of_sync = False

    def on_lost(self) -> None:
        """A set-point has not reached the arm."""
        self._lost_s += self._arm.servo_period_s
        self.out_of_sync = self.out_of_sync or self.timed_out


@dataclass(frozen=True, kw_only=True)
class WriteResult:
    """The outcome of one :meth:`ArmLink.write`."""

    intervention: Intervention | None = None
    """The reason why the governor refused the set-point."""
    fault: Fault | None = None


class ArmLink:
    """Reads one arm, sends it governed set-points, and turns its errors into faults.

    Args:
        arm: the arm.
        tracker: object poses that replace the arm's own.
        clock: server time [s].
        adapter: holds the shaped set-point.
        governor: checks every set-point.
        on_placed: called after the set-point was placed on the measured joints; None for no call.

    Attributes:
        governor: as given.
        monitor: the measured state.
        delivery: whether set-points reach the arm.
        fresh: whether this tick's reading was a new state.
        braking: whether the last set-point is one of the governor's braking trajectory.

    Raises:
        ArmError: the arm cannot be read.
    """

    def __init__(
        self,
        arm: Arm,
        tracker: ObjectTracker,
        clock: Callable[[], float],
        adapter: PolicyAdapter,
        governor: Governor,
        on_placed: Callable[[ArmState], None] | None = None,
    ) -> None:
        self.governor = governor
        self.delivery = SetpointDelivery(arm, clock)
        self.monitor = StateMonitor(arm, tracker)
        self.fresh = False
        self.braking = False
        self._arm = arm
        self._adapter = adapter
        self._on_placed = on_placed
        self._place_setpoint()

    @property
    def is_stable(self) -> bool:
        """Whether the arm has been in sync, answering and at rest for :data:`RECOVERY_TIME_S`."""
        return not self.delivery.out_of_sync and self.monitor.stable_for_s >= RECOVERY_TIME_S

    @property
    def at_rest(self) -> bool:
        """Whether the arm is measured at rest, and its set-point is at rest."""
        return self.monitor.at_rest and self._commanded_rest

    @property
    def _commanded_rest(self) -> bool:
        return is_at_rest(self._adapter.setpoint_velocity)

    # The tick -----------------------------------------------------------------------------------

    def read(self) -> list[Fault]:
        """Reads the arm and returns the faults found.

        If the arm is out of sync and reports its state, the set-point is placed there.
        """
        self.fresh = False
        gap_s = self.delivery.check_timeout()
        faults = [] if gap_s is None else [self._gap_fault(gap_s)]
        try:
            self.fresh = self.monitor.read()
        except ArmCommunicationError as error:
            faults.append(Fault(kind="communication", reason=f"the arm does not answer: {error}"))
            # Once it has braked, a silent arm may have stopped listening too.
            if not self._arm.lockstep and self._commanded_rest:
                self.lose_sync()
        except ArmError as error:
            faults.append(Fault(kind=error.kind, reason=f"the arm cannot be read: {error}"))
        if self.delivery.out_of_sync and self.fresh:
            self.hold_measured()
        return faults

    def write(self, target: JointTarget | None) -> WriteResult:
        """Sends one governed set-point.

        Always sends one: on any failure, the next one of the verified braking trajectory. There
        are two exceptions, neither of them in lockstep: an arm that is out of sync and does not
        report its state, and a gap since the last set-point that exceeds the timeout.

        Args:
            target: the shaped set-point; None if there is no new one.
        """
        if self.delivery.out_of_sync and not self.fresh and not self._arm.lockstep:
            self._skip_write()
            return WriteResult()
        verdict = self.governor.check(target, self.monitor.state)
        self.braking = verdict.braking
        if verdict.braking:
            self._adapter.sync_to(verdict.target)
        return WriteResult(intervention=verdict.intervention, fault=self._send(verdict.target))

    def _send(self, target: JointTarget) -> Fault | None:
        gap_s = self.delivery.check_timeout()  # this tick itself may have taken too long
        if gap_s is not None:
            self._skip_write()
            return self._gap_fault(gap_s)
        try:
            self._arm.command(target)
        except ArmCommunicationError as error:
            self._rollback()
            if self.delivery.timed_out:
                reason = f"the arm takes no set-point: {error}"
                return Fault(kind="communication", reason=reason)
            return None
        except ArmError as error:
            self._rollback()
            return Fault(kind=error.kind, reason=f"the arm refuses to move: {error}")
        self.delivery.on_sent(at_rest=self.fresh and self.monitor.at_rest)
        return None

    def _rollback(self) -> None:
        """Continues from the last set-point that reached the arm; from rest if out of sync."""
        self.monitor.reset_stable_time()
        self.delivery.on_lost()
        self.governor.rollback(at_rest=self.delivery.out_of_sync)
        self._adapter.sync_to(self.governor.last)

    def _skip_write(self) -> None:
        """Continues from the last set-point, at rest: the robot has stopped on its own."""
        self.governor.rollback(at_rest=True)
        self._adapter.sync_to(self.governor.last)
        self.braking = False

    def _gap_fault(self, gap_s: float) -> Fault:
        self.monitor.reset_stable_time()
        return Fault(kind="communication", reason=f"the arm had no set-point for {gap_s:.3f} s")

    # Synchronisation ----------------------------------------------------------------------------

    def lose_sync(self) -> None:
        """Marks the arm as out of sync."""
        self.delivery.out_of_sync = True

    def hold_measured(self) -> None:
        """Places the set-point on the measured joints, at rest."""
        self._place_setpoint()
        if self._on_placed is not None:
            self._on_placed(self.monitor.state)

    def _place_setpoint(self) -> None:
        self._adapter.reset(self.monitor.state)
        self.governor.reset(self.monitor.state)

    def restart(self) -> None:
        """Starts again from the measured joints: the arm was moved by other means.

        Raises:
            ArmError: the arm cannot be read.
        """
        self.monitor.restart()
        self.hold_measured()
        self.delivery.restart()

    def check_at_rest(self) -> None:
        """Checks that a fault may be cleared, which needs an arm at rest.

        Raises:
            Refusal: ``not_now``, the arm moves or does not answer.
        """
        fix = "send it again in a moment"
        try:
            self.monitor.refresh()
        except ArmCommunicationError as error:
            raise Refusal("not_now", f"the arm does not answer: {error}", fix) from None
        except ArmError:
            return  # the next tick reports the error as a fault again, if it lasts
        if self.monitor.is_silent:
            raise Refusal("not_now", "the state that the arm sends does not change", fix)
        if not self.at_rest:
            raise Refusal("not_now", "the arm still moves", fix)
