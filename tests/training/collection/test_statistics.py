"""Statistics of a world, and the test which entries the actions drive."""

from __future__ import annotations

import numpy as np
import pytest
from tests.robots.worlds.environments import Point

from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.gymnasium_env.world import GymnasiumWorld
from skill_robots.worlds.registry import default_config, make_world
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


def test_a_constant_entry_has_a_neutral_scale() -> None:
    """The goal of Reacher stays within an episode, so it never changes in a step."""
    world = make_world(default_config("gymnasium:Reacher-v5"), 4)
    found = measure_statistics(world, seed=0, steps=1000)
    world.close()
    assert found.step_std[4] == found.std[4] > 0.01
    assert min(found.step_std) > 1e-4
    config = GymnasiumConfig(environment="still", settings=("gain=0.0",))
    still = GymnasiumWorld(lambda: Point(gain=0.0), config, 4, seed=0)
    assert measure_statistics(still, seed=0, steps=400).step_std[1] == 1.0


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
