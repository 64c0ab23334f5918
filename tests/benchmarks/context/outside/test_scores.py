"""The scores of a control step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from benchmarks.context.outside.recording import Recording
from benchmarks.context.outside.scores import Surprise, excursions, windowed

from skill_proto.arrays import Array


def linear_world(gain: float, *, seed: int, noise: float = 1e-3) -> Recording:
    """Returns two scenes whose observation moves by ``gain`` times the action."""
    rng = np.random.default_rng(seed)
    action = rng.uniform(-1.0, 1.0, (300, 2, 3))
    steps = 0.01 * gain * action[:-1] + noise * rng.normal(size=(299, 2, 3))
    observation = np.concatenate([np.zeros((1, 2, 3)), steps]).cumsum(axis=0)
    return Recording(
        observation=observation,
        action=action,
        context=np.zeros((300, 2, 1)),
        distance=np.zeros((300, 2)),
    )


def test_a_window_is_the_mean_of_the_last_steps() -> None:
    scores = np.array([[1.0, 0.0], [2.0, 0.0], [6.0, 3.0], [1000.0, 0.0]])
    np.testing.assert_allclose(windowed(scores, 3), [[3.0, 1.0], [6.0, 1.0]])  # 1000 counts as 10


def test_excursions_are_those_of_the_server() -> None:
    distance: Array = np.full((8, 2), np.nan)
    distance[2:, 0] = 2.0
    distance[2:, 1] = 0.5
    wanted = np.zeros((8, 2))
    wanted[4:, 0] = 1.0  # the third distance fills the window
    np.testing.assert_array_equal(excursions(distance, 3), wanted)


def test_surprise_is_calibrated_inside() -> None:
    surprise = Surprise(linear_world(1.0, seed=0))
    inside = surprise.of(linear_world(1.0, seed=1))
    assert abs((inside[1:] > 1.0).mean() - 0.05) < 0.03


def test_a_stiffer_world_is_a_surprise() -> None:
    surprise = Surprise(linear_world(1.0, seed=0))
    inside, stiffer = (surprise.of(linear_world(gain, seed=2)) for gain in (1.0, 1.5))
    assert np.median(stiffer) > 2.0 * np.median(inside)


def test_a_reset_is_no_surprise() -> None:
    surprise = Surprise(linear_world(1.0, seed=0))
    seen = linear_world(1.0, seed=3)
    moved = seen.observation.copy()
    moved[150:, 0] += 0.2  # both hand and cube are put elsewhere
    jumped = surprise.of(replace(seen, observation=moved))
    assert jumped[150, 0] == 0.0
    assert jumped.max() < 3.0
