"""The control box in real time: one state per millisecond, and a report on how well that went."""

from __future__ import annotations

import time
from collections.abc import Callable

from skill_robots.control_box.box import ControlBox
from skill_robots.control_box.counters import SendTimes
from skill_robots.control_box.deadlines import Deadlines

CUTOFF_S = 250e-6
"""Commands must arrive this long before the next state is sent [s]: the box needs the time for
one step of the simulation. A real robot has such a bound too (its value is unpublished; the
documentation asks for an answer within 0.5 ms)."""

_START_S = 1e-3
"""Time from the call of :meth:`RealTimeLoop.run` to the first state [s]."""


class RealTimeLoop:
    """Runs a control box at 1 kHz.

    In each period the loop sleeps until the cutoff, executes the cycle, sleeps until the absolute
    deadline, and sends the state. The caller sets scheduling and garbage collection of the thread.

    Attributes:
        times: Gaps and delays of the states.
        deadlines: Nominal times and slip.
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
            send_at = deadlines.after(sent)
            in_slack(sent, send_at - CUTOFF_S - clock())

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
            "stalls": self.deadlines.stalls,
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
