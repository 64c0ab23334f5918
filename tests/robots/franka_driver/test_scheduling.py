"""The longest delay of a cycle, as telemetry reports it."""

from __future__ import annotations

from skill_robots.franka_driver.scheduling import WINDOW, Delays


def test_the_longest_delay_is_known_at_once() -> None:
    delays = Delays()
    for late_s in (0.001, 0.004, 0.002):
        delays.add(late_s)
    assert delays.longest_s == 0.004


def test_a_delay_is_forgotten_after_one_to_two_windows() -> None:
    delays = Delays()
    delays.add(0.004)
    for _ in range(WINDOW - 1):
        delays.add(0.001)
    assert delays.longest_s == 0.004
    for _ in range(WINDOW):
        delays.add(0.001)
    assert delays.longest_s == 0.001


def test_cycles_that_are_early_have_no_delay() -> None:
    delays = Delays()
    delays.add(-0.001)
    assert delays.longest_s == 0.0
