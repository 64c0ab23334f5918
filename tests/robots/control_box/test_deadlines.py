"""Deadlines of the control box, computed by hand."""

from __future__ import annotations

import pytest

from skill_robots.control_box.deadlines import Deadlines


def test_states_are_a_millisecond_apart_whatever_the_delay_of_each() -> None:
    deadlines = Deadlines(10.0)
    assert deadlines.after(10.0) == pytest.approx(10.001)
    assert deadlines.after(10.0012) == pytest.approx(10.002)
    assert deadlines.after(10.0021) == pytest.approx(10.003)
    assert deadlines.slip_s == 0.0


def test_a_delay_is_caught_up_with_at_least_0_6_ms_between_states() -> None:
    deadlines = Deadlines(0.0)
    sent = deadlines.after(0.0) + 0.010  # ten milliseconds late
    states = 1
    while (due := deadlines.after(sent)) < sent + 0.00099:
        assert due - sent == pytest.approx(0.0006)
        sent = due
        states += 1
    # Each of these states gains 0.4 ms on a delay of 10 ms.
    assert states == pytest.approx(25, abs=1)
    assert deadlines.slip_s == 0.0


def test_more_than_50_ms_is_given_up_and_counted() -> None:
    deadlines = Deadlines(0.0)
    sent = deadlines.after(0.0) + 0.2
    deadlines.after(sent)
    # The next state was due at 2 ms, and the last one was sent at 201 ms.
    assert deadlines.slip_s == pytest.approx(0.201 - 0.002 - 0.050)
    assert deadlines.due == pytest.approx(0.151)
