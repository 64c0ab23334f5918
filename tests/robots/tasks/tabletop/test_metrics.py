"""Each metric on small trajectories with a result computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.metrics import (
    direction_consistency,
    displacement_cells,
    displacement_r2,
    goal_metrics,
    lift_metrics,
    octants,
    skill_metrics,
)
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories, Trajectories

COMPASS = np.deg2rad(22.5 + 45.0 * np.arange(8))
"""The middle of each octant."""


def unit(angle: Array | float) -> Array:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def trajectories(cube: Array, skills: Array) -> Trajectories:
    episodes, k, points, _ = cube.shape
    return Trajectories(
        cube=cube,
        end_effector=np.zeros((episodes, k, points, 3)),
        skills=skills,
        mass=np.ones((episodes, k)),
        friction=np.ones((episodes, k)),
    )


def straight(final: Array, points: int = 3) -> Array:
    """Returns straight paths ``(e, k, points, 2)`` from (0.1, -0.2), displaced by ``final``."""
    share = np.linspace(0.0, 1.0, points)
    return np.array([0.1, -0.2]) + final[:, :, None, :] * share[None, None, :, None]


def test_moved_shares_and_median_use_the_final_displacement_from_the_start() -> None:
    distance = np.array([[0.0, 0.02], [0.05, 0.30]])
    final = distance[..., None] * np.array([1.0, 0.0])
    metrics = skill_metrics(trajectories(straight(final), np.eye(2)))
    assert metrics["moved_share_3cm"] == 0.5
    assert metrics["moved_share_10cm"] == 0.25
    assert metrics["median_displacement_m"] == pytest.approx(0.035)


def test_a_cube_that_returns_has_not_moved_but_has_visited_cells() -> None:
    path = np.array([0.0, 0.1, 0.2, 0.1, 0.0])
    cube = np.stack([path, np.zeros(5)], axis=-1)[None, None]
    metrics = skill_metrics(trajectories(cube, np.ones((1, 2))))
    assert metrics["moved_share_3cm"] == 0.0
    assert metrics["displacement_cells_2cm"] == 3.0


def test_the_metrics_have_exactly_the_published_names() -> None:
    final = np.random.default_rng(0).uniform(0.1, 0.2, (2, 4, 2))
    metrics = skill_metrics(trajectories(straight(final), unit(COMPASS[:4])))
    assert list(metrics) == [
        "moved_share_3cm",
        "moved_share_10cm",
        "median_displacement_m",
        "displacement_cells_2cm",
        "octants",
        "displacement_r2",
        "direction_consistency",
    ]


def test_cubes_at_rest_give_zeros_and_no_nan() -> None:
    metrics = skill_metrics(trajectories(np.zeros((2, 3, 4, 2)), np.eye(3)))
    assert {"displacement_r2", "direction_consistency"} <= set(metrics)
    assert metrics.pop("displacement_cells_2cm") == 1.0
    assert set(metrics.values()) == {0.0}


def test_cells_are_counted_per_set_and_averaged() -> None:
    displacement = np.zeros((2, 2, 2, 2))
    # Set 0: both skills end in the same cell: 2 cells with the start. Set 1: in two: 3 cells.
    displacement[0, :, 1] = [[0.100, 0.0], [0.105, 0.003]]
    displacement[1, :, 1] = [[0.100, 0.0], [0.100, 0.020]]
    assert displacement_cells(displacement) == 2.5


def test_a_trembling_cube_at_rest_visits_one_cell() -> None:
    tremble = np.array([[1e-4, 1e-4], [-1e-4, 1e-4], [1e-4, -1e-4], [-1e-4, -1e-4]])
    assert displacement_cells(tremble[None, None]) == 1.0


def test_octants_count_sectors_of_moved_cubes_per_set() -> None:
    final = np.zeros((2, 8, 2))
    final[0] = 0.2 * unit(COMPASS)
    final[1] = 0.2 * unit(COMPASS[0] + np.linspace(0.0, 0.3, 8))  # all within one octant
    final[1, 7] = 0.02 * unit(COMPASS[5])  # another octant, but below the threshold
    assert octants(final) == 4.5


@pytest.mark.parametrize(("angle", "same_as"), [(0.0, 0.1), (-1e-17, 0.1), (np.pi, np.pi + 0.1)])
def test_octant_borders(angle: float, same_as: float) -> None:
    final = 0.2 * np.stack([unit(angle), unit(same_as)])[None]
    assert octants(final) == 1.0


def test_r2_of_a_linear_map_is_one_and_ignores_an_offset() -> None:
    skills = unit(COMPASS)
    final = skills @ np.array([[0.3, 0.1], [-0.2, 0.2]]) + np.array([0.05, -0.02])
    assert displacement_r2(skills, np.stack([final, final])) == pytest.approx(1.0)


def test_r2_by_hand() -> None:
    # Skills -1, 0, 1 and displacements (0, 1, -1) * 0.1 in x: slope -.05, mean 0.
    # SS_tot = .02; explained = slope^2 * sum z^2 = .005; R2 = .25.
    skills = np.array([[-1.0], [0.0], [1.0]])
    final = np.array([[[0.0, 0.0], [0.1, 0.0], [-0.1, 0.0]]])
    assert displacement_r2(skills, final) == pytest.approx(0.25)


def test_r2_does_not_depend_on_the_orientation_of_the_axes() -> None:
    generator = np.random.default_rng(0)
    skills = unit(generator.uniform(0, 2 * np.pi, 20))
    final = np.array([[0.4, 0.05]]) * skills + 0.03 * generator.standard_normal((3, 20, 2))
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    assert displacement_r2(skills, final @ turn) == pytest.approx(displacement_r2(skills, final))


def test_r2_without_different_skills_is_undefined() -> None:
    final = 0.2 * unit(COMPASS)[None]
    assert np.isnan(displacement_r2(np.zeros((8, 0)), final))
    assert np.isnan(displacement_r2(np.ones((8, 2)), final))


def test_r2_of_a_fit_that_any_displacement_passes_is_undefined() -> None:
    """Three coefficients of two-dimensional skills fit three episodes exactly."""
    skills, final = unit(COMPASS[:3]), np.array([[[0.3, 0.0], [-0.1, 0.2], [0.0, 0.1]]])
    assert np.isnan(displacement_r2(skills, final))
    twice = np.concatenate([final, final[:, ::-1]])
    assert 0.0 <= displacement_r2(skills, twice) < 1.0


def test_consistency_by_hand() -> None:
    # Skill 0: right twice (1). Skill 1: right and up (sqrt(2) / 2). Skill 2 moved only once: out.
    right, up = np.array([0.2, 0.0]), np.array([0.0, 0.1])
    final = np.array([[right, right, right], [right, up, 0.01 * up]])
    assert direction_consistency(final) == pytest.approx((1.0 + np.sqrt(0.5)) / 2)


def test_opposite_directions_cancel() -> None:
    final = np.array([[[0.2, 0.0]], [[-0.3, 0.0]]])
    assert direction_consistency(final) == pytest.approx(0.0)


def test_the_consistency_of_one_set_is_undefined() -> None:
    assert np.isnan(direction_consistency(np.full((1, 4, 2), 0.2)))
    left_out = skill_metrics(trajectories(straight(np.full((1, 4, 2), 0.2)), unit(COMPASS[:4])))
    assert "direction_consistency" not in left_out


def test_goal_metrics_use_the_end() -> None:
    cube = np.zeros((4, 3, 2))
    cube[:, -1, 0] = [0.0, 0.04, 0.06, 0.10]
    cube[3, 1, 1] = -1.0
    run = goals_run(cube, np.zeros((4, 3)))
    assert run.final_distance == pytest.approx([0.0, 0.04, 0.06, 0.10])
    assert goal_metrics(run) == {
        "goal_share_5cm": 0.5,
        "goal_share_3cm": 0.25,
        "goal_mean_distance_m": pytest.approx(0.05),
    }


def test_rest_at_goals_is_undefined_without_a_far_one() -> None:
    near = goals_run(np.full((2, 101, 2), 0.02), np.zeros((2, 101)))
    assert not [name for name in goal_metrics(near) if "rest" in name]


def test_goals_at_rest_are_near_and_slow_at_that_step_and_were_far() -> None:
    """Six goals 10 cm away and one 4 cm away; only the state at the step itself counts."""
    cube, speed = np.zeros((7, 101, 2)), np.zeros((7, 101))
    cube[:, :, 0] = 0.10
    cube[6, :, 0] = 0.04
    cube[0, 30:, 0] = 0.029
    cube[1, 30:, 0] = 0.031
    cube[2, 30:, 0], speed[2, 40] = 0.0, 0.021
    cube[3, 50:, 0], speed[3, 60] = 0.02, 0.019
    cube[4, 30:50, 0] = 0.0
    cube[6, 30:, 0] = 0.0
    metrics = goal_metrics(goals_run(cube, speed))
    assert metrics["goal_rest_share_3cm_by_1600ms"] == pytest.approx(2 / 6)  # goals 0 and 4
    assert metrics["goal_rest_share_3cm_by_2400ms"] == pytest.approx(3 / 6)  # goals 0, 2 and 3


def test_a_lifted_cube_stays_up_for_half_a_second() -> None:
    """Four episodes of 2 s: up at the end, up too late, dropped before the end, never up."""
    height = np.zeros((1, 4, 51))
    height[0, 0, 37:] = 0.031
    height[0, 1, 38:] = 0.10
    height[0, 2, 10:50] = 0.05
    height[0, 3] = 0.029
    metrics = lift_metrics(height)
    assert metrics["lifted_share"] == 0.25
    assert metrics["height_cells_2cm"] == 4.0  # around 0, 2 (.029), 4 (.031 and .05) and 10 cm


def test_only_policies_that_drive_the_gripper_have_metrics_of_lifting() -> None:
    flat = trajectories(np.zeros((1, 2, 20, 2)), np.eye(2))
    assert "lifted_share" not in skill_metrics(flat)
    up = replace(flat, height=np.full((1, 2, 20), 0.1))
    assert skill_metrics(up)["lifted_share"] == 1.0


def goals_run(cube: Array, cube_speed: Array) -> GoalTrajectories:
    n, points, _ = cube.shape
    return GoalTrajectories(
        cube=cube,
        cube_speed=cube_speed,
        end_effector=np.zeros((n, points, 3)),
        goals=np.zeros((n, 2)),
        mass=np.ones(n),
        friction=np.ones(n),
    )
