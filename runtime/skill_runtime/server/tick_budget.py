"""Plans the work of a tick besides moving the arm.

At a short servo period with a running policy, a tick has time for only one of: reading commands,
publishing telemetry, or a part of a policy step. The other work is deferred, for at most
:data:`MAX_DEFERRED_TICKS` consecutive ticks. Stops are read in every tick and are not planned here.
"""

from __future__ import annotations

from dataclasses import dataclass

from skill_runtime.control.policy_runner import PIPELINE_BELOW_S

RECEIVE_BUDGET = 0.15
"""Share of a servo period for incoming messages before the arm is moved. The message that is being
handled when the budget ends may exceed it."""

LATE_SHARE = 0.2
"""A tick that begins later than this share of a short servo period does no deferrable work."""

MAX_DEFERRED_TICKS = 4
"""Commands and telemetry are deferred for at most this many consecutive ticks."""


@dataclass(frozen=True)
class TickPlan:
    """The deferrable work of one tick."""

    publish: bool
    """Publish telemetry."""
    receive: bool
    """Read commands."""


class TickBudget:
    """Shares the time of short ticks between commands, telemetry and the policy.

    Args:
        period_s: servo period [s].

    Attributes:
        receive_s: time for incoming messages in one tick [s].
    """

    def __init__(self, period_s: float) -> None:
        self.receive_s = RECEIVE_BUDGET * period_s
        self._late_s = LATE_SHARE * period_s
        self._is_short = period_s <= PIPELINE_BELOW_S
        self._deferred_ticks = 0
        self._overdraft_s = 0.0

    def plan(
        self, late_s: float, *, publish_due: bool, policy_runs: bool, policy_step_pending: bool
    ) -> TickPlan:
        """Plans one tick.

        With time to spare, every tick receives and publishes if due. Otherwise commands and
        telemetry are deferred if the tick is late or does a part of a policy step. Receiving is
        also deferred in a tick that publishes, and until an earlier overrun of its budget is paid
        back.

        Args:
            late_s: wake-up latency of the tick [s].
            publish_due: whether telemetry is due.
            policy_runs: whether the policy moves the arm.
            policy_step_pending: whether this tick does a part of a policy step.
        """
        constrained = self._is_short and policy_runs
        if not constrained or self._deferred_ticks >= MAX_DEFERRED_TICKS:
            self._deferred_ticks, self._overdraft_s = 0, 0.0
            return TickPlan(publish=publish_due, receive=True)
        busy = late_s > self._late_s or policy_step_pending
        publish = publish_due and not busy
        receive = not (busy or publish or self._overdraft_s > 0.0)
        self._deferred_ticks = 0 if receive else self._deferred_ticks + 1
        return TickPlan(publish=publish, receive=receive)

    def charge(self, spent_s: float) -> None:
        """Charges the time that receiving took in this tick against its budget [s].

        The overdraft is bounded, so a single long message delays the next one by at most
        :data:`MAX_DEFERRED_TICKS` ticks.
        """
        overdraft_s = self._overdraft_s + spent_s - self.receive_s
        self._overdraft_s = min(max(overdraft_s, 0.0), MAX_DEFERRED_TICKS * self.receive_s)
