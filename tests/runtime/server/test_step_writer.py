"""Policy steps of a server, as recorders receive them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.controller_bench import Bench, bench

from skill_runtime.channel.channel import QUEUE_SLOTS, Channel
from skill_runtime.channel.step_record import StepRecord, unpack_step
from skill_runtime.policy import OnnxPolicy
from skill_runtime.server import step_writer
from skill_runtime.server.step_writer import StepWriter


class Recorded:
    """A controller without a server, and the policy steps that it writes."""

    def __init__(self, model: Path) -> None:
        self.bench: Bench = bench(model)
        self.queue = Channel.in_process().steps
        self.writer = StepWriter(self.queue, self.bench.controller)
        self.ticks = 0

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            now = self.bench.now
            self.bench.run(self.bench.controller.arm.servo_period_s)
            self.writer.write(now, self.ticks)
            self.ticks += 1

    def steps(self) -> list[StepRecord]:
        found: list[StepRecord] = []
        while (record := self.queue.get()) is not None:
            found.append(unpack_step(record))
        return found


@pytest.fixture
def recorded(policy_file: Path) -> Recorded:
    return Recorded(policy_file)


def test_each_policy_step_is_written_once_with_its_inputs(
    recorded: Recorded, policy_file: Path
) -> None:
    recorded.bench.skill(0.6, 0.8)
    recorded.run(41)
    steps = recorded.steps()
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    assert [step.tick for step in steps] == [0, 8, 16, 24, 32, 40]
    assert [step.age for step in steps] == [0, 1, 2, 3, 4, 5]
    policy = OnnxPolicy(policy_file)
    for step in steps:
        assert step.vector.tolist() == np.float32([0.6, 0.8]).tolist()
        assert not step.by_goal
        output = policy.step(step.observation, step.vector, None, step.applied)
        assert output.action[0].tolist() == step.action.tolist()


def test_a_long_hold_resets_the_age(recorded: Recorded) -> None:
    recorded.bench.skill(1.0, 0.0, valid_for_s=0.1)
    recorded.run(40)  # the command ends, and the arm holds for 0.1 s
    recorded.bench.skill(1.0, 0.0, valid_for_s=0.1)
    recorded.run(160)  # the arm holds for 0.7 s
    recorded.bench.skill(1.0, 0.0, valid_for_s=0.1)
    recorded.run(8)
    assert [step.age for step in recorded.steps()] == [0, 1, 2, 3, 4, 5, 0]


def test_a_full_queue_loses_steps_and_delays_no_tick(recorded: Recorded) -> None:
    recorded.bench.skill(1.0, 0.0)
    recorded.run(8 * (QUEUE_SLOTS + 4))
    kept = recorded.steps()
    assert [step.step for step in kept] == list(range(1, QUEUE_SLOTS + 1))
    recorded.run(8)
    assert [step.step for step in recorded.steps()] == [QUEUE_SLOTS + 5]


def test_an_observation_that_fits_in_no_record_is_not_written(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(step_writer, "STEP_BYTES", 100)
    recorded = Recorded(policy_file)
    recorded.bench.skill(1.0, 0.0)
    recorded.run(8)
    assert recorded.steps() == []
    assert "policy steps are not published" in caplog.text
