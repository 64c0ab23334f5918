"""How soon a policy counts as adapted, by hand."""

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
    in_steps,
    known_after,
)
from benchmarks.context.goal_serving import Goals
from numpy.typing import NDArray

from skill_proto.arrays import Array


def served(reached: NDArray[np.bool_], estimates: Array | None = None) -> Served:
    """A goal at every step from the change on; ``reached[i]`` says whether it was."""
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
    """Goals given from this step on are reached."""
    return np.arange(AFTER_STEPS) >= step


def test_a_change_that_costs_nothing_is_adapted_to_at_once() -> None:
    assert adapted_after(served(reached_from(0)), 1.0) == 0.0


def test_adaptation_is_the_first_window_that_is_nearly_as_good() -> None:
    # Windows of 30 begin every 5 steps. Of the one at 45, 27 goals of 30 are reached: .9 of 1.
    assert adapted_after(served(reached_from(48)), 1.0) == 45.0


def test_a_lucky_window_with_worse_to_come_is_no_adaptation() -> None:
    reached = reached_from(150)
    reached[:WINDOW_STEPS] = True
    assert adapted_after(served(reached), 1.0) == 150.0


def test_who_never_recovers_never_adapts() -> None:
    assert math.isinf(adapted_after(served(reached_from(AFTER_STEPS)), 0.8))
    assert in_steps(math.inf) == "> 240"


def test_a_context_in_which_no_goal_is_reached_has_nothing_to_adapt_to() -> None:
    assert math.isnan(adapted_after(served(reached_from(0)), 0.04))
    assert in_steps(math.nan) == "-"


def test_an_estimate_is_known_once_it_stays_within_a_quarter() -> None:
    estimates = np.full((60, 3, 1), 0.4)
    estimates[5:9, :, 0] = 0.1  # near for four steps alone
    estimates[20:, :, 0] = 0.1 * 1.24
    run = served(reached_from(0), estimates)
    assert known_after(run, 0, 0.4, 0.1) == "20"
    assert known_after(run, 0, 0.4, 0.4) == "-"
    assert known_after(run, 0, 0.4, 9.0) == f"> {60 - HELD_STEPS + 1}"
