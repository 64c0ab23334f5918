"""The tabletop with another arm's limits: the same physics, other set-points."""

from __future__ import annotations

import numpy as np
from benchmarks.arms.fr3_limits import LimitedTabletop, score

from skill_robots.franka.specs import FR3, PANDA
from skill_robots.observation import PUSH_OBSERVATION
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig


def test_with_the_limits_of_the_panda_it_is_the_plant_of_training() -> None:
    scenes = (
        Tabletop(TabletopConfig(), 4, seed=3),
        LimitedTabletop(PANDA, 4, seed=3),
        LimitedTabletop(FR3, 4, seed=3),
    )
    actions = np.random.default_rng(3).uniform(-1.0, 1.0, (10, 4, 3))
    for action in actions:
        for scene in scenes:
            scene.step(action)
    trained, panda, fr3 = (scene.setpoint for scene in scenes)
    np.testing.assert_array_equal(panda.position, trained.position)
    assert np.abs(fr3.position - trained.position).max() > 1e-3
    assert np.abs(fr3.acceleration).max() <= 10.0


def test_a_policy_that_does_not_move_reaches_the_goals_that_are_near() -> None:
    """Cubes start within 10 cm of the centre and stay; no set-point is refused."""
    found = score(Still(), PUSH_OBSERVATION, FR3, goals=24, seed=100)
    assert found.refused == {}
    assert 0.0 <= found.shares[1] <= found.shares[0] < 0.5


class Still:
    """A policy of zero actions, which leaves the set-point unchanged."""

    def reset(self, n: int) -> None:
        self._n = n

    def act(
        self,
        observation: np.ndarray,
        *,
        skill: np.ndarray | None = None,
        goal: np.ndarray | None = None,
    ) -> np.ndarray:
        del observation, skill, goal
        return np.zeros((self._n, 3))
