"""skill-serve with one counter more in its telemetry, the ticks that begin late; for endurance.py.

It takes the command line of skill-serve, and assembles and runs the same server.
"""

from __future__ import annotations

import sys
from collections import Counter

import tyro

from benchmarks.serving.endurance.counts import LATE, LATE_SHARE
from skill_runtime.cli.serve import Shutdown, build, serve
from skill_runtime.cli.serve_options import Arguments
from skill_runtime.realtime.latency import TickTimes


class CountedTimes(TickTimes):
    """Counts late ticks, besides what telemetry needs.

    Args:
        rate_hz: of the ticks.
        counters: where to count.
    """

    def __init__(self, rate_hz: float, counters: Counter[str]) -> None:
        super().__init__(round(rate_hz))
        self._late_s = LATE_SHARE / rate_hz
        self._counters = counters

    def add(self, work_s: float, late_s: float) -> None:
        """Notes one tick."""
        super().add(work_s, late_s)
        if late_s > self._late_s:
            self._counters[LATE] += 1


def main(arguments: Arguments) -> int:
    """Serves until interrupted."""
    shutdown = Shutdown()
    server = build(arguments)
    server.loop.times = CountedTimes(arguments.servo_rate, server.authority.counters)
    return serve(server, arguments, shutdown)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Arguments, description=__doc__)))
