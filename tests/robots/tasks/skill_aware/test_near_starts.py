"""Tests of the starts with the hand at the cube."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.tasks.beside import BESIDE_M
from skill_robots.tasks.engine import Engine
from skill_robots.tasks.skill_aware.benchmark import draw_starts
from skill_robots.tasks.skill_aware.engines import make_scenes
from skill_robots.tasks.skill_aware.near_starts import HEIGHT_M, OPEN_M, move_hands_near
from skill_robots.tasks.skill_aware.scenes import AREA_M, Starts

N = 24


def near_starts(n: int, share: float) -> tuple[Starts, Array, Array]:
    """Returns the starts, their hands and their widths."""
    random = np.random.default_rng(5)
    starts = move_hands_near(draw_starts(n, random), random, share)
    assert starts.hand is not None
    assert starts.width is not None
    return starts, starts.hand, starts.width


def test_half_of_the_near_hands_are_open_around_the_cube_and_half_closed_beside_it() -> None:
    starts, hand, width = near_starts(4000, 0.6)
    near = ~np.isnan(hand[:, 0])
    around = width == OPEN_M
    assert abs(near.mean() - 0.6) < 0.03
    assert abs(around.mean() - 0.3) < 0.03
    assert not (around & ~near).any()
    np.testing.assert_array_equal(hand[around, :2], starts.cube[around])
    distance = np.linalg.norm(hand[:, :2] - starts.cube, axis=1)[near & ~around]
    assert BESIDE_M[0] <= distance.min()
    assert distance.max() <= BESIDE_M[1]
    height = hand[near, 2]
    assert HEIGHT_M[0] <= height.min()
    assert height.max() <= HEIGHT_M[1]
    assert hand[near, 0].max() <= AREA_M


def test_without_a_share_every_arm_starts_in_the_neutral_pose() -> None:
    _, hand, width = near_starts(N, 0.0)
    assert np.isnan(hand).all()
    assert not width.any()


@pytest.mark.parametrize("engine", ["mujoco", "bullet"])
def test_arms_are_at_their_places_and_touch_nothing(engine: Engine) -> None:
    starts, hand, width = near_starts(N, 0.7)
    near = ~np.isnan(hand[:, 0])
    with closing(make_scenes(engine, N, 1)) as scenes:
        scenes.reset(starts, np.full(N, 5.0), np.ones(N))
        begin = scenes.observe()
        np.testing.assert_allclose(begin[near, :3], hand[near], atol=1e-3)
        np.testing.assert_allclose(
            begin[~near, :3],
            np.broadcast_to([0.0384, 0.0, 0.1974], begin[~near, :3].shape),
            atol=1e-3,
        )
        np.testing.assert_allclose(begin[:, 6], width, atol=1e-6)
        assert not scenes.contacts.fingers.any()
        for _ in range(3):
            scenes.step(np.zeros((N, 4)))
        np.testing.assert_allclose(scenes.cube_position[:, :2], starts.cube, atol=1e-3)


def test_rows_of_starts_keep_their_hands() -> None:
    starts, hand, width = near_starts(N, 0.7)
    rows = np.array([3, 1])
    taken = starts.take(rows)
    np.testing.assert_array_equal(taken.hand, hand[rows])
    np.testing.assert_array_equal(taken.width, width[rows])
