"""HalfCheetah with bars across its way."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from skill_robots.worlds.downstream.config import HurdlesConfig
from skill_robots.worlds.downstream.hurdles import (
    HURDLES_M,
    HurdlesWorld,
    bars,
    hurdles_left,
    next_hurdle,
)
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.mujoco_world import find_body, load_model, mjcf_path


def test_bars_behind_the_back_foot_are_passed() -> None:
    """Seven bars lie in front of the start, at 3, 7, ... 27; those behind it never count."""
    foot = np.array([-20.0, 0.0, 3.0, 3.1, 12.0, 27.1])
    assert hurdles_left(foot).tolist() == [7, 7, 7, 6, 4, 0]
    assert next_hurdle(foot).tolist() == [-15.0, 3.0, 3.0, 7.0, 15.0, 15.0]


def test_the_reward_counts_the_bars_that_are_passed() -> None:
    made = HurdlesWorld(HurdlesConfig(episode_steps=3), 2)
    start = made.reset()
    qpos = made._body.positions()
    qpos[0, 0] += 8.0  # beyond the bars at 3 and 7
    qpos[0, 1] = 3.0  # in the air
    still = np.zeros((2, 6))
    step = made.step(still)
    assert step.reward.tolist() == [2.0, 0.0]
    assert made.scores()["hurdles_passed"].tolist() == [2.0, 0.0]
    qpos[0, 0] -= 4.0
    assert made.step(still).reward.tolist() == [-1.0, 0.0]
    last = made.step(still)
    assert last.terminated.all()
    assert last.ended.all()
    # The task's entries: the next bar, and its distance from the back foot half a metre behind.
    assert start[1, 18] == 3.0
    assert start[1, 19] == pytest.approx(3.0 - start[1, 0] + 0.5, abs=0.3)
    assert made.spec.observation_size == 20


def test_a_reset_begins_an_episode_in_the_named_scene_alone() -> None:
    made = HurdlesWorld(HurdlesConfig(episode_steps=3), 2)
    still = np.zeros((2, 6))
    made.step(still)
    made.step(still)
    with pytest.raises(WorldError, match="no scene"):
        made.reset(np.array([2]))
    made.reset(np.array([1]))
    assert made.step(still).ended.tolist() == [True, False]


def test_a_body_touches_the_bars() -> None:
    path = mjcf_path(find_body("half_cheetah"))
    plain, model = load_model(path), load_model(path, bars())
    assert model.ngeom == plain.ngeom + len(HURDLES_M)
    assert model.body_mass.sum() == pytest.approx(14.0)
    data = mujoco.MjData(model)
    data.qpos[:2] = 3.0, -0.45  # the torso at .25 m, on the bar that ends at .23 m
    mujoco.mj_forward(model, data)
    touched = {
        mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_GEOM, int(number)) or ""
        for contact in data.contact
        for number in contact.geom
    }
    assert "hurdle-5" in touched


def test_starts_are_restored() -> None:
    made = HurdlesWorld(HurdlesConfig(), 2, seed=4)
    state = made.state_dict()
    expected = made.reset()
    made.load_state_dict(state)
    np.testing.assert_array_equal(made.reset(), expected)
