"""Verdicts, by numbers made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skill_runtime.doctor.loop_latency import Timer, Way
from skill_runtime.doctor.verdict import FRANKA, SERVO, judge

SLEEP, FIFO, SPIN, BOTH = (
    Way(),
    Way(fifo=True),
    Way(spin_us=200.0),
    Way(spin_us=200.0, fifo=True),
)


def timer(way: Way, *late_ms: float, ticks: int = 2000, rate_hz: float = 1000.0) -> Timer:
    """All ticks in time but the first few."""
    late_s = np.zeros(ticks)
    late_s[: len(late_ms)] = np.array(late_ms) * 1e-3
    return Timer(rate_hz=rate_hz, way=way, late_s=late_s, work_s=np.zeros(ticks))


def test_a_punctual_machine_holds_without_flags() -> None:
    verdict = judge(FRANKA, [timer(SLEEP, 0.4), timer(FIFO)])
    assert verdict.holds
    assert verdict.text == "holds"
    assert verdict.reason == "sleep: no tick more than 0.5 ms late"


def test_the_way_that_costs_least_is_taken() -> None:
    timers = [timer(SLEEP, 30.0), timer(FIFO, 15.0), timer(SPIN), timer(BOTH)]
    assert judge(FRANKA, timers).text == "holds with --spin-us 200"


def test_packets_late_in_a_row_count_however_few_they_are() -> None:
    assert judge(FRANKA, [timer(SLEEP, 10.2)]).holds
    verdict = judge(FRANKA, [timer(SLEEP, 10.7)])
    assert not verdict.holds
    assert verdict.text == "does not hold"
    assert verdict.reason == (
        "sleep: 0.55 % of ticks more than 0.5 ms late, at most 11 in a row; may be 1 % and 10 "
        "(more than 20 abort the motion)"
    )


def test_late_packets_count_however_far_apart_they_are() -> None:
    one_in_fifty = [0.7, *[0.0] * 49] * 40
    verdict = judge(FRANKA, [timer(SLEEP, *one_in_fifty)])
    assert not verdict.holds
    assert "2 % of ticks" in verdict.reason
    assert "at most 1 in a row" in verdict.reason


def test_where_nothing_holds_the_nearest_is_told() -> None:
    timers = [timer(SLEEP, 90.0), timer(FIFO, 40.0), timer(SPIN, 60.0), timer(BOTH, 50.0)]
    verdict = judge(FRANKA, timers)
    assert verdict.text == "does not hold"
    assert verdict.reason.startswith("sleep, SCHED_FIFO: ")


def test_each_rate_is_judged_by_its_own_loops() -> None:
    timers = [timer(SLEEP, 4.0, rate_hz=200.0), timer(SLEEP, 30.0)]
    assert judge(SERVO, timers).holds
    assert not judge(FRANKA, timers).holds


@pytest.mark.parametrize(("late_ms", "holds"), [(39.0, True), (44.0, False)])
def test_a_servo_may_not_lose_an_action(late_ms: float, holds: bool) -> None:
    assert judge(SERVO, [timer(SLEEP, late_ms, rate_hz=200.0)]).holds is holds


def test_ticks_that_take_too_long_are_late_too() -> None:
    slow = Timer(rate_hz=200.0, way=SLEEP, late_s=np.full(100, 1e-3), work_s=np.full(100, 4.5e-3))
    assert not judge(SERVO, [slow]).holds
