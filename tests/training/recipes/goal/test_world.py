"""Scenes of the goal stage: goals and contexts that change in mid-episode."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.rollouts import GOAL_RANGE_M
from skill_training.errors import ConfigError
from skill_training.recipes.goal.config import GoalConfig, GoalRunSettings
from skill_training.recipes.goal.world import GoalTaskConfig, GoalWorld

STEPS = 20


def _world(n: int = 8, *, seed: int = 0, **settings: object) -> GoalWorld:
    fields = {"episode_steps": STEPS, "scenes_per_task": 4, "sensor_noise": 0.0, **settings}
    return GoalWorld(GoalTaskConfig(**fields), n, seed=seed)


def _episode(world: GoalWorld) -> tuple[Array, Array]:
    """Goals ``(T, n, 2)`` before each step and truths ``(T + 1, n, 2)``, without motion."""
    world.reset()
    goals, truths = [], [world.truth]
    for _ in range(STEPS):
        goals.append(world.goal)
        world.step(np.zeros((world.n, 3)))
        truths.append(world.truth)
    return np.array(goals), np.array(truths)


def _changes(track: Array) -> list[list[int]]:
    """The steps at which the values ``(T, n, k)`` change, for every scene."""
    moved = (track[1:] != track[:-1]).any(-1)
    return [(np.nonzero(moved[:, scene])[0] + 1).tolist() for scene in range(track.shape[1])]


def test_contexts_are_shared_in_a_group_and_change_at_the_same_step() -> None:
    world = _world(context_change_share=1.0)
    steps = set[int]()
    for _ in range(6):
        _, truths = _episode(world)
        for group in (truths[:, :4], truths[:, 4:]):
            np.testing.assert_array_equal(group, np.broadcast_to(group[:, :1], group.shape))
        assert (truths[:, 0] != truths[:, 4]).all()
        changes = _changes(truths)
        assert [len(change) for change in changes] == [1] * 8
        steps |= {change[0] for change in changes}
    assert min(steps) >= 0.2 * STEPS
    assert max(steps) <= 0.8 * STEPS
    assert len(steps) > 3


def test_each_scene_has_its_own_goal_that_changes_once() -> None:
    goals, _ = _episode(_world(64, goal_change_share=1.0))
    changes = _changes(goals)
    assert [len(change) for change in changes] == [1] * 64
    assert min(changes)[0] >= 0.2 * STEPS
    assert max(changes)[0] <= 0.8 * STEPS
    assert len({change[0] for change in changes}) > 3
    assert len(np.unique(goals.reshape(-1, 2), axis=0)) == 2 * 64
    assert np.abs(goals).max() <= GOAL_RANGE_M
    assert np.abs(goals).max() > 0.9 * GOAL_RANGE_M


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_share_of_changes(share: float) -> None:
    world = _world(64, goal_change_share=share, context_change_share=share, scenes_per_task=1)
    goals, truths = zip(*(_episode(world) for _ in range(3)), strict=True)
    for tracks in (goals, truths):
        changed = [len(change) for track in tracks for change in _changes(track)]
        assert np.mean(changed) == pytest.approx(share, abs=0.12)


def test_the_truth_equals_the_parameters_of_the_physics() -> None:
    world = _world(context_change_share=1.0)
    world.reset()
    physics = world._table.physics
    for _ in range(STEPS):
        mass = physics._body_mass[:, physics._cube]
        friction = physics._pair_friction[:, physics._pair, 0]
        np.testing.assert_allclose(world.truth, np.log(np.stack([mass, friction], 1)), rtol=1e-6)
        world.step(np.zeros((8, 3)))


def test_contexts_cover_their_ranges_evenly_in_the_logarithm() -> None:
    world = _world(512, scenes_per_task=1)
    world.reset()
    for column, (low, high) in zip(world.truth.T, ((0.12, 4.8), (0.06, 1.6)), strict=True):
        place = (column - np.log(low)) / np.log(high / low)
        assert place.min() >= 0
        assert place.max() <= 1
        shares = np.histogram(place, bins=4, range=(0, 1))[0] / 512
        np.testing.assert_allclose(shares, 0.25, atol=0.08)


def test_every_group_of_every_round_is_a_new_task() -> None:
    world, seen = _world(8), set[int]()
    for _ in range(5):
        world.reset()
        tasks = world.task
        assert tasks[0] == tasks[1] == tasks[2] == tasks[3] != tasks[4]
        assert len({*tasks.tolist()}) == 2
        assert not seen & {*tasks.tolist()}
        seen |= {*tasks.tolist()}


def test_the_observed_cube_position_is_the_true_one() -> None:
    world = _world()
    world.reset()
    np.testing.assert_allclose(world.observe()[:, 6:8], world.cube_position, atol=1e-9)


def test_a_world_continues_exactly_from_its_state() -> None:
    settings: dict[str, object] = {"sensor_noise": 1.0, "start": "mixed"}
    first, second = _world(**settings), _world(seed=9, **settings)
    _episode(first)
    second.load_state_dict(first.state_dict())
    action = np.random.default_rng(0).uniform(-1, 1, (STEPS, 8, 3))
    for world in (first, second):
        world.reset()
    for step in range(STEPS):
        np.testing.assert_array_equal(first.observe(), second.observe())
        np.testing.assert_array_equal(first.goal, second.goal)
        np.testing.assert_array_equal(first.truth, second.truth)
        np.testing.assert_array_equal(first.task, second.task)
        first.step(action[step])
        second.step(action[step])


def test_scenes_that_do_not_divide_into_tasks_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"--n-envs 12 is not a multiple of --task.scenes-per-task"
    ):
        GoalConfig(run=GoalRunSettings(n_envs=12))
    with pytest.raises(ConfigError, match=r"--task.friction 0.0 1.0 is not a range"):
        GoalConfig(task=dataclasses.replace(GoalTaskConfig(), friction=(0.0, 1.0)))
