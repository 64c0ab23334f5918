"""The published tasks."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from skill_robots.worlds.downstream.config import (
    TASKS,
    WORLDS,
    GoalsConfig,
    default_task,
    skill_world,
)


def test_the_rows_are_those_of_the_published_code() -> None:
    """8 choices of 25 control steps; a goal of AntMultiGoal lasts 50 of them."""
    assert {task.episode_steps for task in TASKS.values()} == {8 * 25}
    ants = TASKS["ant_multi_goal"]
    assert isinstance(ants, GoalsConfig)
    assert (ants.goals, ants.steps_per_goal, ants.half_range, ants.radius) == (4, 50, 7.5, 3.0)
    cheetah = TASKS["half_cheetah_goal"]
    assert isinstance(cheetah, GoalsConfig)
    assert (cheetah.goals, cheetah.half_range, cheetah.radius) == (1, 100.0, 3.0)
    assert WORLDS.keys() == TASKS.keys()


def test_a_task_knows_the_world_of_its_skills() -> None:
    assert skill_world(default_task("half_cheetah_hurdle")) == "half_cheetah"
    mine = default_task("my_world:make")
    assert mine == GoalsConfig(name="my_world:make")
    assert skill_world(mine) == "my_world:make"


@pytest.mark.parametrize("wrong", [{"goals": 0}, {"radius": 0.0}, {"half_range": float("inf")}])
def test_impossible_goals_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        GoalsConfig(**wrong)
