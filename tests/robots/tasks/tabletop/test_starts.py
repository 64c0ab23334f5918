"""Starts of episodes: the draws without the gripper stay, and a gripper adds its own."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.motion.action import ActionConfig
from skill_robots.tasks.engine import Engine
from skill_robots.tasks.tabletop.starts import Starts, add_gripper, draw_starts
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

ACTIONS = ActionConfig()
N = 400


def mixed(seed: int = 3) -> tuple[Starts, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return draw_starts(N, rng, ACTIONS, "mixed", 0.25), rng


def test_the_draws_without_a_gripper_have_not_changed() -> None:
    """Files and results of earlier releases begin with these numbers, in this order."""
    starts, after = mixed()
    rng = np.random.default_rng(3)
    kind = rng.random(N)
    cube = rng.uniform(-1.0, 1.0, (N, 2)) * np.where(kind < 0.5, 0.10, 0.15)[:, None]
    height = rng.uniform(0.06, 0.20, N)
    rng.uniform(0.05, 0.09, N), rng.uniform(-np.pi, np.pi, N)  # away from the cube
    beside_height = rng.uniform(0.015, 0.06, N)
    yaw = rng.uniform(-np.pi, np.pi, N)
    beside = kind >= 0.75
    np.testing.assert_array_equal(starts.cube, cube)
    np.testing.assert_array_equal(starts.yaw, yaw)
    np.testing.assert_array_equal(starts.beside, beside)
    expected = np.where(beside, beside_height, np.where(kind < 0.5, 0.06, height))
    np.testing.assert_array_equal(starts.hand[:, 2], expected)
    assert starts.height is None
    assert starts.width is None
    assert after.random() == rng.random()


def test_the_opening_is_uniform_and_a_hand_beside_the_cube_is_closed() -> None:
    starts, rng = mixed()
    opened, setpoint = add_gripper(starts, rng, ACTIONS, width_max=0.08, held_share=0.0)
    assert opened.width is not None
    assert opened.height is not None
    np.testing.assert_array_equal(opened.width, setpoint)
    np.testing.assert_array_equal(opened.hand, starts.hand)
    np.testing.assert_array_equal(opened.height, np.full(N, 0.02))
    assert not opened.width[starts.beside].any()
    others = opened.width[~starts.beside]
    assert others.mean() == pytest.approx(0.04, abs=0.004)
    assert 0.0 < others.min() < 0.002 < 0.078 < others.max() < 0.08


def test_a_share_begins_between_the_fingers_and_half_of_it_held() -> None:
    starts, rng = mixed()
    begun, setpoint = add_gripper(starts, rng, ACTIONS, width_max=0.08, held_share=0.5)
    assert begun.width is not None
    assert begun.height is not None
    between = (begun.hand[:, :2] == begun.cube).all(axis=1)
    held = between & (begun.width == 0.04)
    assert between.mean() == pytest.approx(0.5, abs=0.08)
    assert held.mean() == pytest.approx(0.25, abs=0.06)
    np.testing.assert_array_equal(begun.hand[held, 2], begun.height[held])
    assert 0.02 <= begun.height[held].min() < 0.05 < 0.17 < begun.height[held].max() < 0.20
    assert not setpoint[held].any()
    assert not begun.yaw[held].any()
    around = between & ~held
    np.testing.assert_array_equal(begun.width[around], np.full(around.sum(), 0.08))
    assert 0.015 <= begun.hand[around, 2].min() < begun.hand[around, 2].max() < 0.03


@pytest.mark.parametrize("engine", ["mujoco", "bullet"])
def test_no_start_moves_a_cube_and_a_held_cube_stays_in_the_hand(engine: Engine) -> None:
    """A held cube sinks with the arm, by its weight over the stiffness: 1.6 kg by some 15 mm."""
    if engine == "bullet":
        pytest.importorskip("panda_gym", reason="panda-gym (extra `bullet`) is not installed")
    n = 60 if engine == "mujoco" else 6
    config = TabletopConfig(gripper=True, start="mixed", held_share=0.5)
    table = Tabletop(config, n, seed=1, engine=engine)
    before, width = table.cube_position, table.gripper_width.copy()
    hand = table.end_effector_position.copy()
    held = (np.linalg.norm(before - hand, axis=1) < 1e-3) & (width < 0.05)
    action = np.zeros((n, 4))
    action[:, 3] = np.where(held, -1.0, 2.0 * width / 0.08 - 1.0)
    for _ in range(15):
        table.step(action)
    moved, sunk = table.cube_position - before, table.end_effector_position - hand
    assert held.sum() > 0
    assert np.abs(moved[~held]).max() < 1e-3
    assert np.abs(moved - sunk)[held].max() < 8e-3
    assert np.abs(sunk)[held].max() < 0.025
    np.testing.assert_allclose(table.gripper_width, width, atol=3e-3)
    table.physics.close()
