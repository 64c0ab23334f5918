"""Absolute deadlines at the servo period, and the overruns among them."""

from __future__ import annotations

import math

from skill_runtime.realtime.clock import Clock


class Pacer:
    """Waits for absolute deadlines, one servo period apart.

    A deadline that has passed by a whole period is skipped and counted. Executing it late would
    produce a burst of ticks, and a jerk of a real arm.

    Attributes:
        deadline: Time at which the next tick is due [s].
        overruns: Skipped ticks, one for each whole period by which another tick started late.
    """

    def __init__(self, period_s: float, clock: Clock, spin_s: float = 0.0) -> None:
        """Sets the first deadline to the current time.

        Args:
            period_s: Servo period [s].
            clock: Clock of the deadlines.
            spin_s: Time before a deadline that is spent busy waiting instead of sleeping [s]. This
                removes the wake-up latency and loads the processor.
        """
        self.period_s = period_s
        self.overruns = 0
        self._clock = clock
        self._spin_s = spin_s
        self.deadline = clock.now()

    def start(self) -> None:
        """Sets the first deadline to one period from now."""
        self.deadline = self._clock.now() + self.period_s

    def wait(self) -> float:
        """Returns at the deadline and sets the next one.

        Returns:
            The wake-up latency [s].
        """
        clock = self._clock
        clock.sleep_until(self.deadline - self._spin_s)
        now = clock.now()
        while now < self.deadline:
            now = clock.now()
        latency_s = now - self.deadline
        self.deadline += self.period_s
        if latency_s > self.period_s:
            skipped = math.floor(latency_s / self.period_s)
            self.overruns += skipped
            self.deadline += skipped * self.period_s
        return latency_s
