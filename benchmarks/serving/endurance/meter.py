"""Samples memory and timing of a running server once per second."""

from __future__ import annotations

import time

from benchmarks.serving.endurance.counts import Sample, Ticks
from benchmarks.serving.failures.rig import Rig
from benchmarks.serving.processes import resident_mb

ROLES = "benchmarks.serving.endurance.peers"
"""Module of the peers."""

KEPT = 2000
"""States in the recording: a few seconds, so that the memory of this process does not grow."""

PERIOD_S = 1.0
"""Time between two samples [s]."""


class Meter:
    """Samples the server of a rig.

    Args:
        rig: Rig with the server.
        servo_rate_hz: Servo rate of the server [Hz].

    Attributes:
        samples: All samples so far.
    """

    def __init__(self, rig: Rig, servo_rate_hz: float) -> None:
        self.samples: list[Sample] = []
        self._rig = rig
        self._servo_rate_hz = servo_rate_hz

    @property
    def ticks(self) -> Ticks:
        """Counts since the start of the server."""
        return Ticks.of(self._rig.recording.states[-1], self._servo_rate_hz)

    def watch(self) -> Sample:
        """Waits for one second and adds a sample.

        Raises:
            NeverHappenedError: No telemetry arrives.
        """
        began = time.monotonic()
        self._rig.observe(PERIOD_S)
        before_s = self.samples[-1].served_s if self.samples else 0.0
        timing = self._rig.recording.states[-1].timing
        memory = {role: resident_mb(one) for role, one in self._rig.find_processes().items()}
        sample = Sample(
            served_s=before_s + time.monotonic() - began,
            controller_mb=memory["controller"],
            all_mb=sum(memory.values()),
            execution_time_p50_us=timing.execution_time_p50_us,
            execution_time_p99_us=timing.execution_time_p99_us,
            wakeup_latency_p99_us=timing.wakeup_latency_p99_us,
        )
        self.samples.append(sample)
        return sample
