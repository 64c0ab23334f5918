"""The decoder's geometry and the shaper's limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import (
    ActionConfig,
    ActionDecoder,
    EndEffectors,
    end_effector_state,
    inverse_kinematics,
)
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper

BASE = np.array(ActionConfig().base_position)


def _at(position: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Returns joints that put the end effector at a world position, and that position."""
    world = np.array([position])
    return inverse_kinematics(PANDA, world - BASE), world


def _ends(joints: np.ndarray, setpoint: np.ndarray) -> EndEffectors:
    rest = np.zeros_like(joints)
    return end_effector_state(PANDA, joints, rest, setpoint, rest, BASE)


def test_inverse_kinematics_reaches_the_position_with_the_end_effector_down() -> None:
    corners = np.array([[x, y, z] for x in (-0.3, 0.1) for y in (-0.3, 0.3) for z in (0.015, 0.25)])
    ends = PANDA.kinematics.forward(inverse_kinematics(PANDA, corners - BASE))
    np.testing.assert_allclose(ends.position + BASE, corners, atol=1e-4)
    np.testing.assert_allclose(ends.rotation[:, :, 2], [[0, 0, -1]] * 8, atol=1e-3)


def test_an_action_of_one_displaces_by_four_centimetres() -> None:
    joints, world = _at([-0.1, 0.05, 0.06])
    decoder = ActionDecoder(ActionConfig(), PANDA)
    goal = decoder.displace(np.array([[0.0, 1.0, 0.0]]), joints, _ends(joints, joints))
    moved = PANDA.kinematics.forward(goal).position + BASE - world
    np.testing.assert_allclose(moved, [[0.0, 0.04, 0.0]], atol=1.5e-3)


def test_actions_beyond_one_count_as_one() -> None:
    joints, _ = _at([-0.1, 0.0, 0.06])
    decoder = ActionDecoder(ActionConfig(), PANDA)
    ends = _ends(joints, joints)
    np.testing.assert_array_equal(
        decoder.displace(np.array([[7.0, -9.0, 0.0]]), joints, ends),
        decoder.displace(np.array([[1.0, -1.0, 0.0]]), joints, ends),
    )


def test_the_goal_stays_within_the_setpoint_error_of_the_measured_end_effector() -> None:
    measured, here = _at([-0.1, 0.0, 0.06])
    setpoint, _ = _at([-0.05, 0.0, 0.06])
    decoder = ActionDecoder(ActionConfig(), PANDA)
    goal = decoder.displace(np.array([[1.0, 0.0, 0.0]]), setpoint, _ends(measured, setpoint))
    gap = np.linalg.norm(PANDA.kinematics.forward(goal).position + BASE - here)
    assert gap == pytest.approx(0.06, abs=1e-3)


def test_the_goal_stays_in_the_workspace() -> None:
    joints, _ = _at([0.14, 0.31, 0.02])
    decoder = ActionDecoder(ActionConfig(), PANDA)
    goal = decoder.displace(np.array([[1.0, 1.0, -1.0]]), joints, _ends(joints, joints))
    end = PANDA.kinematics.forward(goal).position + BASE
    assert (end <= np.array([0.15, 0.32, 0.25]) + 1e-3).all()
    assert end[0, 2] >= 0.015 - 1e-3


def test_joint_goals_stay_inside_the_joint_limits() -> None:
    joints, _ = _at([-0.1, 0.0, 0.06])
    setpoint = joints.copy()
    setpoint[0, 6] = PANDA.position_high[6]
    decoder = ActionDecoder(ActionConfig(), PANDA)
    goal = decoder.displace(np.zeros((1, 3)), setpoint, _ends(joints, setpoint))
    assert (goal <= PANDA.position_high - 0.02).all()
    assert (goal >= PANDA.position_low + 0.02).all()


def test_reach_goes_one_control_step_towards_a_far_goal_and_all_the_way_to_a_near_one() -> None:
    joints, world = _at([-0.1, 0.0, 0.10])
    decoder = ActionDecoder(ActionConfig(), PANDA)
    for offset, step in (([0.0, 0.2, 0.0], [0.0, 0.04, 0.0]), ([0.0, 0.02, 0.0], [0.0, 0.02, 0.0])):
        goal = decoder.reach(world + np.array([offset]), joints, _ends(joints, joints))
        moved = PANDA.kinematics.forward(goal).position + BASE - world
        np.testing.assert_allclose(moved, [step], atol=1.5e-3)


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
