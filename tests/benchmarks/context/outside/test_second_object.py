"""Scenes with a second cube, which differ from those of training in nothing else."""

from __future__ import annotations

import numpy as np
from benchmarks.context.outside.second_object import (
    DISTANCE_M,
    SECOND,
    CrowdedPhysics,
    CrowdedScenes,
    add_second_cube,
)

from skill_robots.motion.action import ActionConfig
from skill_robots.tasks.skill_aware.benchmark import draw_starts
from skill_robots.tasks.tabletop.model import tabletop_spec
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

N = 4


def crowded_table(config: TabletopConfig) -> Tabletop:
    base = ActionConfig().base_position
    physics = CrowdedPhysics(N, config.physics_step_s, base, seed=1)
    return Tabletop(config, N, seed=1, physics=physics)


def second_cube(table: Tabletop) -> np.ndarray:
    """Returns the positions ``(n, 3)`` of the second cubes [m]."""
    physics = table.physics
    assert isinstance(physics, CrowdedPhysics)
    q = int(physics.model.joint(SECOND).qposadr[0])
    return physics.positions()[:, q : q + 3]


def test_each_start_is_that_of_training_with_a_cube_nearby() -> None:
    config = TabletopConfig()
    plain, crowded = Tabletop(config, N, seed=1), crowded_table(config)
    np.testing.assert_array_equal(plain.observe(), crowded.observe())
    for _ in range(2):
        away = np.linalg.norm((second_cube(crowded) - crowded.cube_position)[:, :2], axis=1)
        assert (away > DISTANCE_M[0]).all()
        assert (away < DISTANCE_M[1]).all()
        crowded.reset()


def test_a_cube_that_is_not_touched_changes_nothing() -> None:
    config = TabletopConfig(start="high")
    plain, crowded = Tabletop(config, N, seed=1), crowded_table(config)
    for _ in range(10):
        plain.step(np.full((N, 3), 0.1))
        crowded.step(np.full((N, 3), 0.1))
    np.testing.assert_allclose(plain.observe(), crowded.observe(), atol=1e-9)


def test_the_cubes_push_each_other() -> None:
    crowded = crowded_table(TabletopConfig())
    toward = (second_cube(crowded) - crowded.cube_position)[:, :2]
    crowded.push_cube(toward / np.linalg.norm(toward, axis=1, keepdims=True))
    before = second_cube(crowded).copy()
    for _ in range(10):
        crowded.step(np.array([[0.0, 0.0, 1.0]] * N))
    assert (np.linalg.norm(second_cube(crowded) - before, axis=1) > 0.004).all()


def test_every_geom_that_can_touch_the_cube_can_touch_the_second_one() -> None:
    model = add_second_cube(tabletop_spec(0.005, (-0.6, 0.0, 0.0))).compile()
    names = [model.pair(pair).name for pair in range(model.npair)]
    assert sum(name.endswith(SECOND) for name in names) == 5


def test_the_skill_aware_scenes_have_one_too() -> None:
    scenes = CrowdedScenes(N, seed=1)
    starts = draw_starts(N, np.random.default_rng(0))
    scenes.reset(starts, np.ones(N), np.ones(N))
    q = int(scenes.model.joint(SECOND).qposadr[0])
    place = scenes.batch.bind("qpos")[:, q : q + 2]
    away = np.linalg.norm(place - starts.cube, axis=1)
    assert (away > DISTANCE_M[0]).all()
    assert (away < DISTANCE_M[1]).all()
    for _ in range(3):
        scenes.step(np.zeros((N, 4)))
    assert np.isfinite(scenes.observe()).all()
