"""Rewards of the ten bodies, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.worlds.bodies import Motion
from skill_robots.worlds.varied.table import VARIED

MOTION = Motion(
    forward=np.array([2.0]),
    ctrl=np.array([[0.5, -1.0]]),
    standing=np.array([True]),
    height=np.array([0.9]),
    earlier=np.array([3.0]),
)

REWARDS = {
    "varied_ant": 2.0 + 1.0 - 0.0125,
    "varied_half_cheetah": 2.0 - 0.125,
    "varied_hopper": 2.0 + 1.0 - 0.125,
    "varied_walker": 2.0 + 1.0 - 0.00125,
    "varied_slim_humanoid": 50.0 - 0.125 + 5.0,
    "varied_humanoid_standup": 300.0 - 0.125 + 1.0,
    "crippled_ant": 2.0 + 1.0 - 0.0125,
    "crippled_half_cheetah": 2.0 - 0.125,
    "crippled_hopper": 2.0 + 1.0 - 0.00125,
    "crippled_walker": 2.0 + 1.0 - 0.00125,
}

STEPS = {
    "varied_half_cheetah": 1000,
    "varied_slim_humanoid": 1000,
    "crippled_half_cheetah": 1000,
    "crippled_hopper": 1000,
}
"""Episodes of the other bodies have 2,000 control steps."""


@pytest.mark.parametrize("name", VARIED)
def test_rewards(name: str) -> None:
    assert VARIED[name].reward(MOTION)[0] == pytest.approx(REWARDS[name])


@pytest.mark.parametrize("name", VARIED)
def test_lengths_of_episodes(name: str) -> None:
    assert VARIED[name].episode_steps == STEPS.get(name, 2000)
