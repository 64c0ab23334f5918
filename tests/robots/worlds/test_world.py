"""Every world refuses the same arguments in the same way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest

from skill_robots.tasks.skill_aware.mujoco_scenes import MujocoScenes
from skill_robots.tasks.skill_aware.scenes import ACTION_SIZE
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.registry import default_config, make_world
from skill_robots.worlds.world import check_split

WORLDS = ("tabletop", "panda_lift", "hopper", "crippled_ant", "gymnasium:Reacher-v5")
"""One of each kind."""


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_refuses_actions_that_do_not_fit(name: str) -> None:
    with closing(make_world(default_config(name), 4)) as world:
        size = world.spec.action_size
        for wrong in ((4, size + 1), (3, size), (size,), (1, size)):
            with pytest.raises(WorldError, match=rf"actions are \(4, {size}\), not \("):
                world.step(np.zeros(wrong))
        with pytest.raises(WorldError, match="the action of scene 0 is not finite"):
            world.step(np.full((4, size), np.nan))
        assert np.isfinite(world.step(np.zeros((4, size))).observation).all()


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_begins_episodes_in_the_scenes_that_it_has(name: str) -> None:
    with closing(make_world(default_config(name), 3)) as world:
        world.reset()
        before = world.hidden().copy()
        for wrong in ([3], [-1], np.array([True, False, False]), [0.0]):
            with pytest.raises(WorldError, match=r"no scene|places of scenes"):
                world.reset(np.asarray(wrong))
        assert world.reset(np.array([1])).shape == (3, world.spec.observation_size)
        np.testing.assert_array_equal(world.hidden()[[0, 2]], before[[0, 2]])


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_refuses_numbers_of_scenes_and_seeds_that_do_not_exist(name: str) -> None:
    with pytest.raises(WorldError, match="at least one scene is needed, not 0"):
        make_world(default_config(name), 0)
    with pytest.raises(WorldError, match="a seed is a whole number from 0, not -1"):
        make_world(default_config(name), 1, seed=-1)


def bullet_scenes(n: int) -> object:
    pytest.importorskip("panda_gym")
    from skill_robots.tasks.skill_aware.bullet_scenes import BulletScenes

    return BulletScenes(n)


@pytest.mark.parametrize("make", [MujocoScenes, bullet_scenes])
def test_the_scenes_of_the_benchmark_refuse_actions_that_are_not_finite(
    make: Callable[[int], MujocoScenes],
) -> None:
    with closing(make(2)) as scenes:
        with pytest.raises(WorldError, match="the action of scene 0 is not finite"):
            scenes.step(np.full((2, ACTION_SIZE), np.inf))
        with pytest.raises(WorldError, match=r"actions are \(2, 4\), not \(4,\)"):
            scenes.step(np.zeros(ACTION_SIZE))


def test_a_set_of_contexts_that_does_not_exist_is_named_with_those_that_do() -> None:
    check_split("extreme")
    with pytest.raises(WorldError, match=r"no set of contexts 'foo'.* train, moderate, extreme"):
        check_split("foo")
