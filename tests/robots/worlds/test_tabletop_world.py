"""The tabletop behind the interface of a world is the tabletop, to the last bit."""

from __future__ import annotations

import numpy as np

from skill_robots.observation import PUSH_OBSERVATION
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_robots.worlds.tabletop_world import TabletopWorld

CONFIG = TabletopConfig(sensor_noise=1.0, start="mixed", stiffness_scale=(0.9, 1.1))


def test_it_equals_the_tabletop_to_the_last_bit() -> None:
    plain, world = Tabletop(CONFIG, 3, seed=4), TabletopWorld(CONFIG, 3, seed=4)
    plain.reset()
    observation = world.reset()
    np.testing.assert_array_equal(plain.observe(PUSH_OBSERVATION), observation)
    for action in np.random.default_rng(0).uniform(-1.0, 1.0, (20, 3, 3)):
        plain.step(action)
        step = world.step(action)
        np.testing.assert_array_equal(plain.observe(PUSH_OBSERVATION), step.observation)
        assert not step.ended.any()
    np.testing.assert_array_equal(world.hidden(), np.stack([plain.mass, plain.friction], 1))
    np.testing.assert_array_equal(world.coordinates(), plain.physics.cube_position[:, :2])


def test_its_description() -> None:
    spec = TabletopWorld(CONFIG, 1).spec
    assert (spec.name, spec.observation_size, spec.action_size) == ("tabletop", 28, 3)
    assert (spec.episode_steps, spec.control_rate_hz) == (100, 25.0)
    assert [quantity.name for quantity in spec.hidden] == ["cube_mass", "cube_table_friction"]
    assert spec.indices(("cube_position.0", "cube_position.1")) == spec.indices(
        spec.coordinates.names if spec.coordinates else ()
    )


def test_a_restored_world_draws_the_same_episodes() -> None:
    world = TabletopWorld(CONFIG, 2, seed=1)
    state = world.state_dict()
    expected = world.reset()
    world.load_state_dict(state)
    np.testing.assert_array_equal(world.reset(), expected)
