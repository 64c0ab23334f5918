"""The control box in real time: one state per millisecond, and a report on its timing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from skill_robots.control_box.box import ControlBox
from skill_robots.control_box.counters import SendTimes
from skill_robots.control_box.deadlines import Deadlines

CUTOFF_S = 250e-6
"""Commands must arrive this long before the next state is sent [s]: the box needs the time for
one step of the simulation. A real robot has such a bound too (its value is unpublished; the
documentation asks for an answer within 0.5 ms)."""

STALL_S = 10e-3
"""A longer delay is counted, and logged as soon as the box has caught up [s]."""

CAUGHT_UP_S = 1e-3
"""Delay at which the box has caught up [s]."""

_log = logging.getLogger(__name__)

_START_S = 1e-3
"""Time from the call of :meth:`RealTimeLoop.run` to the first state [s]."""


class RealTimeLoop:
    """Runs a control box at 1 kHz.

    In each period the loop sleeps until the cutoff, executes the cycle, sleeps until the absolute
    deadline, and sends the state. The caller sets scheduling and garbage collection of the thread.

    Attributes:
        times: Gaps and delays of the states.
        deadlines: Nominal times and slip.
        catch_ups: Delays of more than :data:`STALL_S` that are over.
    """

    def __init__(
        self,
        box: ControlBox,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keeps the box.

        Args:
            box: The control box.
            clock: Monotonic time [s].
            sleep: Waits for a duration of that clock [s].
        """
        self.times = SendTimes()
        self.deadlines = Deadlines(0.0)
        self.catch_ups = 0
        self._worst_delay = 0.0
        self._slip_before = 0.0
        self._box = box
        self._clock = clock
        self._sleep = sleep

    def run(self, has_ended: Callable[[], bool], in_slack: Callable[[float, float], None]) -> None:
        """Runs until ``has_ended`` returns True.

        Args:
            has_ended: Called once a cycle.
            in_slack: Called after each state with the time, and the time left until the next
                cycle [s], for work that may take a part of it.
        """
        box, clock = self._box, self._clock
        send_at = clock() + _START_S
        self.deadlines = deadlines = Deadlines(send_at)
        while not has_ended():
            self._sleep_until(send_at - CUTOFF_S)
            box.advance()
            self._sleep_until(send_at)
            sent = clock()
            box.send()
            self.times.sent(sent, deadlines.due)
            if sent - deadlines.due > STALL_S or self._worst_delay:
                self._watch_delay(sent - deadlines.due)
            send_at = deadlines.after(sent)
            in_slack(sent, send_at - CUTOFF_S - clock())

    def _watch_delay(self, delay: float) -> None:
        """Logs a long delay once, when the box has caught up."""
        if not self._worst_delay:
            self._slip_before = self.deadlines.slip_s
        self._worst_delay = max(self._worst_delay, delay)
        if delay > CAUGHT_UP_S:
            return
        lost = self.deadlines.slip_s - self._slip_before
        _log.warning(
            "loop: a delay of %.0f ms is caught up%s",
            self._worst_delay * 1e3,
            f"; {lost * 1e3:.0f} ms are lost" if lost else "",
        )
        self.catch_ups += 1
        self._worst_delay = 0.0

    def report(self) -> dict[str, object]:
        """Returns the figures of the run so far, to be written as JSON."""
        box, times, answers = self._box, self.times, self._box.answers
        gaps, delays = times.gaps, times.delays
        service, gripper = box.robot_service, box.gripper_service
        return {
            "robot": box.config.robot,
            "protocol": box.config.protocol.version,
            "wall_s": round(times.wall_s, 4),
            "states": times.states,
            "realtime_factor": round(times.realtime_factor, 5),
            "slip_s": round(self.deadlines.slip_s, 4),
            "catch_ups": self.catch_ups,
            "cpu_share": round(times.cpu_share, 4),
            "gap_p50_ms": round(gaps.percentile(50) * 1e3, 3),
            "gap_p99_ms": round(gaps.percentile(99) * 1e3, 3),
            "gap_max_ms": round(gaps.longest * 1e3, 3),
            "delay_p50_ms": round(delays.percentile(50) * 1e3, 3),
            "delay_p99_ms": round(delays.percentile(99) * 1e3, 3),
            "delay_max_ms": round(delays.longest * 1e3, 3),
            "awaited": answers.awaited,
            "answered": answers.answered,
            "answered_share": (
                None if answers.answered_share is None else round(answers.answered_share, 5)
            ),
            "longest_miss": answers.longest_miss,
            "late_commands": service.late,
            "malformed_commands": service.malformed,
            "clients": service.server.connections,
            "refused_clients": service.server.refused,
            "gripper_clients": gripper.server.connections,
            "requests": dict(service.requests),
            "gripper_requests": dict(gripper.requests),
            "reflexes": dict(box.reflexes),
        }

    def _sleep_until(self, deadline: float) -> None:
        left = deadline - self._clock()
        if left > 0.0:
            self._sleep(left)
