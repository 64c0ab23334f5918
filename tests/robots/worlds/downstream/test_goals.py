"""Goals, one after the other, by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.robots.worlds.downstream.plane import METRES, Plane

from skill_proto.arrays import Array, Ids
from skill_robots.worlds.downstream.config import GoalsConfig
from skill_robots.worlds.downstream.goals import GoalsWorld
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.world import Step

TWO = GoalsConfig(name="plane", goals=2, steps_per_goal=3, half_range=5.0, radius=1.0)
SHIFT = np.array([0.4, 0.0])


def world(n: int = 1, config: GoalsConfig = TWO, seed: int = 0) -> GoalsWorld:
    return GoalsWorld(Plane(n), config, seed=seed)


def test_a_step_within_the_radius_earns_one() -> None:
    """Steps of 1 along x to (2, 0): within 1 m after steps 1, 2 and 3, but the first is not paid.

    The second goal (4, 0) is then 1 m away after step 3, reached by standing still from step 4 on.
    """
    made = world()
    made.goals[0] = [[2.0, 0.0], [4.0, 0.0]]
    ahead, still = np.array([[1.0, 0.0]]), np.zeros((1, 2))
    first = made.step(ahead)
    np.testing.assert_array_equal(first.observation, [[1.0, 0.0, 1.0, 0.0]])
    rewards = [first.reward[0], made.step(ahead).reward[0]]
    third = made.step(ahead)
    # The goal is replaced after its three steps; the reward of the third is for the old one.
    np.testing.assert_array_equal(third.observation, [[3.0, 0.0, 1.0, 0.0]])
    rewards += [third.reward[0]]
    later = [made.step(still) for _ in range(3)]
    rewards += [step.reward[0] for step in later]
    assert rewards == [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert [bool(step.ended[0]) for step in later] == [False, False, True]
    assert later[-1].terminated[0]
    scores = {name: values[0] for name, values in made.scores().items()}
    assert scores == {
        "goals_reached": 2.0,
        "first_goal_share": 1.0,
        "steps_at_goals": 5.0,
        "later_goals_share": 1.0,
    }


def test_a_reset_begins_an_episode_in_the_named_scene_alone() -> None:
    made = world(2)
    still = np.zeros((2, 2))
    for _ in range(5):
        made.step(still)
    with pytest.raises(WorldError, match="no scene"):
        made.reset(np.array([2]))
    before = made.goals.copy()
    made.reset(np.array([1]))
    np.testing.assert_array_equal(made.goals[0], before[0])
    assert made.step(still).ended.tolist() == [True, False]


def test_the_way_begins_at_the_observed_place_and_the_reward_at_the_exact_one() -> None:
    """A sensor that is .4 m off along x; a policy file knows no other place."""

    class Shifted(Plane):
        def reset(self, ids: Ids | None = None) -> Array:
            return super().reset(ids) + SHIFT

        def step(self, action: Array) -> Step:
            step = super().step(action)
            return step._replace(observation=step.observation + SHIFT)

    made = GoalsWorld(Shifted(1), TWO)
    np.testing.assert_allclose(made.reset(), [[0.4, 0.0, *(made.goals[0, 0] - SHIFT)]])
    made.goals[0] = [[2.0, 0.0], [2.0, 0.0]]
    step = made.step(np.array([[0.7, 0.0]]))
    np.testing.assert_allclose(step.observation, [[1.1, 0.0, 0.9, 0.0]])
    assert made.step(np.zeros((1, 2))).reward[0] == 0.0  # 1.3 m away, observed as .9 m


def test_a_goal_that_is_missed_is_replaced_all_the_same() -> None:
    made = world()
    made.goals[0] = [[4.0, 0.0], [0.0, 0.0]]
    rewards = [made.step(np.zeros((1, 2))).reward[0] for _ in range(6)]
    assert rewards == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    scores = made.scores()
    assert scores["first_goal_share"][0] == 0.0
    assert scores["later_goals_share"][0] == 1.0


def test_goals_are_drawn_around_the_goal_before() -> None:
    made = world(n=2000)
    first, way = made.goals[:, 0], made.goals[:, 1] - made.goals[:, 0]
    for drawn in (first, way):
        assert np.abs(drawn).max() <= 5.0
        np.testing.assert_allclose(drawn.std(axis=0), 5.0 / np.sqrt(3.0), rtol=0.05)
    assert np.abs(made.goals[:, 1]).max() > 8.0


def test_goals_without_a_range_are_drawn_from_the_box_of_the_world() -> None:
    box = dataclasses.replace(METRES, goal_low=(1.0, -2.0), goal_high=(2.0, -1.0), goal_radius=0.5)
    config = GoalsConfig(name="plane", goals=3, steps_per_goal=5)
    goals = GoalsWorld(Plane(500, coordinates=box), config).goals
    assert goals.shape == (500, 3, 2)
    np.testing.assert_allclose(goals.min(axis=(0, 1)), [1.0, -2.0], atol=0.01)
    np.testing.assert_allclose(goals.max(axis=(0, 1)), [2.0, -1.0], atol=0.01)


def test_only_the_named_scenes_get_new_goals() -> None:
    made = world(n=3)
    made.step(np.ones((3, 2)))
    before = made.goals.copy()
    observation = made.reset(np.array([1]))
    changed = (made.goals != before).any(axis=(1, 2))
    assert changed.tolist() == [False, True, False]
    np.testing.assert_array_equal(observation[:, :2], [[1, 1], [0, 0], [1, 1]])
    np.testing.assert_allclose(observation[:, 2:], made.goals[:, 0] - observation[:, :2])


def test_the_task_extends_the_description() -> None:
    spec = world().spec
    assert [(field.name, field.size) for field in spec.observation] == [
        ("place", 2),
        ("goal_offset", 2),
    ]
    assert (spec.episode_steps, spec.has_terminals) == (6, True)


def test_a_restored_task_draws_the_same_goals() -> None:
    made = world(n=4)
    state = made.state_dict()
    made.reset()
    expected = made.goals.copy()
    made.load_state_dict(state)
    made.reset()
    np.testing.assert_array_equal(made.goals, expected)


@pytest.mark.parametrize(
    ("coordinates", "config", "words"),
    [
        (None, TWO, "no coordinates"),
        (dataclasses.replace(METRES, names=("x.0",)), TWO, "does not observe where it is"),
        (METRES, GoalsConfig(name="plane", radius=1.0), "--task.half-range"),
        (METRES, GoalsConfig(name="plane", half_range=1.0), "--task.radius"),
    ],
)
def test_a_world_without_goals_is_refused_with_the_fix(
    coordinates: object, config: GoalsConfig, words: str
) -> None:
    with pytest.raises(WorldError, match=words):
        GoalsWorld(Plane(1, coordinates=coordinates), config)  # pyright: ignore[reportArgumentType]
