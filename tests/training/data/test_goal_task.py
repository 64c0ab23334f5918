"""Goal tasks: features, rewards and hindsight goals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from skill_robots.observation import PUSH_OBSERVATION, layout
from skill_robots.tasks.skill_aware.benchmark import success
from skill_robots.tasks.skill_aware.scenes import OBSERVATION
from skill_training.data.episodes import Episodes
from skill_training.data.goal_task import WorldTask
from skill_training.recipes.goal.task import RestAtGoal
from skill_training.recipes.skill_aware.task import BringToGoal

CUBE = layout(PUSH_OBSERVATION)["cube_position"].start


def _pushed(*cubes: tuple[float, float]) -> torch.Tensor:
    observation = torch.randn(len(cubes), 28, generator=torch.Generator().manual_seed(0))
    observation[:, CUBE : CUBE + 2] = torch.tensor(cubes)
    return observation


def _brought(cube: tuple[float, float, float], way: tuple[float, float, float]) -> torch.Tensor:
    place = layout(OBSERVATION)
    observation = torch.randn(1, 23, generator=torch.Generator().manual_seed(0))
    observation[:, place["cube_position"]] = torch.tensor(cube)
    observation[:, place["cube_from_end_effector"]] = torch.tensor(way)
    return observation


# At rest ------------------------------------------------------------------------------------------


def test_rest_reward_by_hand() -> None:
    task = RestAtGoal(torch.eye(2), CUBE)
    observation = _pushed((0.0, 0.0), (0.1, 0.0), (0.1, 0.025), (-0.4, 0.3))
    goal = torch.tensor([[0.0, 0.0], [0.1, 0.15], [0.1, 0.0], [0.4, 0.3]])
    reward, end = task.reward(observation, goal)
    expected = [
        0.1,
        0.1 * (math.exp(-36) - 1.0),
        0.1 * (math.exp(-1) - 0.025 / 0.15),
        -0.1 * 0.4 / 0.15,  # 0.8 m away counts as 0.4 m
    ]
    assert reward.tolist() == pytest.approx(expected, abs=1e-6)
    assert end.tolist() == [0.0] * 4


def test_rest_features_point_along_the_initial_policys_skills() -> None:
    quarter_turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    task = RestAtGoal(quarter_turn, CUBE)
    observation = _pushed((0.0, 0.0), (0.05, 0.0))
    goal = torch.tensor([[0.3, 0.0], [0.05, -0.01]])
    # Far: the unit vector, turned. Within 5 cm it shrinks: 1 cm / 5 cm.
    expected = [[0.0, 1.0, 2.0, 0.0], [0.2, 0.0, 0.0, -0.01 / 0.15]]
    torch.testing.assert_close(task.features(observation, goal), torch.tensor(expected))


def test_rest_features_are_safe_at_the_goal() -> None:
    task = RestAtGoal(torch.eye(2), CUBE)
    assert task.features(_pushed((0.1, 0.1)), torch.tensor([[0.1, 0.1]])).tolist() == [[0.0] * 4]


# Brought there ------------------------------------------------------------------------------------


def test_bring_reward_by_hand() -> None:
    task = BringToGoal.of_benchmark()
    # The cube lies 0.15 m from its goal, the hand is 0.1 m from the cube.
    reward, end = task.reward(_brought((0.15, 0.0, 0.02), (0.0, 0.06, -0.08)), torch.zeros(1, 2))
    assert float(reward) == pytest.approx(-0.1 * (1 + 1 + 0.3 * 0.1 / 0.15), abs=1e-6)
    assert float(end) == 0.0


@pytest.mark.parametrize("z", [0.02, 0.05, 0.069, 0.071, 0.2])
@pytest.mark.parametrize("x", [0.0, 0.03, 0.049, 0.051, 0.1])
def test_an_episode_ends_exactly_at_the_benchmarks_success(x: float, z: float) -> None:
    reward, end = BringToGoal.of_benchmark().reward(
        _brought((x, 0.0, z), (0.0, 0.0, 0.0)), torch.zeros(1, 2)
    )
    cube = torch.tensor([[x, 0.0, z]]).double().numpy()
    there = bool(success(cube, torch.zeros(1, 2).double().numpy())[0])
    assert bool(end) is there
    assert (float(reward) == 0.0) is there


@pytest.mark.parametrize(
    ("x", "speed", "end_speed", "cost", "end"),
    [
        (0.04, 0.3, None, 0.0, 1.0),
        (0.04, 0.3, 0.1, 0.0, 0.0),  # it slides on
        (0.04, 0.09, 0.1, 0.0, 1.0),
        (0.06, 0.0, 0.1, 0.1 * (1.0 + 0.06 / 0.15), 0.0),
    ],
)
def test_an_episode_may_end_only_with_a_slow_cube(
    x: float, speed: float, end_speed: float | None, cost: float, end: float
) -> None:
    task, goal = BringToGoal.of_benchmark(end_speed=end_speed), torch.zeros(1, 2)
    observation = _brought((x, 0.0, 0.02), (0.0, 0.0, 0.0))
    velocity = layout(OBSERVATION)["cube_velocity"]
    observation[0, velocity] = torch.tensor([0.0, speed, 0.0])
    reward, ended = task.reward(observation, goal)
    assert float(reward) == pytest.approx(-cost)
    assert float(ended) == end
    assert task.moves(observation, goal).tolist() == [[1.0 - end]]


def test_a_smaller_distance_is_better_and_every_step_costs() -> None:
    task, goal = BringToGoal.of_benchmark(), torch.zeros(1, 2)
    rewards = [
        float(task.reward(_brought((x, 0.0, 0.02), (h, 0.0, 0.0)), goal)[0])
        for x, h in ((0.3, 0.2), (0.3, 0.1), (0.1, 0.1), (0.06, 0.0), (0.04, 0.0))
    ]
    assert rewards == sorted(rewards)
    assert rewards[-2] < -0.1
    assert rewards[-1] == 0.0


def test_a_cube_that_flies_off_costs_as_much_as_one_at_40_cm() -> None:
    task, goal = BringToGoal.of_benchmark(), torch.zeros(1, 2)
    lost = float(task.reward(_brought((3.0, 0.0, 0.02), (2.0, 0.0, 0.0)), goal)[0])
    assert lost == pytest.approx(-0.1 * (1.0 + (0.4 + 0.3 * 0.4) / 0.15))


# Hindsight ----------------------------------------------------------------------------------------


def test_the_achieved_goal_is_reached_by_its_observation() -> None:
    rest, observation = RestAtGoal(torch.eye(2), CUBE), _pushed((0.12, -0.07))
    assert float(rest.reward(observation, rest.achieved(observation))[0]) == pytest.approx(0.1)
    bring, there = BringToGoal.of_benchmark(), _brought((0.12, -0.07, 0.02), (0.1, 0.0, 0.0))
    assert float(bring.reward(there, bring.achieved(there))[1]) == 1.0
    assert bring.achieved(there[None]).shape == (1, 1, 2)


def test_a_policy_stops_when_the_cube_is_at_the_goal() -> None:
    task = BringToGoal(
        cube=0, cube_velocity=3, cube_from_end_effector=3, rest_height=0.02, success_radius=0.05
    )
    # 4 cm beside it; 3 cm beside it and as far above; 6 cm beside it.
    cube = torch.tensor([[0.04, 0.0, 0.02], [0.03, 0.0, 0.05], [0.06, 0.0, 0.02]])
    observation = torch.cat((cube, torch.zeros(3, 3)), dim=1)
    assert task.moves(observation, torch.zeros(3, 2)).tolist() == [[0.0], [0.0], [1.0]]
    table = RestAtGoal(torch.eye(2), 0)
    assert table.moves(observation, torch.zeros(3, 2)).tolist() == [[1.0]] * 3


# The reward of a world ----------------------------------------------------------------------------


def test_the_rewards_of_a_world_are_those_of_the_arrivals(
    make_episodes: Callable[..., Episodes],
) -> None:
    reward = torch.arange(30.0).view(3, 10)
    episodes = replace(
        make_episodes(3),
        reward=reward,
        length=torch.tensor([10, 4, 10]),
        terminal=torch.tensor([False, True, True]),
    )
    rows = torch.tensor([0, 1, 1, 2])
    times = torch.tensor([[1, 2], [3, 4], [4, 4], [9, 10]])
    found, end = WorldTask().rewards(episodes, rows, times, torch.zeros(4, 0))
    assert found.tolist() == [[0, 1], [12, 13], [13, 13], [28, 29]]
    assert end.tolist() == [[0, 0], [0, 1], [1, 1], [0, 1]]


def test_a_world_without_terminals_ends_nothing(make_episodes: Callable[..., Episodes]) -> None:
    episodes = replace(make_episodes(2), reward=torch.ones(2, 10))
    rows, times = torch.tensor([0, 1]), torch.tensor([[10], [10]])
    assert WorldTask().rewards(episodes, rows, times, torch.zeros(2, 0))[1].tolist() == [[0], [0]]


def test_episodes_without_rewards_are_refused(make_episodes: Callable[..., Episodes]) -> None:
    rows, times = torch.tensor([0]), torch.tensor([[1]])
    with pytest.raises(ValueError, match="hold no rewards"):
        WorldTask().rewards(make_episodes(1), rows, times, torch.zeros(1, 0))


def test_the_task_of_a_world_has_no_goal() -> None:
    observation = torch.randn(5, 8)
    assert WorldTask().features(observation, torch.zeros(5, 0)).shape == (5, 0)
    assert WorldTask().achieved(observation).shape == (5, 0)
