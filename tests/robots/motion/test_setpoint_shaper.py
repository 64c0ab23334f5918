"""The shaper's limits, its path and its braking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.limits import MotionLimits, Surroundings
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper


@pytest.mark.parametrize("period", [0.005, 0.001])
@pytest.mark.parametrize("distance", [0.02, 0.5])
def test_shaper_arrives_without_much_overshoot(period: float, distance: float) -> None:
    shaper = SetpointShaper(PANDA, period)
    state = Setpoint(np.zeros((1, 7)))
    goal = np.full((1, 7), distance)
    path = []
    for _ in range(round(1.5 / period)):
        shaper.step(state, goal)
        path.append(state.position[0].copy())
    assert np.max(path) <= distance * 1.03
    np.testing.assert_allclose(path[-1], distance, rtol=0.01)
    assert np.abs(state.velocity).max() < 0.02


@given(
    seed=st.integers(0, 2**32 - 1),
    period=st.sampled_from([0.001, 0.005]),
    reach=st.floats(0.001, 5.0),
)
@settings(max_examples=30)
def test_shaper_never_exceeds_the_arms_limits(seed: int, period: float, reach: float) -> None:
    """For any goals, also goals that change at every step."""
    rng = np.random.default_rng(seed)
    shaper = SetpointShaper(PANDA, period)
    state = Setpoint(np.zeros((4, 7)))
    before = state.acceleration
    for k in range(200):
        if k % rng.integers(1, 9) == 0:
            goal = rng.uniform(-reach, reach, (4, 7))
        previous = state.position
        shaper.step(state, goal)
        assert (np.abs(state.velocity) <= PANDA.velocity_limit + 1e-9).all()
        assert (np.abs(state.acceleration) <= PANDA.acceleration_limit + 1e-9).all()
        assert (np.abs(state.acceleration - before) <= PANDA.jerk_limit * period + 1e-9).all()
        np.testing.assert_allclose(state.position - previous, state.velocity * period, atol=1e-12)
        before = state.acceleration


def test_shaper_follows_the_same_path_at_1_and_at_5_ms() -> None:
    rng = np.random.default_rng(3)
    goals = np.cumsum(rng.uniform(-0.08, 0.08, (40, 1, 7)), axis=0)
    paths = []
    for period, substeps in ((0.005, 8), (0.001, 40)):
        shaper, state = SetpointShaper(PANDA, period), Setpoint(np.zeros((1, 7)))
        path = []
        for goal in goals:
            for _ in range(substeps):
                shaper.step(state, goal)
            path.append(state.position[0].copy())
        paths.append(np.array(path))
    travelled = np.abs(goals).max()
    assert np.abs(paths[0] - paths[1]).max() < 0.02 * travelled


@pytest.mark.parametrize("period", [0.001, 0.005])
def test_braking_comes_to_rest_on_a_straight_line_without_turning_back(period: float) -> None:
    shaper, state = SetpointShaper(PANDA, period), Setpoint(np.zeros((1, 7)))
    rng = np.random.default_rng(4)
    goal = rng.uniform(-2.0, 2.0, (1, 7))
    for _ in range(round(0.6 / period)):  # long enough to be fast and to have stopped accelerating
        shaper.step(state, goal)
    start, velocity = state.position.copy(), state.velocity.copy()
    assert np.abs(velocity).max() > 1.0
    for _ in range(round(0.4 / period)):
        before = state.acceleration
        shaper.brake(state)
        assert (state.velocity * velocity >= -1e-6).all()
        assert (np.abs(state.acceleration) <= PANDA.acceleration_limit + 1e-9).all()
        change = np.abs(state.acceleration - before)
        assert (change <= PANDA.jerk_limit * period + 1e-9).all()
    assert np.abs(state.velocity).max() < 0.01
    moved = state.position - start
    aligned = float((moved * velocity).sum())
    assert aligned / np.linalg.norm(moved) / np.linalg.norm(velocity) > 0.99


@pytest.mark.parametrize("period", [0.001, 0.005])
def test_braking_takes_as_long_as_the_law_predicts(period: float) -> None:
    """Speed falls by a_max t until a_max = k_v v, and from there on as exp(-k_v t)."""
    shaper, state = SetpointShaper(PANDA, period), Setpoint(np.zeros((1, 7)))
    state.velocity[:] = 2.0
    most = 0.9 * PANDA.acceleration_limit.min()
    gain = shaper.config.velocity_gain
    line = (2.0 - most / gain) / most
    tail = np.log(most / gain / 0.01) / gain
    times = 0.0
    while state.velocity.max() > 0.01:
        shaper.brake(state)
        times += period
    # The jerk limit takes some milliseconds to build up the deceleration.
    assert times == pytest.approx(line + tail, abs=0.02)


@pytest.mark.parametrize("period", [0.001, 0.005])
def test_an_fr3_approaches_the_ends_of_its_ranges_within_its_bound(period: float) -> None:
    """Its position-based velocity limits fall as ``sqrt(2 d x) - offset`` towards an end."""
    rng, n = np.random.default_rng(1), 50
    surroundings = Surroundings(low=(-2.0,) * 3, high=(2.0,) * 3)
    limits = MotionLimits(FR3, surroundings, period)
    middle = rng.uniform(FR3.position_low + 0.5, FR3.position_high - 0.5, (n, 7))
    shaper, state = SetpointShaper(FR3, period), Setpoint(middle)
    at_end = np.where(rng.random((n, 7)) < 0.5, FR3.position_low + 0.05, FR3.position_high - 0.05)
    fastest = np.zeros((n, 7))
    for _ in range(round(4.0 / period)):
        shaper.step(state, at_end)
        low, high = limits.speed_bounds(state.position)
        assert (state.velocity >= low - 1e-9).all()
        assert (state.velocity <= high + 1e-9).all()
        fastest = np.maximum(fastest, np.abs(state.velocity))
    np.testing.assert_allclose(state.position, at_end, atol=0.01)
    assert (fastest.max(axis=0) > 0.3).all()


def test_without_such_limits_the_shaper_does_not_slow_down_near_an_end() -> None:
    bare = replace(FR3, position_based_velocity_limit=None)
    end = np.array(FR3.position_high)[None] - 0.05
    speeds: list[float] = []
    for spec in (FR3, bare):
        shaper, state = SetpointShaper(spec, 0.005), Setpoint(end - 0.3)
        fastest = 0.0
        for _ in range(200):
            shaper.step(state, end)
            fastest = max(fastest, float(np.abs(state.velocity).max()))
        speeds.append(fastest)
    assert speeds[0] < 0.7 * speeds[1]


def test_a_joint_at_its_very_end_does_not_stop_the_others() -> None:
    state = Setpoint(np.array(FR3.position_high)[None] - 0.001)
    goal = state.position + np.array([0.0005, *(-0.3,) * 6])
    shaper = SetpointShaper(FR3, 0.005)
    for _ in range(400):
        shaper.step(state, goal)
    np.testing.assert_allclose(state.position, goal, atol=0.01)
