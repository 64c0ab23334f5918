"""A bare loop: it waits for the deadlines of a servo rate and does nothing else.

If it is asked to, it also computes for a fixed time after each deadline. The difference shows
how many late ticks a busy processor costs, whatever the program on it. The loop has the pacing and
scheduling of the control loop, in a process of its own. Its wake-up latency is that of the
machine.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from statistics import median

import numpy as np
import tyro

from benchmarks.serving.endurance.counts import Ticks, late_after_us
from benchmarks.serving.failures.peers import emit
from benchmarks.serving.failures.rig import Peer
from skill_proto.arrays import Array
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.cpus import allowed_cpus, loop_cpus, use_cpus
from skill_runtime.realtime.latency import compute_percentiles
from skill_runtime.realtime.pacing import Pacer
from skill_runtime.realtime.scheduling import DeferredGc, configure_thread


@dataclass(frozen=True, kw_only=True)
class BareTicks:
    """The ticks of a bare loop."""

    counts: Ticks
    wakeup_p50_us: float
    """Median of the wake-up latency of each second, as in telemetry; median over the seconds."""
    wakeup_p99_us: float
    """99th percentile of each second, median over the seconds."""


def measure_bare_loop(
    seconds: float,
    rate_hz: float,
    *,
    spin_us: float = 0.0,
    work_us: float = 0.0,
    realtime: bool = False,
) -> BareTicks:
    """Runs a bare loop in a new process and returns its ticks.

    Args:
        seconds: Duration [s].
        rate_hz: Servo rate [Hz].
        spin_us: Busy waiting before each deadline [us].
        work_us: Computing after each deadline [us].
        realtime: Whether to request real-time scheduling and locked memory.

    Raises:
        NeverHappenedError: The process ended early.
    """
    options = ["--spin-us", f"{spin_us:g}", "--work-us", f"{work_us:g}"]
    options += ["--realtime"] if realtime else []
    words = [f"{seconds:g}", f"{rate_hz:g}", *options]
    peer = Peer([sys.executable, "-m", "benchmarks.serving.bare_loop", *words])
    try:
        peer.wait_for("ok")
        time.sleep(seconds)
        done = peer.wait_for("done")
    finally:
        peer.end()
    return BareTicks(
        counts=Ticks(begun=done["begun"], late=done["late"], overruns=done["overruns"]),
        wakeup_p50_us=done["wakeup_p50_us"],
        wakeup_p99_us=done["wakeup_p99_us"],
    )


def run_bare_loop(
    seconds: float, rate_hz: float, spin_s: float, work_s: float, *, realtime: bool
) -> tuple[Array, int]:
    """Runs a bare loop in this thread, and configures the thread for it.

    Returns:
        Wake-up latency of each tick ``(ticks,)`` [s], and the number of overruns.
    """
    clock = MonotonicClock()
    pacer = Pacer(1.0 / rate_hz, clock, spin_s)
    latencies_s = np.zeros(int(seconds * rate_hz) + 10)
    ticks = 0
    use_cpus(loop_cpus(None, allowed_cpus()))
    configure_thread(realtime=realtime)
    with DeferredGc():
        pacer.start()
        ends = clock.now() + seconds
        while clock.now() < ends and ticks < len(latencies_s):
            latencies_s[ticks] = pacer.wait()
            ticks += 1
            done = clock.now() + work_s
            while clock.now() < done:
                pass
    return latencies_s[:ticks], pacer.overruns


def summarize(latencies_s: Array, overruns: int, rate_hz: float) -> BareTicks:
    """Returns the counts and percentiles of at least one tick."""
    late = int((latencies_s > 1e-6 * late_after_us(rate_hz)).sum())
    seconds = max(1, int(len(latencies_s) / rate_hz))  # the last ones may be longer than a second
    each = [compute_percentiles(part) for part in np.array_split(latencies_s, seconds)]
    return BareTicks(
        counts=Ticks(begun=len(latencies_s), late=late, overruns=overruns),
        wakeup_p50_us=median(second.p50_us for second in each),
        wakeup_p99_us=median(second.p99_us for second in each),
    )


def main(
    seconds: float,
    rate: float,
    /,
    spin_us: float = 0.0,
    work_us: float = 0.0,
    realtime: bool = False,
) -> None:
    """Runs a bare loop for ``seconds`` at ``rate`` [Hz] and prints its ticks."""
    emit("ok")
    times_s = (1e-6 * spin_us, 1e-6 * work_us)
    found = summarize(*run_bare_loop(seconds, rate, *times_s, realtime=realtime), rate)
    counts = found.counts
    emit(
        "done",
        begun=counts.begun,
        late=counts.late,
        overruns=counts.overruns,
        wakeup_p50_us=found.wakeup_p50_us,
        wakeup_p99_us=found.wakeup_p99_us,
    )


if __name__ == "__main__":
    tyro.cli(main)
