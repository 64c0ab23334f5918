"""Gymnasium environments as worlds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from tests.robots.worlds.environments import Point, broken, counting, discrete, number

from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.gymnasium_env.world import GymnasiumWorld

config = partial(GymnasiumConfig, environment="point")

DEFAULT = config()


def world(
    make: Callable[[], Any] = Point, settings: GymnasiumConfig = DEFAULT, n: int = 3
) -> GymnasiumWorld:
    return GymnasiumWorld(make, settings, n, seed=5)


def test_a_dict_has_a_field_for_each_box() -> None:
    spec = world().spec
    assert spec.entries == ("position.0", "velocity.0")
    assert (spec.episode_steps, spec.control_rate_hz) == (200, 10.0)


def test_a_box_is_one_field() -> None:
    made = GymnasiumWorld(lambda: gymnasium.make("Reacher-v5"), DEFAULT, 2)
    assert [(field.name, field.size) for field in made.spec.observation] == [("observation", 10)]
    assert made.spec.action_size == 2
    assert made.spec.control_rate_hz == pytest.approx(50.0)
    made.close()


def test_actions_are_scaled_from_one_to_the_bounds() -> None:
    """The bounds are -2 and 4, the gain is .5: -1, 0, 1 are displacements of -1, .5 and 2."""
    made = world()
    before = made.reset()[:, 0]
    step = made.step(np.array([[-1.0], [0.0], [1.0]]))
    np.testing.assert_allclose(step.observation[:, 0] - before, [-1.0, 0.5, 2.0], atol=1e-6)
    np.testing.assert_allclose(step.observation[:, 1], [-1.0, 0.5, 2.0], atol=1e-6)
    np.testing.assert_allclose(step.reward, step.observation[:, 0], atol=1e-6)
    assert step.terminated.tolist() == [False, False, True]


def test_only_the_named_scenes_start_anew() -> None:
    made = world(settings=config(hidden=("mass",)))
    after, mass = made.step(np.ones((3, 1))).observation, made.hidden()
    assert ((mass >= 1.0) & (mass <= 2.0)).all()
    again = made.reset(np.array([2]))
    np.testing.assert_array_equal(again[:2], after[:2])
    assert abs(again[2, 0]) <= 0.1
    np.testing.assert_array_equal(made.hidden()[:2], mass[:2])
    assert made.hidden()[2] != mass[2]


def test_without_terminals_an_episode_ends_all_the_same() -> None:
    step = world(settings=config(terminals=False)).step(np.ones((3, 1)))
    assert not step.terminated.any()
    assert step.ended.all()


def test_a_restored_world_draws_the_same_episodes() -> None:
    made = world()
    made.reset()
    state = made.state_dict()
    expected = made.reset()
    other = world()
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.reset(), expected)


def test_environments_in_processes_are_the_same() -> None:
    one, other = world(), world(settings=config(processes=True))
    np.testing.assert_array_equal(one.reset(), other.reset())
    action = np.full((3, 1), 0.1)
    np.testing.assert_array_equal(one.step(action).observation, other.step(action).observation)
    for made in (one, other):
        made.close()
        made.close()


def test_coordinates_are_observed_entries() -> None:
    made = world(settings=config(coordinates=("position",), cell=0.1))
    assert made.spec.coordinates is not None
    assert (made.spec.coordinates.names, made.spec.coordinates.cell) == (("position.0",), 0.1)
    observation = made.reset()
    np.testing.assert_array_equal(made.coordinates(), observation[:, :1])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (discrete, r"acts by Discrete\(3\).*TransformAction"),
        (counting, r"observes 'observation' as Discrete\(3\).*TransformObservation"),
        (broken, r"cannot be made: RuntimeError: no licence \(environments.py, line \d+\)"),
        (number, "made a int, not a gymnasium.Env"),
    ],
)
def test_an_environment_that_does_not_fit_is_explained(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(WorldError, match=text):
        world(make)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            config(coordinates=("speed",)),
            r"no entry 'speed'; its fields are position \(1\)",
        ),
        (config(coordinates=("position", "position.0")), "name an entry twice: position.0, "),
        (config(hidden=("friction",)), "reports no 'friction'.*only mass"),
    ],
)
def test_options_that_do_not_fit_are_explained(settings: GymnasiumConfig, text: str) -> None:
    with pytest.raises(WorldError, match=text):
        world(settings=settings)
