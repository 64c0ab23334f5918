"""How late a loop begins its ticks, for each way of waiting for them, and what that misses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.pacing import Pacer
from skill_runtime.realtime.scheduling import DeferredGc, configure_thread


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a loop waits for its next tick."""

    spin_us: float = 0.0
    """Busy waiting before it [us]."""
    fifo: bool = False
    """With SCHED_FIFO and locked memory."""

    @property
    def name(self) -> str:
        """For a table."""
        waits = f"sleep, spin {self.spin_us:g} us" if self.spin_us else "sleep"
        return f"{waits}, SCHED_FIFO" if self.fifo else waits

    @property
    def flags(self) -> str:
        """Of skill-serve; '' for its defaults."""
        flags = ["--realtime"] if self.fifo else []
        return " ".join(flags + ([f"--spin-us {self.spin_us:g}"] if self.spin_us else []))


def ways(spin_us: float, *, fifo: bool) -> list[Way]:
    """Every way that this machine grants, that which costs least first."""
    found = [Way(), Way(fifo=True), Way(spin_us=spin_us), Way(spin_us=spin_us, fifo=True)]
    return [way for way in found if fifo or not way.fifo]


@dataclass(frozen=True, kw_only=True)
class Timer:
    """One measured loop."""

    rate_hz: float
    way: Way
    late_s: Array
    """``(ticks,)``: how late each began [s]; a tick that was skipped is not among them."""
    work_s: Array
    """``(ticks,)``: how long each then took [s]; a bare loop's take nothing."""

    @property
    def later_than_period(self) -> float:
        """Share of ticks that began more than a whole period late."""
        return float(np.mean(self.late_s > 1.0 / self.rate_hz))


def measure_timer(rate_hz: float, way: Way, seconds: float, cpu: int | None = None) -> Timer:
    """A loop that does nothing, in the calling thread, whose scheduling it changes for good."""
    configure_thread(cpu=cpu, realtime=way.fifo)
    clock = MonotonicClock()
    pacer = Pacer(1.0 / rate_hz, clock, way.spin_us * 1e-6)
    late_s = np.zeros(max(round(seconds * rate_hz), 1))
    ticks = 0
    with DeferredGc():
        pacer.start()
        ends = clock.now() + seconds
        while ticks < len(late_s) and (ticks == 0 or clock.now() < ends):
            late_s[ticks] = pacer.wait()
            ticks += 1
    return Timer(rate_hz=rate_hz, way=way, late_s=late_s[:ticks], work_s=np.zeros(ticks))


class Misses(NamedTuple):
    """Deadlines that were not met."""

    share: float
    in_a_row: int
    """The longest run of them."""


def misses(timer: Timer, budget_s: float) -> Misses:
    """Deadlines, one a period, of which ``budget_s`` [s] passed before their tick was done.

    A tick is that of its own deadline and of those that were slept through before it began.
    """
    period_s = 1.0 / timer.rate_hz
    total = missed = run = longest = 0
    for late_s, work_s in zip(timer.late_s.tolist(), timer.work_s.tolist(), strict=True):
        deadlines = math.floor(late_s / period_s) + 1
        too_late = math.ceil((late_s + work_s - budget_s) / period_s)
        too_late = min(max(too_late, 0), deadlines)
        total += deadlines
        missed += too_late
        run += too_late
        longest = max(longest, run)
        if too_late < deadlines:
            run = 0
    return Misses(share=missed / total, in_a_row=longest)
