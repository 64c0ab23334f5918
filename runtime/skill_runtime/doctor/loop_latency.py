"""Wake-up latency of a loop, per wait strategy, and the deadlines that it misses."""

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
class WaitStrategy:
    """How a loop waits for its next tick."""

    spin_us: float = 0.0
    """Busy waiting before the tick [us]."""
    fifo: bool = False
    """Whether SCHED_FIFO and locked memory are used."""

    @property
    def name(self) -> str:
        """The name in a table."""
        wait = f"sleep, spin {self.spin_us:g} us" if self.spin_us else "sleep"
        return f"{wait}, SCHED_FIFO" if self.fifo else wait

    @property
    def flags(self) -> str:
        """The flags of skill-serve; '' for its defaults."""
        flags = ["--realtime"] if self.fifo else []
        return " ".join(flags + ([f"--spin-us {self.spin_us:g}"] if self.spin_us else []))


def wait_strategies(spin_us: float, *, fifo: bool) -> list[WaitStrategy]:
    """Returns the strategies that this machine grants, in the order of their cost."""
    strategies = [
        WaitStrategy(),
        WaitStrategy(fifo=True),
        WaitStrategy(spin_us=spin_us),
        WaitStrategy(spin_us=spin_us, fifo=True),
    ]
    return [strategy for strategy in strategies if fifo or not strategy.fifo]


@dataclass(frozen=True, kw_only=True)
class LoopMeasurement:
    """The ticks of one measured loop."""

    rate_hz: float
    strategy: WaitStrategy
    wakeup_latency_s: Array
    """``(ticks,)`` latency of each tick [s]; skipped ticks are not included."""
    execution_time_s: Array
    """``(ticks,)`` execution time of each tick [s]; zero for an empty loop."""

    @property
    def later_than_period(self) -> float:
        """Share of ticks that started more than a whole period late."""
        return float(np.mean(self.wakeup_latency_s > 1.0 / self.rate_hz))


def measure_loop(
    rate_hz: float, strategy: WaitStrategy, seconds: float, cpu: int | None = None
) -> LoopMeasurement:
    """Measures an empty loop in the calling thread, whose scheduling it changes permanently."""
    configure_thread(cpu=cpu, realtime=strategy.fifo)
    clock = MonotonicClock()
    pacer = Pacer(1.0 / rate_hz, clock, strategy.spin_us * 1e-6)
    latencies_s = np.zeros(max(round(seconds * rate_hz), 1))
    ticks = 0
    with DeferredGc():
        pacer.start()
        ends = clock.now() + seconds
        while ticks < len(latencies_s) and (ticks == 0 or clock.now() < ends):
            latencies_s[ticks] = pacer.wait()
            ticks += 1
    return LoopMeasurement(
        rate_hz=rate_hz,
        strategy=strategy,
        wakeup_latency_s=latencies_s[:ticks],
        execution_time_s=np.zeros(ticks),
    )


class MissedDeadlines(NamedTuple):
    """The missed deadlines of one loop."""

    share: float
    in_a_row: int
    """Length of the longest run of missed deadlines."""


def count_missed_deadlines(loop: LoopMeasurement, budget_s: float) -> MissedDeadlines:
    """Counts the deadlines, one a period, whose tick ended more than ``budget_s`` [s] after them.

    A tick serves its own deadline and those that passed before it started.
    """
    period_s = 1.0 / loop.rate_hz
    total = missed = run = longest = 0
    for latency_s, execution_s in zip(
        loop.wakeup_latency_s.tolist(), loop.execution_time_s.tolist(), strict=True
    ):
        deadlines = math.floor(latency_s / period_s) + 1
        too_late = math.ceil((latency_s + execution_s - budget_s) / period_s)
        too_late = min(max(too_late, 0), deadlines)
        total += deadlines
        missed += too_late
        run += too_late
        longest = max(longest, run)
        if too_late < deadlines:
            run = 0
    return MissedDeadlines(share=missed / total, in_a_row=longest)
