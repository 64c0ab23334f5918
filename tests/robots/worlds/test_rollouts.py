"""Rollouts in a world, with the environment of the tests."""

from __future__ import annotations

import numpy as np
import pytest
from tests.robots.worlds.environments import Point

from skill_proto.arrays import Array
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.gymnasium_env.world import GymnasiumWorld
from skill_robots.worlds.metrics import skill_metrics
from skill_robots.worlds.rollouts import world_rollouts


class Steady:
    """A policy whose action is the skill, or the sign of the way to the goal."""

    def reset(self, n: int) -> None:
        self.n = n

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        if goal is not None:
            return np.sign(goal - observation[:, :1])
        assert skill is not None
        return skill


def world(*coordinates: str) -> GymnasiumWorld:
    config = GymnasiumConfig(environment="point", coordinates=coordinates, episode_steps=4)
    return GymnasiumWorld(Point, config, 2, seed=2)


def test_an_episode_that_ends_early_stays_as_it_was() -> None:
    """An action a moves by .5 (1 + 3 a): 0 by .5, -1/3 by 0. Beyond 1 the episode ends."""
    skills = np.array([[0.0], [-1.0 / 3.0]])
    calls: list[int] = []
    found = world_rollouts(
        Steady(), world("position"), skills=skills, on_step=lambda: calls.append(1)
    )
    path = found.coordinates[..., 0]
    assert path.shape == (2, 5)
    start = path[0, 0]
    length = 2 if start > 0 else 3
    assert found.steps.tolist() == [length, 4]
    np.testing.assert_allclose(
        path[0, : length + 1] - start, 0.5 * np.arange(length + 1), atol=1e-6
    )
    np.testing.assert_array_equal(path[0, length:], path[0, length])
    np.testing.assert_allclose(path[1], path[1, 0], atol=1e-6)
    assert found.returns[0] == pytest.approx(path[0, 1 : length + 1].sum(), abs=1e-5)
    assert len(calls) == 4


def test_a_goal_is_passed_on() -> None:
    found = world_rollouts(Steady(), world("position"), goals=np.array([[-50.0], [-50.0]]))
    assert (np.diff(found.coordinates[..., 0], axis=1) < 0).all()
    assert found.goals is not None


def test_a_world_without_coordinates_records_returns_alone() -> None:
    found = world_rollouts(Steady(), world(), skills=np.full((2, 1), -1.0 / 3.0))
    assert found.coordinates.shape == (2, 5, 0)
    assert found.steps.tolist() == [4, 4]
    assert set(skill_metrics(found, None)) == {"mean_return", "mean_episode_steps"}
