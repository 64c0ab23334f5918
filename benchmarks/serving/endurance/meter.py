"""Memory and pace of one server, read once a second while it serves; for endurance.py."""

from __future__ import annotations

import time

import psutil

from benchmarks.serving.endurance.counts import Sample, Ticks
from benchmarks.serving.failures.rig import Rig

SERVER = ("-m", "benchmarks.serving.endurance.server")
"""Program for the rig, in words for Python."""

ROLES = "benchmarks.serving.endurance.peers"

KEPT = 2000
"""States in the recording: some seconds, so that what grows is not this process."""

PERIOD_S = 1.0


class Meter:
    """Reads what a server is doing.

    Args:
        rig: with endurance_server.py in it.

    Attributes:
        samples: so far.
    """

    def __init__(self, rig: Rig) -> None:
        self.samples: list[Sample] = []
        self._rig = rig
        self._process = psutil.Process(rig.server_pid)

    @property
    def ticks(self) -> Ticks:
        """Since the server's start."""
        return Ticks.of(self._rig.recording.states[-1])

    def watch(self) -> Sample:
        """Waits for a second and adds a sample.

        Raises:
            NeverHappenedError: no telemetry comes any more.
        """
        began = time.monotonic()
        self._rig.observe(PERIOD_S)
        before_s = self.samples[-1].served_s if self.samples else 0.0
        timing = self._rig.recording.states[-1].timing
        sample = Sample(
            served_s=before_s + time.monotonic() - began,
            memory_mb=self._process.memory_info().rss / 1e6,
            execution_time_p50_us=timing.execution_time_p50_us,
            execution_time_p99_us=timing.execution_time_p99_us,
            wakeup_latency_p99_us=timing.wakeup_latency_p99_us,
        )
        self.samples.append(sample)
        return sample
