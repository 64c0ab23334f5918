"""Places on the edges of the goal box, and the return of cubes from them."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.observation import PUSH_OBSERVATION
from skill_robots.tasks.tabletop.goal_box import (
    GOAL_HIGH_M,
    GOAL_LOW_M,
    bring_back,
    edge_places,
)
from skill_robots.tasks.tabletop.rollouts import GOAL_RANGE_M
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig


@pytest.mark.parametrize(
    ("edge", "expected"),
    [
        ("-x", [(-1, -2), (-1, 0), (-1, 2)]),
        ("+x", [(3, -2), (3, 0), (3, 2)]),
        ("-y", [(-1, -2), (1, -2), (3, -2)]),
        ("+y", [(-1, 2), (1, 2), (3, 2)]),
    ],
)
def test_places_run_from_corner_to_corner(edge: str, expected: list[tuple[int, int]]) -> None:
    np.testing.assert_allclose(edge_places((-1, -2), (3, 2), edge, 3), expected)


def test_the_box_is_part_of_the_square_of_training() -> None:
    assert all(-GOAL_RANGE_M <= low < 0 for low in GOAL_LOW_M)
    assert all(0 < high <= GOAL_RANGE_M for high in GOAL_HIGH_M)


class Recorder:
    """A policy that does not move the arm and records its goals."""

    def __init__(self) -> None:
        self.goals: list[Array] = []
        self.resets = 0

    def reset(self, n: int) -> None:
        self.resets += 1

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        assert goal is not None
        assert skill is None
        assert observation.shape == (2, 28)
        self.goals.append(goal.copy())
        return np.zeros((2, 3))


def test_the_policy_gets_the_place_then_the_middle_without_a_reset() -> None:
    policy, seen = Recorder(), list[Array]()
    places = np.array([[0.1, 0.0], [0.0, -0.15]])

    def on_step(scene: Tabletop) -> None:
        seen.append(scene.cube_position[:, :2])

    run = bring_back(
        policy,
        TabletopConfig(),
        places,
        seed=3,
        steps=4,
        observation_names=PUSH_OBSERVATION,
        on_step=on_step,
    )
    np.testing.assert_array_equal(policy.goals, [places] * 4 + [np.zeros((2, 2))] * 4)
    assert policy.resets == 1
    way_back = np.linalg.norm(seen[4:], axis=-1)
    np.testing.assert_allclose(run.closest, way_back.min(axis=0))
    np.testing.assert_allclose(run.final, way_back[-1])
