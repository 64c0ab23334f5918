"""Poses with one flaw: age, rate and losses are those that were asked for."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.arms.tracker.factors import Flaw, Stream
from benchmarks.arms.tracker.goals import WatchedTabletop

from skill_robots.tasks.tabletop.tabletop import TabletopConfig


def stream(flaw: Flaw) -> Stream:
    table = WatchedTabletop(TabletopConfig(), 3, seed=3)
    made = Stream(table, flaw, np.random.default_rng(0))
    for _ in range(40):  # .2 s in which nothing moves
        made.advance()
    return made


@pytest.mark.parametrize(
    ("flaw", "least_s", "most_s"),
    [
        (Flaw(name="none"), 0.0, 0.0),
        (Flaw(name="late", delay_s=(0.04, 0.04)), 0.04, 0.04),
        (Flaw(name="rare", rate_hz=30.0), 0.0, 0.04),
        (Flaw(name="both", rate_hz=30.0, delay_s=(0.03, 0.06)), 0.03, 0.1),
    ],
)
def test_poses_have_the_age_of_the_flaw(flaw: Flaw, least_s: float, most_s: float) -> None:
    made = stream(flaw)
    assert made.deliver(0.2) == [0, 1, 2]
    for tracker in made.trackers:
        age = tracker.age_s("cube", 0.2)
        assert age is not None
        assert least_s - 1e-6 <= age <= most_s + 1e-6


def test_a_stream_without_poses_has_no_fresh_scene() -> None:
    assert stream(Flaw(name="lost", lost=1.0)).deliver(0.2) == []


def test_noise_has_its_size() -> None:
    made = stream(Flaw(name="noise", noise_m=0.001))
    exact = stream(Flaw(name="none"))
    made.deliver(0.2)
    exact.deliver(0.2)
    difference = made.poses(0.2, carried=False).position - exact.poses(0.2, carried=False).position
    assert 0.0 < np.abs(difference).max() < 0.005
