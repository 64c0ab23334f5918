"""Statistics of a world, and the test which entries the actions drive."""

from __future__ import annotations

import numpy as np
import pytest
from tests.robots.worlds.environments import Point

from skill_robots.worlds.gymnasium_world import GymnasiumConfig, GymnasiumWorld
from skill_training.collection.statistics import determination, measure_statistics


def test_determination_by_hand() -> None:
    random = np.random.default_rng(0)
    inputs = random.standard_normal((500, 2))
    noise = random.standard_normal(500)
    outputs = np.stack([2 * inputs[:, 0] + 1, inputs[:, 1] + noise, noise, np.ones(500)], axis=1)
    exact, half, nothing, constant = determination(inputs, outputs)
    assert exact == pytest.approx(1.0)
    assert half == pytest.approx(0.5, abs=0.08)
    assert nothing == pytest.approx(0.0, abs=0.02)
    assert constant == 0.0


def test_a_driven_entry_is_found() -> None:
    """The position of the point changes by half of the action, so its R2 is 1."""
    config = GymnasiumConfig(environment="point", episode_steps=50)
    world = GymnasiumWorld(Point, config, 4, seed=0)
    found = measure_statistics(world, seed=0, steps=2000)
    assert found.action_r2[0] == pytest.approx(1.0, abs=1e-6)
    # Actions are uniform within -2 to 4: the standard deviation of half of one is .5 6 / sqrt(12).
    assert found.step_std[0] == pytest.approx(3 / np.sqrt(12), rel=0.1)
    assert 0 not in found.unactuated
    again = measure_statistics(GymnasiumWorld(Point, config, 4, seed=0), seed=0, steps=2000)
    assert again == found
