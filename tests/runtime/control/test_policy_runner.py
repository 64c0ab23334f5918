"""The policy of one arm: its rate, and when its memory still holds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_runtime.control.policy_runner import (
    MAX_PAUSE_S,
    PolicyRunner,
    RateMismatchError,
    ticks_per_action,
)
from skill_runtime.policy.onnx_policy import OnnxPolicy, PolicyOutput

SKILL = np.array([1.0, 0.0])


class WatchedPolicy(OnnxPolicy):
    """Notes what it is told of the past."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.told: list[Array | None] = []
        self.resets = 0

    def step(
        self,
        observation: Array,
        skill: Array | None = None,
        goal: Array | None = None,
        previous_action: Array | None = None,
    ) -> PolicyOutput:
        self.told.append(previous_action)
        return super().step(observation, skill, goal, previous_action)

    def reset_slot(self, slot: int) -> None:
        self.resets += 1
        super().reset_slot(slot)


@pytest.fixture
def policy(policy_file: Path) -> WatchedPolicy:
    return WatchedPolicy(policy_file)


def run(runner: PolicyRunner) -> PolicyOutput:
    return runner.run(np.zeros(runner.policy.manifest.observation_size), SKILL, by_goal=False)


def test_after_a_short_pause_it_is_told_that_nothing_was_done(policy: WatchedPolicy) -> None:
    runner = PolicyRunner(policy)
    assert run(runner) is runner.output
    runner.pause(MAX_PAUSE_S)
    assert runner.output is None
    runner.resume()
    run(runner)
    assert policy.resets == 0
    assert policy.told[0] is None
    np.testing.assert_array_equal(policy.told[1], np.zeros(policy.manifest.action_size))


@pytest.mark.parametrize("pauses", [[0.3, 0.3], [math.inf]])
def test_after_a_long_one_it_starts_anew(policy: WatchedPolicy, pauses: list[float]) -> None:
    runner = PolicyRunner(policy)
    run(runner)
    for seconds in pauses:
        runner.pause(seconds)
    runner.resume()
    run(runner)
    assert policy.resets == 1
    assert policy.told == [None, None]


def test_what_was_done_instead_is_told_once(policy: WatchedPolicy) -> None:
    runner = PolicyRunner(policy)
    run(runner)
    runner.set_applied(np.full(policy.manifest.action_size, 0.5))
    run(runner)
    run(runner)
    np.testing.assert_array_equal(policy.told[1], np.full(policy.manifest.action_size, 0.5))
    assert policy.told[2] is None


def test_to_forget_is_to_know_nothing_of_what_was_done(policy: WatchedPolicy) -> None:
    runner = PolicyRunner(policy)
    run(runner)
    runner.set_applied(np.ones(policy.manifest.action_size))
    runner.forget()
    assert runner.output is None
    run(runner)
    assert (policy.resets, policy.told[1]) == (1, None)


@pytest.mark.parametrize(("servo_hz", "ticks"), [(25.0, 1), (200.0, 8), (1000.0, 40)])
def test_servo_periods_in_one_of_the_policy(servo_hz: float, ticks: int) -> None:
    assert ticks_per_action(25.0, 1.0 / servo_hz) == ticks


@pytest.mark.parametrize("servo_hz", [20.0, 110.0])
def test_rates_that_do_not_fit_are_refused(servo_hz: float) -> None:
    with pytest.raises(RateMismatchError, match=r"25 Hz.*whole multiple"):
        ticks_per_action(25.0, 1.0 / servo_hz)
