"""The control loop: one thread that ticks at the servo rate of the arm and never blocks.

Each tick reads stops and commands from shared memory, ends an expired lease or command, moves the
arm by one set-point, and writes the state. Between two ticks the same thread answers commands.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from skill_proto.messages import Message, Mode
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.lease import Lease
from skill_runtime.authority.modes import LATCHED
from skill_runtime.channel.channel import Channel, Word
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.demo import DemoController
from skill_runtime.control.fault_points import FaultPoints
from skill_runtime.control.report import UpdateReport
from skill_runtime.realtime.clock import Clock
from skill_runtime.realtime.cpus import allowed_cpus, loop_cpus, use_cpus
from skill_runtime.realtime.latency import TickTimes
from skill_runtime.realtime.pacing import Pacer
from skill_runtime.realtime.scheduling import DeferredGc, Grant, configure_thread
from skill_runtime.server.command_reader import CommandReader
from skill_runtime.server.state_writer import StateWriter
from skill_runtime.server.step_writer import StepWriter
from skill_runtime.server.stop_reader import StopReader

log = logging.getLogger(__name__)

TELEMETRY_RATE_HZ = 100.0

RECEIVE_BUDGET = 0.15
"""Share of a servo period for commands before the arm is moved. The command that is being executed
when the budget ends may exceed it."""

LONGEST_REST_S = 5e-4
REST_SHARE = 0.3
"""Between two ticks, answering commands ends this long before the next tick: a share of the servo
period, at most :data:`LONGEST_REST_S` [s]. A command takes about .1 ms. A command that arrives
later is executed in the next tick."""

SHORTEST_WAIT_S = 1e-4
"""A wait for commands that would be shorter is not begun [s]."""

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
    punctual: bool = True
    """Ask for an exact timer, a short time slice and a high priority; False for a clock that is not
    that of the machine."""
    realtime: bool = False
    """Request real-time scheduling and locked memory."""
    cpu: int | None = None
    """CPU of the loop's thread; None for those of ``cpus.loop_cpus``."""


@dataclass(frozen=True, kw_only=True)
class Signals:
    """How the loop waits for other processes, and wakes them."""

    wait: Callable[[float], bool]
    """Waits up to a time [s] for a command or a stop; returns False after the timeout."""
    wake_gateway: Callable[[], None] = lambda: None
    """The state or a reply is new."""
    wake_listener: Callable[[], None] = lambda: None
    """A stop was executed."""


class ControlLoop:
    """Ticks until it is asked to end.

    Args:
        authority: mode, lease and active command.
        controller: moves the arm.
        channel: the memory shared with the other processes.
        stops: stops from the stop listener.
        commands: commands from the gateway.
        states: writes the state.
        demo: source of commands until the first lease; None for no demo.
        clock: server time.
        pace: rates and scheduling.
        signals: waits for other processes, and wakes them.
        fault_points: hooks for fault injection.
        watch_stops: stop the arm if the stop listener is silent.

    Attributes:
        times: execution time and wake-up latency of the last second's ticks.
        pacer: the deadlines.
        decided: server time at which the last tick had read its commands [s].
        telemetry_rate_hz: telemetry rate after rounding [Hz].
        started: set after scheduling and memory have been requested.
        grants: the system's answers to the requested scheduling and memory.
    """

    def __init__(
        self,
        *,
        authority: Authority,
        controller: ArmController,
        channel: Channel,
        stops: StopReader,
        commands: CommandReader,
        states: StateWriter,
        demo: DemoController | None,
        clock: Clock,
        pace: Pace,
        signals: Signals,
        fault_points: FaultPoints | None = None,
        watch_stops: bool = True,
    ) -> None:
        self._period_s = period_s = controller.arm.servo_period_s
        self._rest_s = min(LONGEST_REST_S, REST_SHARE * period_s)
        self.started = threading.Event()
        self.grants: list[Grant] = []
        self.times = TickTimes(round(1.0 / period_s))
        self.pacer = Pacer(period_s, clock, pace.spin_s)
        self._authority = authority
        self._controller = controller
        self._words = channel.words
        self._stops = stops
        self._watches_stops = watch_stops
        self._commands = commands
        self._states = states
        self._steps = StepWriter(channel.steps, controller)
        self._demo = demo
        self._clock = clock
        self._pace = pace
        self._signals = signals
        self._fault_points = fault_points
        self._publish_every = max(1, round(1.0 / (pace.telemetry_rate_hz * period_s)))
        self.telemetry_rate_hz = 1.0 / (self._publish_every * period_s)
        self.decided = clock.now()
        self._reported = ""
        self._tick = 0
        self._published = 0
        self._timing = self.times.percentiles()
        self._timing_due = 0.0
        self._described = self._description()

    def run(self, stopping: Callable[[], bool]) -> bool:
        """Ticks until ``stopping()`` returns True, then brings the arm to rest.

        Returns:
            Whether the arm is at rest.
        """
        # Processor and scheduling class belong to the calling thread.
        if self._pace.punctual:
            if self._pace.cpu is None:
                use_cpus(loop_cpus(None, allowed_cpus()))
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
        return self._controller.at_rest

    def _paced_tick(self, collector: DeferredGc) -> None:
        late = self.pacer.wait()
        start = self._clock.now()
        self.tick(start)
        done = self._clock.now()
        self.times.add(done - start, late)
        self._guarded(lambda _: self._receive_until_next())
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

    def tick(self, now: float) -> None:
        """Runs one servo period, which begins at server time ``now`` [s].

        Each part is guarded separately: an error in one must not keep the set-point from the arm.
        """
        authority = self._authority
        self._guarded(lambda _: self._receive(now + RECEIVE_BUDGET * self._period_s))
        self.decided = decided = self._clock.now()
        if self._watches_stops:
            self._guarded(lambda _: self._stops.watch(decided, 2.0 * self._period_s))
        self._guarded(lambda _: authority.advance(decided))
        demo = self._demo
        if demo is not None:
            self._guarded(lambda _: self._step_demo(demo, decided))
        self._guarded(lambda _: self._update(decided))
        if self._tick % self._publish_every == 0:
            self._guarded(self._publish)
        self._words[Word.CONTROLLER_BEAT] = int(now * 1e9)
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
        self._steps.write(now, self._tick)

    # Other processes ----------------------------------------------------------------------------

    def _receive(self, until: float) -> None:
        """Executes stops, then commands until server time ``until``, and replies to both."""
        stopped = self._stops.read()
        replies: list[tuple[int, Message]] = []
        try:
            replies = self._commands.read(until)
        finally:
            if stopped or replies:
                # First the state: a client that has a reply must find its effect in 'hello'.
                if self._described != self._description():
                    self._write_state(self._clock.now())
                self._stops.confirm()
                self._commands.reply(replies)
                if replies:
                    self._signals.wake_gateway()
                if stopped:
                    self._signals.wake_listener()

    def _receive_until_next(self) -> None:
        """Executes stops and commands between two ticks.

        Without a message, the wait ends where the pacer's would. Two waits in turn would double
        the risk that Linux wakes the loop too late.
        """
        ends = self.pacer.deadline - self._pace.spin_s
        until = self.pacer.deadline - self._rest_s
        while (now := self._clock.now()) < min(until, ends - SHORTEST_WAIT_S):
            if not self._signals.wait(ends - now) or self._clock.now() >= until:
                return
            self._receive(until)

    def _publish(self, now: float) -> None:
        """Writes the state under a new number, so that the gateway publishes it."""
        if self._fault_points is not None:
            self._fault_points.enter("publish")
        if now >= self._timing_due:
            self._timing = self.times.percentiles()
            self._timing_due = now + TIMING_INTERVAL_S
        self._published += 1
        self._write_state(now)
        self._signals.wake_gateway()

    def _description(self) -> tuple[Mode, Lease | None]:
        """Returns the parts of the state that the gateway gives in its reply to ``hello``."""
        return self._authority.mode, self._authority.lease

    def _write_state(self, now: float) -> None:
        self._described = self._description()
        self._states.write(
            now=now,
            tick=self._tick,
            seq=self._published,
            timing=self._timing,
            latency_counts=self.times.histogram.cumulative(),
            overruns=self.pacer.overruns,
        )


def apply_report(report: UpdateReport, authority: Authority) -> None:
    """Passes recovery, warning and faults of one controller update on to the authority."""
    if report.recovered:
        authority.recover()
    if report.intervention is not None and not report.faults and authority.mode not in LATCHED:
        authority.events.record_event(f"governor: {report.intervention}")
    if report.warning:
        log.warning("%s", report.warning)
        authority.events.record_event(report.warning, "excursions")
    for fault in report.faults:
        if not authority.at_fault_of(fault.kind):
            log.error("fault: %s", fault.reason)
            authority.fault(fault.reason, fault.kind)
