"""Skills that are held, and the scores of their episodes, by hand."""

from __future__ import annotations

import numpy as np
from tests.robots.worlds.downstream.plane import Plane, Walker

from skill_proto.arrays import Array
from skill_robots.worlds.downstream.config import GoalsConfig
from skill_robots.worlds.downstream.evaluation import score_task
from skill_robots.worlds.downstream.goals import GoalsWorld
from skill_robots.worlds.downstream.held_skills import HeldSkills

FAR = GoalsConfig(name="plane", goals=1, steps_per_goal=6, half_range=5.0, radius=1.0)
AHEAD = np.array([1.0, 0.0])


def scenes(n: int = 1, hold: int = 2, end: float = np.inf) -> tuple[HeldSkills, GoalsWorld, Walker]:
    task, low = GoalsWorld(Plane(n, end=end), FAR), Walker()
    held = HeldSkills(task, low, hold)
    held.reset()
    task.goals[:, 0] = [4.0, 0.0]
    return held, task, low


def test_a_choice_holds_its_skill_and_sums_the_rewards() -> None:
    """Along x by 1 a step, the goal at 4 with a radius of 1: paid after steps 3, 4 and 5."""
    held, _, low = scenes()
    assert held.choices == 3
    steps = [held.step(AHEAD[None]) for _ in range(3)]
    assert [step.reward[0] for step in steps] == [0.0, 2.0, 1.0]
    assert [step.observation[0].tolist() for step in steps] == [
        [2.0, 0.0, 2.0, 0.0],
        [4.0, 0.0, 0.0, 0.0],
        [6.0, 0.0, -2.0, 0.0],
    ]
    assert [bool(step.terminated[0]) for step in steps] == [False, False, True]
    # The low level does not see the goal.
    assert {seen.shape for seen in low.seen} == {(1, 2)}
    assert held.scores()["steps_at_goals"][0] == 3.0


def test_the_last_choice_may_be_shorter() -> None:
    held, _, low = scenes(hold=4)
    assert held.choices == 2
    assert [held.step(AHEAD[None]).reward[0] for _ in range(2)] == [2.0, 1.0]
    assert len(low.seen) == 6


def test_an_episode_that_ends_earlier_stays_as_it_was() -> None:
    """The first scene walks beyond 2.5 in its third step, the second one stands still."""
    held, task, _ = scenes(n=2, hold=4, end=2.5)
    skill = np.array([AHEAD, 0.0 * AHEAD])
    step = held.step(skill)
    assert step.ended.tolist() == [True, False]
    assert step.terminated.tolist() == [True, False]
    assert step.reward.tolist() == [1.0, 0.0]  # x = 3 is within 1 of the goal
    np.testing.assert_array_equal(step.observation[:, 0], [3.0, 0.0])
    assert held.scores()["goals_reached"].tolist() == [1.0, 0.0]
    observation = held.reset(np.array([0]))
    np.testing.assert_array_equal(observation[:, 0], [0.0, 0.0])
    np.testing.assert_allclose(observation[0, 2:], task.goals[0, 0])


def test_scores_are_means_over_one_episode_each() -> None:
    """The first scene walks to the goal and beyond (2 rewards), the second one away from it."""
    held, task, _ = scenes(n=2, hold=2, end=4.5)
    reset = held.reset

    def reset_with_the_goal(ids: object = None) -> Array:
        reset(ids)  # pyright: ignore[reportArgumentType]
        task.goals[:, 0] = [4.0, 0.0]
        return held._observation

    held.reset = reset_with_the_goal  # pyright: ignore[reportAttributeAccessIssue]
    skill = np.array([AHEAD, -AHEAD])
    found = score_task(held, lambda _: skill)
    assert found == {
        "mean_return": 1.5,  # after steps 3, 4 and 5, with the end in the fifth
        "goals_reached": 0.5,
        "first_goal_share": 0.5,
        "steps_at_goals": 1.5,
    }
