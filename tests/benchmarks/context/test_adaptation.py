"""The time of adaptation, against hand-computed values."""

from __future__ import annotations

import math

import numpy as np
from benchmarks.context.adaptation import (
    AFTER_STEPS,
    BEFORE_STEPS,
    HELD_STEPS,
    WINDOW_STEPS,
    Served,
    adapted_after,
    format_steps,
    known_after,
)
from benchmarks.context.goal_serving import Goals
from numpy.typing import NDArray

from skill_proto.arrays import Array


def served(reached: NDArray[np.bool_], estimates: Array | None = None) -> Served:
    """Returns goals at each step from the change on; ``reached[i]`` for the goal of step ``i``."""
    steps = len(reached)
    goals = Goals(
        given=BEFORE_STEPS + np.arange(steps, dtype=np.int64),
        at_rest=reached,
        estimate=np.zeros((steps, 0)),
        truth=np.ones((steps, 2)),
        put_back=0.0,
    )
    empty = np.zeros((steps, 1, 0))
    return Served(goals=(goals,), estimates=empty if estimates is None else estimates)


def reached_from(step: int) -> NDArray[np.bool_]:
    """Returns ``reached`` for goals that are reached from ``step`` on."""
    return np.arange(AFTER_STEPS) >= step


def test_adaptation_to_a_harmless_change_takes_no_time() -> None:
    assert adapted_after(served(reached_from(0)), 1.0) == 0.0


def test_adaptation_is_the_first_window_near_the_reference() -> None:
    # Windows of 30 steps begin every 5 steps. The one at step 45 reaches 27 of its 30 goals: 0.9.
    assert adapted_after(served(reached_from(48)), 1.0) == 45.0


def test_a_good_window_before_a_worse_one_is_no_adaptation() -> None:
    reached = reached_from(150)
    reached[:WINDOW_STEPS] = True
    assert adapted_after(served(reached), 1.0) == 150.0


def test_without_recovery_the_time_is_infinite() -> None:
    assert math.isinf(adapted_after(served(reached_from(AFTER_STEPS)), 0.8))
    assert format_steps(math.inf) == "> 240"


def test_the_time_is_undefined_if_the_reference_reaches_no_goal() -> None:
    assert math.isnan(adapted_after(served(reached_from(0)), 0.04))
    assert format_steps(math.nan) == "-"


def test_an_estimate_is_known_once_it_stays_within_a_quarter() -> None:
    estimates = np.full((60, 3, 1), 0.4)
    estimates[5:9, :, 0] = 0.1  # near for only four steps
    estimates[20:, :, 0] = 0.1 * 1.24
    run = served(reached_from(0), estimates)
    assert known_after(run, 0, 0.4, 0.1) == "20"
    assert known_after(run, 0, 0.4, 0.4) == "-"
    assert known_after(run, 0, 0.4, 9.0) == f"> {60 - HELD_STEPS + 1}"
