"""Metrics of worlds, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.metrics import count_octants
from skill_robots.worlds.metrics import (
    cells,
    displacement_r2,
    goal_metrics,
    skill_metrics,
)
from skill_robots.worlds.rollouts import WorldTrajectories
from skill_robots.worlds.world import Coordinates

METRES = Coordinates(names=("x", "y"), unit="m", cell=1.0)


def trajectories(coordinates: Array, **other: Array) -> WorldTrajectories:
    n = len(coordinates)
    return WorldTrajectories(
        coordinates=coordinates, returns=np.arange(float(n)), steps=np.full(n, 2.0), **other
    )


def test_cells_begin_at_whole_numbers_as_in_the_papers() -> None:
    """Floor: -.1 and .1 are in different cells, .1 and .9 in one."""
    points = np.array([[0.1, 0.1], [0.9, 0.9], [-0.1, 0.1], [1.0, 0.0]])
    assert cells(points, METRES).tolist() == [[-1, 0], [0, 0], [1, 0]]


def test_centred_cells_are_rounded() -> None:
    centred = Coordinates(names=("x",), unit="m", cell=0.02, centred=True)
    assert cells(np.array([[0.009], [-0.009], [0.011]]), centred).tolist() == [[0], [1]]


def test_octants_of_far_ends_only() -> None:
    """Angles of 0, 90 and 100 degrees are in sectors 0 and 2; the fourth one is near."""
    angle = np.deg2rad([1.0, 91.0, 100.0, 200.0])
    final = np.stack([np.cos(angle), np.sin(angle)], axis=1) * [[5], [5], [5], [0.5]]
    assert count_octants(final, 3.0) == 2


def test_a_linear_map_explains_everything_and_a_constant_nothing() -> None:
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    skills = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    turn = np.array([[0.0, 2.0], [-2.0, 0.0]])
    assert displacement_r2(skills, skills @ turn + 1.0) == pytest.approx(1.0)
    assert displacement_r2(skills, np.ones((12, 2))) == 0.0


@pytest.mark.parametrize(
    ("skills", "final"),
    [
        (np.ones((4, 2)), np.eye(4)),  # no skill differs
        (np.eye(3)[:, :2], np.eye(3)),  # three coefficients, three episodes
        (np.zeros((4, 0)), np.eye(4)),
    ],
)
def test_r2_is_undefined_without_different_skills_or_degrees_of_freedom(
    skills: Array, final: Array
) -> None:
    assert np.isnan(displacement_r2(skills, final))


def test_an_undefined_r2_is_left_out_and_so_is_that_without_skills() -> None:
    path = np.random.default_rng(0).uniform(0.0, 9.0, (6, 3, 2))
    angle = np.linspace(0.0, 6.0, 6)
    skills = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert "displacement_r2" in skill_metrics(trajectories(path, skills=skills), METRES)
    few = trajectories(path[:3], skills=skills[:3])
    assert "displacement_r2" not in skill_metrics(few, METRES)
    none = trajectories(path, skills=np.zeros((6, 0)))
    assert "displacement_r2" not in skill_metrics(none, METRES)


def test_noise_is_explained_by_no_more_dimensions() -> None:
    """Without the adjustment the mean would be k / (n - 1) = 8 / 47."""
    random = np.random.default_rng(0)
    found = [
        displacement_r2(random.standard_normal((48, 8)), random.standard_normal((48, 2)))
        for _ in range(200)
    ]
    assert np.mean(found) < 0.05


def test_one_hot_skills_lose_one_dimension_to_the_intercept() -> None:
    skills = np.eye(4)[np.arange(8) % 4]
    final = np.array([[1.0], [2.0], [3.0], [4.0]] * 2)
    assert displacement_r2(skills, final) == pytest.approx(1.0)


def test_the_metrics_of_skills() -> None:
    path = np.array([[[0.5, 0.5], [1.5, 0.5], [2.5, 0.5]], [[0.5, 0.5], [0.5, 0.5], [0.5, 3.5]]])
    found = skill_metrics(trajectories(path), METRES)
    assert found["coverage_cells"] == 4  # (0, 0), (1, 0), (2, 0), (0, 3)
    assert found["median_displacement"] == pytest.approx(2.5)
    assert found["largest_displacement"] == pytest.approx(3.0)
    assert (found["lowest_0"], found["highest_0"]) == (0.5, 2.5)
    assert (found["mean_return"], found["mean_episode_steps"]) == (0.5, 2.0)
    assert "displacement_r2" not in found


def test_the_metrics_of_goals() -> None:
    """The first episode is at its goal in the second of two steps, the other one never."""
    path = np.array([[[0.0], [2.0], [5.0]], [[0.0], [-1.0], [-2.0]]])
    found = goal_metrics(trajectories(path, goals=np.array([[6.0], [6.0]])), radius=3.0)
    assert found == {
        "goal_staying_share": 0.25,
        "goal_staying_steps": 0.5,
        "goal_reached_share": 0.5,
        "goal_mean_distance": pytest.approx(4.5),
    }
    with pytest.raises(ValueError, match="no goals"):
        goal_metrics(trajectories(path), radius=3.0)


def test_an_episode_stays_nowhere_after_its_end() -> None:
    path = np.zeros((1, 5, 1))
    ended = WorldTrajectories(
        coordinates=path, returns=np.zeros(1), steps=np.array([1.0]), goals=np.zeros((1, 1))
    )
    assert goal_metrics(ended, radius=3.0)["goal_staying_steps"] == 1.0
