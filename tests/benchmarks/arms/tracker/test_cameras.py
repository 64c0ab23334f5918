"""Poses of simulated cameras come at their rate, and late."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.arms.tracker.cameras import WARM_UP_S, Cameras, Counts

from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig


def test_exact_poses_arrive_between_the_least_and_the_largest_delay() -> None:
    table, counts = Tabletop(TabletopConfig(), 1, seed=3), Counts()
    cameras = Cameras(
        table,
        None,
        np.random.default_rng(0),
        counts,
        names=("left", "right"),
        rate_hz=30.0,
        delay_s=(0.03, 0.06),
    )
    tracker = ObjectTracker(TrackConfig(objects=("cube",)))
    cameras.warm_up()
    ages: list[float] = []
    for step in range(1, 201):  # one second of servo periods
        now = step * 0.005
        cameras.advance(now)
        cameras.deliver(tracker, now)
        ages.append(tracker.age_s("cube", now) or 0.0)
    assert counts.images == pytest.approx(2 * 30 * (1 + WARM_UP_S), abs=3)
    assert counts.missed == 0
    assert counts.errors_m == pytest.approx([0.0] * counts.poses)
    # The newest pose is at least 30 ms old, and at most 60 ms and the time to the next image.
    assert min(ages) >= 0.03 - 1e-9
    assert max(ages) <= 0.06 + 1 / 30 + 0.006
    position = tracker.poses()["cube"].position
    assert position == pytest.approx(table.cube_position[0])
