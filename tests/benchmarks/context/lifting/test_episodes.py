"""Scores of recorded lifts, against hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.context.lifting.episodes import Lifts, joined, record, scores, shown
from benchmarks.context.lifting.laws import Law, grip_of

from skill_proto.arrays import Array
from skill_robots.worlds.lift.config import LiftConfig

STEPS = 60


def lifts(estimates: Array | None = None) -> Lifts:
    """Two episodes. One cube arrives after 1.2 s and stays; the other is lost at once."""
    error = np.full((2, STEPS), 0.05)
    error[0, 30:] = 0.005
    held = np.ones((2, STEPS), dtype=np.bool_)
    held[1] = False
    squeeze = np.full((2, STEPS), 0.25)
    squeeze[1] = 1.0
    reward = np.where(held, 0.5, 0.0)
    return Lifts(
        mass=np.array([0.2, 0.8]),
        error=error,
        squeeze=squeeze,
        reward=reward,
        held=held,
        observation=np.zeros((2, STEPS, 1)),
        estimates=estimates,
        contexts=None,
    )


def test_scores_by_hand() -> None:
    assert scores(lifts()) == {
        "return": pytest.approx(15.0),
        "lost": 0.5,
        "squeeze": 0.25,
        "at_1": 0.0,
        "at_1.6": 0.5,
        "at_2.4": 0.5,
    }


def test_r2_is_that_of_the_log_mass_at_a_time() -> None:
    estimates = np.zeros((2, STEPS))
    estimates[:, 24:] = np.log([[0.2], [0.8]])
    both = lifts(estimates)
    both.held[1] = True
    found = scores(both)
    assert found["r2_1"] == found["r2_2.4"] == pytest.approx(1.0)
    # At 0.6 s both estimates are 0: the error is that of the mean, and the mean's own square.
    truth = np.log([0.2, 0.8])
    assert found["r2_0.6"] == pytest.approx(1.0 - np.square(truth).mean() / truth.var())


def test_records_are_joined_in_order() -> None:
    one = lifts(np.zeros((2, STEPS)))
    both = joined([one, one])
    assert both.mass.tolist() == [0.2, 0.8, 0.2, 0.8]
    assert both.estimates is not None
    assert len(both.estimates) == 4
    assert scores(both)["return"] == scores(one)["return"]


def test_one_observation_shows_the_mass_of_cubes_that_are_held() -> None:
    random = np.random.default_rng(0)
    mass = np.exp(random.normal(size=400))
    seen = np.zeros((400, STEPS, 1))
    seen[:, 4, 0] = np.log(mass) + random.normal(size=400)  # as much noise as signal
    held = np.ones((400, STEPS), dtype=np.bool_)
    held[::7] = False
    seen[::7, 4] = 1e6
    empty = np.zeros((400, STEPS))
    one = Lifts(
        mass=mass,
        error=empty,
        squeeze=empty,
        reward=empty,
        held=held,
        observation=seen,
        estimates=None,
        contexts=seen,
    )
    assert shown(one, seen, 0.2) == pytest.approx(0.5, abs=0.1)
    assert scores(one)["probe_0.6"] == pytest.approx(0.0, abs=0.02)
    assert shown(one, seen, 0.4) == pytest.approx(0.0, abs=0.02)


def test_the_grip_of_a_mass() -> None:
    # 1 kg at 2 m/s^2 weighs 11.81 N, of 20 N.
    np.testing.assert_allclose(grip_of(np.array([1.0, 3.0]), 0.05), [0.6405, 1.0])


def test_a_law_that_knows_the_mass_lifts_with_less_force() -> None:
    # Of few episodes: the shares are exact at the ends of 1.6 s, the squeeze need only be ordered.
    known, strong = (
        scores(record(Law(arm="integral", grip=grip), LiftConfig(), 4, seed=0))
        for grip in ("mass", 1.0)
    )
    assert known["at_1.6"] == strong["at_1.6"] == 1.0
    assert known["squeeze"] < 0.8 < strong["squeeze"] == 1.0
    assert known["return"] > strong["return"]
