"""Pacing: absolute deadlines at the servo period, and how well they are kept."""

from __future__ import annotations

import math

from skill_runtime.realtime.clock import Clock


class Pacer:
    """Calls the tick at absolute deadlines, one servo period apart.

    A deadline that has passed by a whole period is skipped and counted, never caught up with: a
    burst of ticks would jerk a real arm.

    Attributes:
        deadline: when the next tick is due [s].
        overruns: ticks skipped, one for each whole period by which another began late.
    """

    def __init__(self, period_s: float, clock: Clock, spin_s: float = 0.0) -> None:
        """Prepares the pacer.

        Args:
            period_s: servo period [s].
            clock: whose time the deadlines are in.
            spin_s: the last stretch before a deadline, in which the processor is kept busy rather
                than slept through; takes the wake-up latency away at the price of that load [s].
        """
        self.period_s = period_s
        self.overruns = 0
        self._clock = clock
        self._spin_s = spin_s
        self.deadline = clock.now()

    def start(self) -> None:
        """The first tick is due one period from now."""
        self.deadline = self._clock.now() + self.period_s

    def wait(self) -> float:
        """Returns at the deadline and sets the next one.

        Returns:
            How late it is [s].
        """
        clock = self._clock
        clock.sleep_until(self.deadline - self._spin_s)
        now = clock.now()
        while now < self.deadline:
            now = clock.now()
        late = now - self.deadline
        self.deadline += self.period_s
        if late > self.period_s:
            behind = math.floor(late / self.period_s)
            self.overruns += behind
            self.deadline += behind * self.period_s
        return late
