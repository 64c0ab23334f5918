"""The control loop: one thread that ticks at the servo rate of the arm and never blocks.

Each tick reads the messages that have arrived (stops first), ends an expired lease or command,
moves the arm by one set-point, and publishes telemetry. Between two ticks the same thread answers
clients.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from skill_proto.messages import Telemetry, Timing
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.modes import LATCHED, POLICY_MODES
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.demo import DemoController
from skill_runtime.control.fault_points import FaultPoints
from skill_runtime.control.report import UpdateReport
from skill_runtime.realtime.clock import Clock
from skill_runtime.realtime.latency import TickTimes
from skill_runtime.realtime.pacing import Pacer
from skill_runtime.realtime.scheduling import DeferredGc, Grant, configure_thread
from skill_runtime.server.message_server import MessageServer
from skill_runtime.server.telemetry import make_telemetry
from skill_runtime.server.tick_budget import TickBudget

log = logging.getLogger(__name__)

TELEMETRY_RATE_HZ = 100.0

WAKE_UP_S = 1.5e-3
"""Between two ticks, answering clients ends this long before the next tick [s]."""

TIMING_INTERVAL_S = 0.25
"""Interval at which the percentiles in telemetry are computed [s]."""

STOPPING_TIME_S = 1.0
"""Longest time for the arm to come to rest when the program ends [s]."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Rates and scheduling of the control loop."""

    spin_s: float = 0.0
    """Busy waiting before each deadline [s]; see ``realtime.pacing``."""
    telemetry_rate_hz: float = TELEMETRY_RATE_HZ
    """Rounded to a whole number of servo periods [Hz]."""
    realtime: bool = False
    """Request real-time scheduling and locked memory."""
    cpu: int | None = None
    """CPU of the loop's thread; None for any."""


class ControlLoop:
    """Ticks until it is asked to end.

    Args:
        authority: mode, lease and active command.
        controller: moves the arm.
        server: reads messages and replies.
        demo: source of commands until the first lease; None for no demo.
        clock: server time.
        pace: rates and scheduling.
        fault_points: hooks for fault injection.

    Attributes:
        latest: the newest telemetry; None before the first.
        times: execution time and wake-up latency of the last second's ticks.
        pacer: the deadlines.
        decided: server time at which the last tick had read its messages [s].
        telemetry_rate_hz: telemetry rate after rounding [Hz].
        started: set after scheduling and memory have been requested.
        grants: the system's answers to the requested scheduling and memory.
    """

    def __init__(
        self,
        authority: Authority,
        controller: ArmController,
        server: MessageServer,
        demo: DemoController | None,
        clock: Clock,
        pace: Pace,
        fault_points: FaultPoints | None = None,
    ) -> None:
        period_s = controller.arm.servo_period_s
        self.latest: Telemetry | None = None
        self.started = threading.Event()
        self.grants: list[Grant] = []
        self.times = TickTimes(round(1.0 / period_s))
        self.pacer = Pacer(period_s, clock, pace.spin_s)
        self._authority = authority
        self._controller = controller
        self._server = server
        self._demo = demo
        self._clock = clock
        self._pace = pace
        self._fault_points = fault_points
        self._budget = TickBudget(period_s)
        self._publish_every = max(1, round(1.0 / (pace.telemetry_rate_hz * period_s)))
        self.telemetry_rate_hz = 1.0 / (self._publish_every * period_s)
        self.decided = clock.now()
        self._reported = ""
        self._tick = 0
        self._publish_due = False
        self._published = 0
        self._timing = self.times.timing(0)
        self._timing_due = 0.0

    def run(self, stopping: Callable[[], bool]) -> None:
        """Ticks until ``stopping()`` returns True, then brings the arm to rest."""
        # Processor and scheduling class belong to the calling thread.
        self.grants = configure_thread(cpu=self._pace.cpu, realtime=self._pace.realtime)
        self.started.set()
        with DeferredGc() as collector:
            self.pacer.start()
            while not stopping():
                self._paced_tick(collector)
            self._authority.stop("the server is shutting down")
            ends = self._clock.now() + STOPPING_TIME_S
            self._paced_tick(collector)
            while not self._controller.at_rest and self._clock.now() < ends:
                self._paced_tick(collector)
            self._guarded(self._publish)

    def _paced_tick(self, collector: DeferredGc) -> None:
        late = self.pacer.wait()
        start = self._clock.now()
        self.tick(start, late)
        done = self._clock.now()
        self.times.add(done - start, late)
        self._guarded(lambda _: self._server.receive_until(self.pacer.deadline - WAKE_UP_S))
        now = self._clock.now()
        collector.collect_in_slack(now, self.pacer.deadline - now)

    def _guarded(self, part: Callable[[float], None]) -> None:
        """Runs a part of a tick, at the present time [s].

        An exception becomes a fault and does not end the loop.
        """
        try:
            part(self._clock.now())
        except Exception as error:
            reason = f"internal error: {error}"
            authority = self._authority
            # An error that repeats in every tick is reported once.
            if not authority.at_fault_of("internal") or reason != self._reported:
                log.exception("internal error")
                authority.fault(reason)
            self._reported = reason

    def tick(self, now: float, late_s: float = 0.0) -> None:
        """Runs one servo period.

        Each part is guarded separately: an error in one must not keep the set-point from the arm.

        Args:
            now: server time at which the tick begins [s].
            late_s: its wake-up latency [s].
        """
        authority = self._authority
        self._publish_due = self._publish_due or self._tick % self._publish_every == 0
        plan = self._budget.plan(
            late_s,
            publish_due=self._publish_due,
            policy_runs=authority.mode in POLICY_MODES,
            policy_step_pending=self._controller.runner.step_pending,
        )
        receive = self._server.receive if plan.receive else self._server.receive_stops
        self._guarded(lambda _: receive(now + self._budget.receive_s))
        self.decided = decided = self._clock.now()
        self._budget.charge(decided - now if plan.receive else 0.0)
        self._guarded(lambda _: authority.advance(decided))
        demo = self._demo
        if demo is not None:
            self._guarded(lambda _: self._step_demo(demo, decided))
        self._guarded(lambda _: self._update(decided))
        if plan.publish:
            self._guarded(self._publish)
            self._publish_due = False
        self._tick += 1

    def _step_demo(self, demo: DemoController, now: float) -> None:
        if self._fault_points is not None:
            self._fault_points.enter("demo")
        demo.step(self._authority, self._controller, now)

    def _update(self, now: float) -> None:
        """Moves the arm by one set-point."""
        authority = self._authority
        report = self._controller.update(
            authority.command, authority.mode, now, authority.recoverable_fault
        )
        apply_report(report, authority)

    def _publish(self, now: float) -> None:
        self.latest = make_telemetry(
            authority=self._authority,
            controller=self._controller,
            timing=self._fresh_timing(now),
            now=now,
            tick=self._tick,
            seq=self._published,
        )
        self._published += 1
        if self._fault_points is not None:
            self._fault_points.enter("publish")
        self._server.publish(self.latest.model_dump_json().encode())

    def _fresh_timing(self, now: float) -> Timing:
        if now >= self._timing_due:
            self._timing = self.times.timing(self.pacer.overruns)
            self._timing_due = now + TIMING_INTERVAL_S
        return self._timing


def apply_report(report: UpdateReport, authority: Authority) -> None:
    """Passes recovery and faults of one controller update on to the authority."""
    if report.recovered:
        authority.recover()
    if report.intervention is not None and not report.faults and authority.mode not in LATCHED:
        authority.events.record_event(f"governor: {report.intervention}")
    for fault in report.faults:
        if not authority.at_fault_of(fault.kind):
            log.error("fault: %s", fault.reason)
            authority.fault(fault.reason, fault.kind)
