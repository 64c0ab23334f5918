"""The scripted controllers and their scores on PyBullet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from skill_robots.tasks.skill_aware.benchmark import Cell, ContextAware, benchmark
from skill_robots.tasks.skill_aware.engines import make_scenes
from skill_robots.tasks.skill_aware.scenes import SkillAwareScenes
from skill_robots.tasks.skill_aware.scripted.motion import scene_states, to_width, travel
from skill_robots.tasks.skill_aware.scripted.policies import Pick, Push, Rule, Switch
from skill_robots.tasks.skill_aware.scripted.push import SCOOP


@pytest.fixture(scope="module")
def scenes() -> Iterator[SkillAwareScenes]:
    pytest.importorskip("panda_gym", reason="panda-gym (extra `bullet`) is not installed here")
    made = make_scenes("bullet", 4)
    yield made
    made.close()


def observation(**fields: list[float]) -> np.ndarray:
    """Returns one row; by default hand at the origin, cube at x = 0.1 m, everything at rest."""
    hand = np.array(fields.get("hand", [0.0, 0.0, 0.1]))
    cube = np.array(fields.get("cube", [0.1, 0.0, 0.02]))
    velocity = fields.get("hand_velocity", [0.0, 0.0, 0.0])
    still = [0.0] * 6
    return np.array([[*hand, *velocity, 0.04, *cube, 1.0, 0.0, 0.0, 0.0, *still, *(cube - hand)]])


def test_rows_are_read_by_name() -> None:
    (state,) = scene_states(observation(cube=[0.1, -0.02, 0.03]), np.array([[0.15, 0.1]]))
    assert state.hand == (0.0, 0.0, 0.1)
    assert state.width == 0.04
    assert state.cube == (0.1, -0.02, 0.03)
    assert state.goal_offset == pytest.approx((0.05, 0.12))
    assert state.hand_offset == pytest.approx((-0.1, 0.02))
    assert state.cube_in(10) == (0.1, -0.02)


def test_travel_points_straight_at_the_target_and_keeps_its_speed() -> None:
    (state,) = scene_states(observation(), np.zeros((1, 2)))
    x, y, z = travel(state, 0.3, 0.4, 0.1, speed=0.5)
    assert (x, y, z) == pytest.approx((0.3, 0.4, 0.0))
    near = travel(state, 0.001, 0.0, 0.1)
    assert 0.0 < near[0] < 0.1


def test_width_is_commanded_as_a_difference() -> None:
    (state,) = scene_states(observation(), np.zeros((1, 2)))
    assert to_width(state, 0.08) == pytest.approx(0.2)  # 0.2 m an action
    assert to_width(state, 0.0, bound=0.1) == -0.1


def test_only_the_rule_takes_the_true_context() -> None:
    aware = {policy: isinstance(policy(), ContextAware) for policy in (Pick, Push, Rule, Switch)}
    assert aware == {Pick: False, Push: False, Rule: True, Switch: False}


def test_a_goal_is_needed() -> None:
    policy = Pick()
    policy.reset(1)
    with pytest.raises(ValueError, match="goal"):
        policy.act(observation())


def test_pick_carries_light_cubes(scenes: SkillAwareScenes) -> None:
    cells = [Cell(0.1, 1.0), Cell(1.0, 1.0), Cell(10.0, 5.0)]
    result = benchmark(Pick(), scenes, cells=cells, episodes=8, seed=100)
    assert np.mean(list(result.cells.values())) >= 0.9
    assert min(shares["pick"] for shares in result.labels.values()) >= 0.75


def test_slide_moves_a_cube_too_heavy_to_lift(scenes: SkillAwareScenes) -> None:
    cells = [Cell(1.0, 10.0)]
    result = benchmark(Push(), scenes, cells=cells, episodes=8, seed=100)
    assert result.cells["1,10"] >= 0.8
    assert result.labels["1,10"]["pick"] <= 0.2


def test_scoop_tumbles_a_cube_that_does_not_slide(scenes: SkillAwareScenes) -> None:
    cells = [Cell(10.0, 10.0)]
    scoop = benchmark(Push(SCOOP), scenes, cells=cells, episodes=8, seed=100)
    assert scoop.cells["10,10"] >= 0.7
    assert scoop.labels["10,10"]["roll"] >= 0.6


def test_rule_chooses_by_the_true_context(scenes: SkillAwareScenes) -> None:
    cells = [Cell(1.0, 1.0), Cell(1.0, 10.0), Cell(10.0, 10.0)]
    result = benchmark(Rule(), scenes, cells=cells, episodes=4, seed=101)
    assert np.mean(list(result.cells.values())) >= 0.75
    assert result.labels["1,1"]["pick"] >= 0.75
    assert result.labels["1,10"]["pick"] == 0.0


def test_switch_solves_light_and_heavy_cubes_without_the_context(scenes: SkillAwareScenes) -> None:
    """It picks light cubes, and brings most of the heavy ones to the goal on a rough table."""
    cells = [Cell(10.0, 1.0), Cell(10.0, 10.0)]
    result = benchmark(Switch(), scenes, cells=cells, episodes=8, seed=102)
    assert result.cells["10,1"] >= 0.85
    assert result.cells["10,10"] >= 0.6


def test_actions_are_bounded_and_a_function_of_the_history(scenes: SkillAwareScenes) -> None:
    observed, goal = observation(), np.array([[0.0, 0.1]])
    for policy in (Pick(), Push(), Push(SCOOP), Switch()):
        runs = []
        for _ in range(2):
            policy.reset(1)
            runs.append(np.stack([policy.act(observed, goal=goal) for _ in range(12)]))
        np.testing.assert_array_equal(runs[0], runs[1])
        assert np.abs(runs[0]).max() <= 1.0
        assert runs[0].shape == (12, 1, 4)
