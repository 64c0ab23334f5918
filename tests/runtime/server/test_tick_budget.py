"""The work that a tick does besides moving the arm, with numbers computed by hand.

At 1 kHz the receive budget is 0.15 ms, and a tick is late from 0.2 ms on.
"""

from __future__ import annotations

import pytest

from skill_runtime.server.tick_budget import MAX_DEFERRED_TICKS, TickBudget, TickPlan

PUBLISH, RECEIVE, BOTH = TickPlan(True, False), TickPlan(False, True), TickPlan(True, True)
NEITHER = TickPlan(False, False)


def plan(
    budget: TickBudget,
    late_s: float = 0.0,
    *,
    due: bool = False,
    runs: bool = True,
    pending: bool = False,
) -> TickPlan:
    return budget.plan(late_s, publish_due=due, policy_runs=runs, policy_step_pending=pending)


@pytest.mark.parametrize(("period_s", "runs"), [(0.005, True), (0.001, False)])
def test_with_time_to_spare_every_tick_does_all_work(period_s: float, runs: bool) -> None:
    budget = TickBudget(period_s)
    for _ in range(3):
        assert plan(budget, 0.5 * period_s, due=True, runs=runs, pending=True) == BOTH
        assert plan(budget, runs=runs) == RECEIVE
        budget.charge(1.0)


def test_a_short_tick_does_one_thing() -> None:
    budget = TickBudget(0.001)
    assert budget.receive_s == pytest.approx(0.00015)
    assert plan(budget) == RECEIVE
    assert plan(budget, due=True) == PUBLISH
    assert plan(budget, due=True, pending=True) == NEITHER


@pytest.mark.parametrize(("late_s", "expected"), [(0.00019, RECEIVE), (0.00021, NEITHER)])
def test_a_late_tick_defers_all_work(late_s: float, expected: TickPlan) -> None:
    assert plan(TickBudget(0.001), late_s) == expected


def test_work_is_deferred_for_four_ticks_at_most() -> None:
    assert MAX_DEFERRED_TICKS == 4
    budget = TickBudget(0.001)
    late = [plan(budget, 0.0005, due=True) for _ in range(6)]
    assert late == [NEITHER] * 4 + [BOTH] + [NEITHER]


def test_ticks_that_publish_count_as_deferred_for_receiving() -> None:
    budget = TickBudget(0.001)
    assert [plan(budget, due=True) for _ in range(5)] == [PUBLISH] * 4 + [BOTH]


def test_an_overdraft_is_paid_back_by_later_ticks() -> None:
    """0.4 ms in one tick are 0.25 ms too many: a tick pays back 0.15 ms, two do."""
    budget = TickBudget(0.001)
    assert plan(budget) == RECEIVE
    budget.charge(0.0004)
    for expected in (NEITHER, NEITHER, RECEIVE):
        assert plan(budget) == expected
        budget.charge(0.0)


def test_a_tick_within_its_budget_saves_no_time_for_later() -> None:
    budget = TickBudget(0.001)
    for _ in range(10):
        plan(budget)
        budget.charge(0.0)
    budget.charge(0.00016)
    assert plan(budget) == NEITHER


def test_the_overdraft_is_bounded_by_four_budgets() -> None:
    """After a suspend of a minute, the fifth tick receives again."""
    budget = TickBudget(0.001)
    budget.charge(60.0)
    plans: list[TickPlan] = []
    for _ in range(5):
        plans.append(plan(budget))
        budget.charge(0.0)
    assert plans == [NEITHER] * 4 + [RECEIVE]


def test_a_policy_that_stops_cancels_the_overdraft() -> None:
    budget = TickBudget(0.001)
    budget.charge(60.0)
    assert plan(budget, runs=False) == RECEIVE
    assert plan(budget) == RECEIVE
