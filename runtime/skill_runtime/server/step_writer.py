"""Writes each policy step for recorders; a full queue loses a step, and the tick never waits."""

from __future__ import annotations

import logging

from skill_runtime.channel.channel import STEP_BYTES
from skill_runtime.channel.record_queue import RecordQueue
from skill_runtime.channel.step_record import StepRecord, pack_step, record_bytes
from skill_runtime.control.arm_controller import ArmController

log = logging.getLogger(__name__)


class StepWriter:
    """Writes the policy steps of one arm.

    Args:
        queue: the queue to the gateway.
        controller: the arm.

    Attributes:
        fits: whether a step fits into a place of the queue; if not, no step is written.
    """

    def __init__(self, queue: RecordQueue, controller: ArmController) -> None:
        self._queue = queue
        self._runner = controller.runner
        self._written = 0
        manifest = controller.manifest
        command = max(manifest.skill.size, manifest.goal_size)
        sizes = (manifest.observation_size, command, manifest.action_size, manifest.action_size)
        self.fits = record_bytes(sizes) <= STEP_BYTES
        if not self.fits:
            log.warning(
                "policy steps are not published: an observation of %d numbers is too long for a "
                "recording",
                manifest.observation_size,
            )

    def write(self, now: float, tick: int) -> None:
        """Writes the policy step of this tick, if there was one.

        Args:
            now: server time of the tick [s].
            tick: number of the tick.
        """
        runner = self._runner
        inference = runner.inference
        if runner.steps == self._written or inference is None or not self.fits:
            return
        self._written = runner.steps
        record = StepRecord(
            runner.steps,
            tick,
            inference.age,
            now,
            inference.by_goal,
            inference.observation,
            inference.vector,
            inference.applied,
            inference.output.action[0],
        )
        self._queue.put(pack_step(record))
