"""The loop: one thread that ticks at the arm's servo rate and never waits on anyone.

Each tick hears what has arrived (stops first), lets time end what it ends, moves the arm by one
set-point, and publishes. Between two ticks the same thread goes on answering clients.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from skill_proto.messages import Telemetry, Timing
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.modes import POLICY_MODES
from skill_runtime.control.arm_controller import PIPELINE_BELOW_S, ArmController
from skill_runtime.control.demo import DemoController
from skill_runtime.realtime.clock import Clock
from skill_runtime.realtime.latency import TickTimes
from skill_runtime.realtime.pacing import Pacer
from skill_runtime.realtime.scheduling import DeferredGc, Grant, configure_thread
from skill_runtime.server.message_server import MessageServer
from skill_runtime.server.telemetry import make_telemetry

log = logging.getLogger(__name__)

TELEMETRY_RATE_HZ = 100.0
RECEIVE_BUDGET = 0.15
"""Share of a servo period spent at most on incoming messages before the arm is moved; the message
that was begun last may exceed it."""

WAKE_UP_S = 1.5e-3
"""Answering clients between ticks ends this long before the next one [s]."""

TIMING_INTERVAL_S = 0.25
"""How often the percentiles in telemetry are computed anew [s]."""

LATE_SHARE = 0.2
"""Of a short servo period (``pilot.PIPELINE_BELOW_S``): a tick that begins later than this has no time for
what can wait."""
MAX_DEFERRED_TICKS = 4
"""Ticks in a row in which they wait at most."""

STOPPING_TIME_S = 1.0
"""Longest time that the arm is given to come to rest when the program ends [s]."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How the loop keeps time."""

    spin_s: float = 0.0
    """Busy waiting before each deadline [s]; see pacing.py."""
    telemetry_rate_hz: float = TELEMETRY_RATE_HZ
    """As nearly as the servo rate can be divided into it [Hz]."""
    realtime: bool = False
    """Ask the system for real-time scheduling and locked memory."""
    cpu: int | None = None
    """Processor to keep the loop's thread on; None for any."""


class ControlLoop:
    """Ticks until told to stop.

    Args:
        authority: who commands, and the mode.
        pilot: moves the arm.
        server: hears and answers.
        show: the internal controller; None for none.
        clock: server time.
        pace: how to keep time.

    Attributes:
        latest: the newest telemetry, for a status line; None before the first.
        times: work and lateness of the last second's ticks.
        pacer: the deadlines.
        decided: server time at which the last tick looked at the clock [s].
        telemetry_rate_hz: how often it publishes: every so many ticks [Hz].
        started: set once it has asked the system for what its pace wants.
        answers: what the system said to that.
    """

    def __init__(
        self,
        authority: Authority,
        pilot: ArmController,
        server: MessageServer,
        show: DemoController | None,
        clock: Clock,
        pace: Pace,
    ) -> None:
        period_s = pilot.arm.servo_period_s
        self.latest: Telemetry | None = None
        self.started = threading.Event()
        self.answers: list[Grant] = []
        self.times = TickTimes(round(1.0 / period_s))
        self.pacer = Pacer(period_s, clock, pace.spin_s)
        self._authority = authority
        self._pilot = pilot
        self._server = server
        self._show = show
        self._clock = clock
        self._pace = pace
        self._hearing_s = RECEIVE_BUDGET * period_s
        self._late_s = LATE_SHARE * period_s
        self._short = period_s <= PIPELINE_BELOW_S
        self._waits = 0
        self._owed_s = 0.0
        self._publish_every = max(1, round(1.0 / (pace.telemetry_rate_hz * period_s)))
        self.telemetry_rate_hz = 1.0 / (self._publish_every * period_s)
        self.decided = clock.now()
        self._reported = ""
        self._tick = 0
        self._due = False
        self._published = 0
        self._timing = self.times.timing(0)
        self._timing_due = 0.0

    def run(self, stopping: Callable[[], bool]) -> None:
        """Ticks until ``stopping()``, then brings the arm to rest."""
        # In this thread: a processor and a scheduling class are a thread's own.
        self.answers = configure_thread(cpu=self._pace.cpu, realtime=self._pace.realtime)
        self.started.set()
        with DeferredGc() as collector:
            self.pacer.start()
            while not stopping():
                self._paced_tick(collector)
            self._authority.stop("the server is shutting down")
            ends = self._clock.now() + STOPPING_TIME_S
            self._paced_tick(collector)
            while not self._pilot.at_rest and self._clock.now() < ends:
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

    def _guarded(self, step: Callable[[float], None]) -> None:
        try:
            step(self._clock.now())
        except Exception as error:  # a fault of ours must leave the arm held, not the loop dead
            reason = f"internal error: {error}"
            authority = self._authority
            # One that comes back in every tick is told once.
            if not authority.at_fault_of("internal") or reason != self._reported:
                log.exception("internal error")
                authority.fault(reason)
            self._reported = reason

    def tick(self, now: float, late_s: float = 0.0) -> None:
        """One servo period, which begins at server time ``now`` and so late [s].

        Each part is on its own: what fails in one must not keep the set-point from the arm.
        """
        self._due = self._due or self._tick % self._publish_every == 0
        publishes, hears = self._share_out(late_s)
        hear = self._server.receive if hears else self._server.receive_stops
        self._guarded(lambda _: hear(now + self._hearing_s))
        self.decided = decided = self._clock.now()
        self._settle_hearing(decided - now if hears else 0.0)
        self._guarded(lambda _: self._authority.advance(decided))
        if self._show is not None:
            show = self._show
            self._guarded(lambda _: show.step(self._authority, self._pilot, decided))
        self._guarded(lambda _: self._pilot.step(self._authority, decided))
        self._count_interventions()
        if publishes:
            self._guarded(self._publish)
            self._due = False
        self._tick += 1

    def _share_out(self, late_s: float) -> tuple[bool, bool]:
        """Whether a tick that begins so late [s] publishes, and whether it hears commands.

        While a policy moves the arm at a short period, a tick does one thing that can wait, or
        none. Commands (never a stop) and telemetry wait where the policy is at work and where the
        tick is late; commands also where telemetry is made, and until they have made up for more
        than their share of an earlier tick.
        """
        roomy = not (self._short and self._authority.mode in POLICY_MODES)
        if roomy or self._waits >= MAX_DEFERRED_TICKS:
            self._waits, self._owed_s = 0, 0.0
            return self._due, True
        hurries = late_s > self._late_s or self._pilot.policy_step_pending(self._authority)
        publishes = self._due and not hurries
        hears = not (hurries or publishes or self._owed_s > 0.0)
        self._waits = 0 if hears else self._waits + 1
        return publishes, hears

    def _settle_hearing(self, spent_s: float) -> None:
        """Commands have a share of each period, and owe what they took beyond it."""
        owed_s = self._owed_s + spent_s - self._hearing_s
        self._owed_s = min(max(owed_s, 0.0), MAX_DEFERRED_TICKS * self._hearing_s)

    def _count_interventions(self) -> None:
        counters, found = self._authority.counters, self._pilot.governor.interventions
        total = sum(found.values())
        if total != counters["governor"]:
            counters["governor"] = total
            for kind, count in found.items():
                if count:
                    counters[f"governor.{kind}"] = count

    def _publish(self, now: float) -> None:
        self.latest = make_telemetry(
            authority=self._authority,
            pilot=self._pilot,
            timing=self._fresh_timing(now),
            now=now,
            tick=self._tick,
            seq=self._published,
        )
        self._published += 1
        self._server.publish(self.latest.model_dump_json().encode())

    def _fresh_timing(self, now: float) -> Timing:
        if now >= self._timing_due:
            self._timing = self.times.timing(self.pacer.overruns)
            self._timing_due = now + TIMING_INTERVAL_S
        return self._timing
