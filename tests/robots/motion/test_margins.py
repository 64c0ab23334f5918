"""The bounds between two samples of a trajectory, against dense measurements."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.franka.specs import PANDA
from skill_robots.motion.braking import BrakingPlanner, BrakingTrajectory
from skill_robots.motion.limits import MotionLimits, Surroundings
from skill_robots.motion.margins import (
    FINEST_M,
    MAX_SAG_M,
    WITHIN_LIMITS,
    Margins,
    SampledPath,
)

EVERYWHERE = Surroundings(low=(-9.0, -9.0, -9.0), high=(9.0, 9.0, 9.0))
FOLDED = np.array([-0.842, 0.195, 0.024, -2.6, -0.013, 2.795, -0.021])
"""In the workspace's corner near the base, link 5 and hand are 27 mm apart [rad]."""

periods = pytest.mark.parametrize("period_s", [0.001, 0.005])


def stop_from(position: Array, velocity: Array, period_s: float) -> BrakingTrajectory:
    planner = BrakingPlanner(PANDA.acceleration_limit, PANDA.jerk_limit, period_s)
    return planner.plan(position, velocity, np.zeros(7))


def path_of(
    measure: Callable[[Array], Margins], trajectory: BrakingTrajectory, period_s: float
) -> SampledPath:
    """Returns a path with bounds as the governor computes them."""
    rates = np.abs(trajectory.velocity)
    speed = rates @ PANDA.reach
    acceleration = float((np.abs(trajectory.acceleration) @ PANDA.reach).max())
    acceleration += float(rates.sum(axis=1).max() * speed.max())
    return SampledPath(measure, trajectory.position, speed, acceleration, period_s)


def dense(limits: MotionLimits, positions: Array) -> Margins:
    """Returns the least margins on the lines between the set-points, at 8 places of each."""
    found = [
        limits.margins(before + (after - before) * share)
        for before, after in pairwise(positions)
        for share in np.linspace(0.0, 1.0, 9)
    ]
    return Margins(*np.min(found, axis=0).tolist())


@periods
def test_a_stop_is_accepted_or_refused_by_its_true_margin(period_s: float) -> None:
    """Only near a limit may a bound refuse a stop, and a slack is never more than the margin."""
    limits = MotionLimits(PANDA, EVERYWHERE, period_s)
    rng = np.random.default_rng(7)
    accepted = refused = 0
    for _ in range(30):
        start = FOLDED + rng.uniform(-0.3, 0.3, 7)
        trajectory = stop_from(start, rng.uniform(-1.0, 1.0, 7), period_s)
        left = min(dense(limits, trajectory.position))
        found = path_of(limits.margins, trajectory, period_s).verify(WITHIN_LIMITS)
        if isinstance(found, tuple):
            accepted += 1
            assert left >= found[1] - MAX_SAG_M
        else:
            refused += 1
            assert left <= max(FINEST_M / 2, MAX_SAG_M)
    assert accepted > 3
    assert refused > 3


@periods
def test_far_from_every_limit_few_set_points_are_measured(period_s: float) -> None:
    measured: list[Array] = []

    def far(position: Array) -> Margins:
        measured.append(position)
        return Margins(0.3, 0.02, 0.04)

    trajectory = stop_from(FOLDED, np.full(7, 0.3), period_s)
    assert isinstance(path_of(far, trajectory, period_s).verify(WITHIN_LIMITS), tuple)
    assert len(measured) < 9


def test_links_that_meet_between_two_samples_are_found() -> None:
    """Hand and link touch in the middle of the way, and are apart at its ends."""
    way = np.linspace(-0.03, 0.03, 13)

    def measure(position: Array) -> Margins:
        return Margins(9.0, 9.0, abs(float(position[0])) - 0.001)

    path = SampledPath(measure, way[:, None], np.full(13, 1.0), 0.0, 0.005)
    assert path.verify(WITHIN_LIMITS) == "self_collision"


def test_beyond_a_limit_every_set_point_is_measured() -> None:
    measured: list[float] = []

    def measure(position: Array) -> Margins:
        measured.append(float(position[0]))
        return Margins(0.1, -0.002, 0.1)

    path = SampledPath(measure, np.arange(9.0)[:, None], np.full(9, 0.1), 0.1, 0.005)
    found = path.verify(Margins(0.0, -0.002, 0.0))
    assert found == (Margins(0.1, -0.002, 0.1), 0.0)
    assert measured == list(range(9))


@pytest.mark.parametrize(
    ("margins", "limit"),
    [
        (Margins(-0.001, 1.0, 1.0), "workspace"),
        (Margins(1.0, -0.001, 1.0), "table"),
        (Margins(1.0, 1.0, -0.001), "self_collision"),
        (Margins(0.0, 0.0, 0.0), None),
    ],
)
def test_a_negative_margin_names_its_limit(margins: Margins, limit: str | None) -> None:
    assert margins.broken() == limit
