"""Verdicts on given latencies."""

from __future__ import annotations

import numpy as np
import pytest

from skill_runtime.doctor.loop_latency import LoopMeasurement, WaitStrategy
from skill_runtime.doctor.verdict import FRANKA, SERVO, judge

SLEEP, FIFO, SPIN, BOTH = (
    WaitStrategy(),
    WaitStrategy(fifo=True),
    WaitStrategy(spin_us=200.0),
    WaitStrategy(spin_us=200.0, fifo=True),
)


def loop(
    strategy: WaitStrategy, *late_ms: float, ticks: int = 2000, rate_hz: float = 1000.0
) -> LoopMeasurement:
    """A loop whose first ticks have the given latencies; all others are in time."""
    latency_s = np.zeros(ticks)
    latency_s[: len(late_ms)] = np.array(late_ms) * 1e-3
    return LoopMeasurement(
        rate_hz=rate_hz,
        strategy=strategy,
        wakeup_latency_s=latency_s,
        execution_time_s=np.zeros(ticks),
    )


def test_a_punctual_machine_holds_without_flags() -> None:
    verdict = judge(FRANKA, [loop(SLEEP, 0.4), loop(FIFO)])
    assert verdict.holds
    assert verdict.text == "holds"
    assert verdict.reason == "sleep: no tick more than 0.5 ms late"


def test_the_cheapest_strategy_that_holds_is_chosen() -> None:
    loops = [loop(SLEEP, 30.0), loop(FIFO, 15.0), loop(SPIN), loop(BOTH)]
    assert judge(FRANKA, loops).text == "holds with --spin-us 200"


def test_few_late_packets_in_a_row_are_too_many() -> None:
    assert judge(FRANKA, [loop(SLEEP, 10.2)]).holds
    verdict = judge(FRANKA, [loop(SLEEP, 10.7)])
    assert not verdict.holds
    assert verdict.text == "does not hold"
    assert verdict.reason == (
        "sleep: 0.55 % of ticks more than 0.5 ms late, at most 11 in a row; the limits are 1 % "
        "and 10 (more than 20 abort the motion)"
    )


def test_late_packets_count_even_if_far_apart() -> None:
    one_in_fifty = [0.7, *[0.0] * 49] * 40
    verdict = judge(FRANKA, [loop(SLEEP, *one_in_fifty)])
    assert not verdict.holds
    assert "2 % of ticks" in verdict.reason
    assert "at most 1 in a row" in verdict.reason


def test_if_no_strategy_holds_the_best_is_reported() -> None:
    loops = [loop(SLEEP, 90.0), loop(FIFO, 40.0), loop(SPIN, 60.0), loop(BOTH, 50.0)]
    verdict = judge(FRANKA, loops)
    assert verdict.text == "does not hold"
    assert verdict.reason.startswith("sleep, SCHED_FIFO: ")


def test_each_rate_is_judged_by_its_own_loops() -> None:
    loops = [loop(SLEEP, 4.0, rate_hz=200.0), loop(SLEEP, 30.0)]
    assert judge(SERVO, loops).holds
    assert not judge(FRANKA, loops).holds


@pytest.mark.parametrize(("late_ms", "holds"), [(39.0, True), (44.0, False)])
def test_a_servo_must_not_lose_an_action(late_ms: float, holds: bool) -> None:
    assert judge(SERVO, [loop(SLEEP, late_ms, rate_hz=200.0)]).holds is holds


def test_long_execution_times_miss_deadlines_too() -> None:
    slow = LoopMeasurement(
        rate_hz=200.0,
        strategy=SLEEP,
        wakeup_latency_s=np.full(100, 1e-3),
        execution_time_s=np.full(100, 4.5e-3),
    )
    assert not judge(SERVO, [slow]).holds
