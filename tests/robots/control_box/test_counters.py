"""Counters of the control box, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.control_box.counters import Answers, Durations, SendTimes


def test_percentiles_are_within_a_bucket_of_numpys() -> None:
    rng = np.random.default_rng(0)
    sample = rng.gamma(2.0, 0.4e-3, 4999)
    durations = Durations()
    for duration in sample:
        durations.add(float(duration))
    for percent in (50, 90, 99, 99.9):
        exact = np.percentile(sample, percent, method="inverted_cdf")
        assert 0 <= durations.percentile(percent) - exact <= Durations.WIDTH_S
    assert durations.longest == sample.max()


def test_durations_beyond_the_last_bucket_count_as_the_longest() -> None:
    durations = Durations()
    for duration in (0.001, 0.025, 0.3, -0.001):
        durations.add(duration)
    assert durations.percentile(100) == 0.3
    assert durations.percentile(75) == 0.3
    assert durations.percentile(25) == pytest.approx(1e-5)
    assert Durations().percentile(99) == 0.0


def test_realtime_factor_is_robot_time_per_real_time() -> None:
    times = SendTimes()
    assert times.realtime_factor == 1.0
    for i in range(11):
        times.sent(5.0 + 0.002 * i, 5.0 + 0.001 * i)
    assert times.states == 11
    assert times.wall_s == pytest.approx(0.020)
    assert times.realtime_factor == pytest.approx(0.5)
    assert times.gaps.count == 10
    assert times.gaps.percentile(50) == pytest.approx(0.002, abs=2e-5)
    assert times.delays.longest == pytest.approx(0.010)


def test_states_before_the_first_command_are_not_counted() -> None:
    answers = Answers()
    for _ in range(30):
        answers.count(expected=True, came=False)
    assert answers.awaited == 0
    assert answers.answered_share is None
    answers.count(expected=True, came=True)
    assert answers.answered_share == 1.0


def test_longest_miss_and_the_end_of_a_motion() -> None:
    answers = Answers()
    for came in (True, False, False, False, True, False, False, True):
        answers.count(expected=True, came=came)
    assert answers.longest_miss == 3
    answers.count(expected=False, came=False)
    answers.count(expected=True, came=False)  # of the next motion, before its first command
    assert answers.awaited == 8
    assert answers.answered == 3
    assert answers.answered_share == pytest.approx(0.375)
