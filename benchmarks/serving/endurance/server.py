"""skill-serve with an additional counter of late ticks in its telemetry.

It takes the options of skill-serve and runs the same server.
"""

from __future__ import annotations

import sys
from collections import Counter

import tyro

from benchmarks.serving.endurance.counts import LATE, LATE_SHARE
from skill_runtime.cli.serve import Shutdown, build_server, run_server
from skill_runtime.cli.serve_options import ServeOptions
from skill_runtime.realtime.latency import TickTimes


class CountedTimes(TickTimes):
    """Counts late ticks, in addition to the statistics for telemetry.

    Args:
        rate_hz: Servo rate [Hz].
        counters: Counters that get the number of late ticks.
    """

    def __init__(self, rate_hz: float, counters: Counter[str]) -> None:
        super().__init__(round(rate_hz))
        self._late_s = LATE_SHARE / rate_hz
        self._counters = counters

    def add(self, execution_time_s: float, wakeup_latency_s: float) -> None:
        """Records one tick."""
        super().add(execution_time_s, wakeup_latency_s)
        if wakeup_latency_s > self._late_s:
            self._counters[LATE] += 1


def main(arguments: ServeOptions) -> int:
    """Serves until interrupted."""
    shutdown = Shutdown()
    server = build_server(arguments)
    server.loop.times = CountedTimes(arguments.timing.servo_rate, server.authority.events.counters)
    return run_server(server, arguments, shutdown)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(ServeOptions, description=__doc__)))
