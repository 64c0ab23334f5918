"""Braking: examples computed by hand for one joint, and properties for any state of any arm."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.braking import BrakingPlanner


def one_joint(most: float, jerk: float, period_s: float) -> BrakingPlanner:
    return BrakingPlanner(np.array([most]), np.array([jerk]), period_s)


def plan(planner: BrakingPlanner, speed: float, acceleration: float = 0.0) -> list[float]:
    stop = planner.plan(np.zeros(1), np.array([speed]), np.array([acceleration]))
    return stop.acceleration[1:, 0].tolist()


def test_rest_needs_no_stop() -> None:
    assert len(one_joint(10.0, 1000.0, 0.01).plan(np.zeros(1), np.zeros(1), np.zeros(1))) == 0


def test_without_a_binding_jerk_limit_the_deceleration_is_constant() -> None:
    # .2 rad/s at 10 rad/s^2 are two periods of 10 ms; 1e4 * .01 = 100 allows any change.
    assert plan(one_joint(10.0, 1e4, 0.01), 0.2) == pytest.approx([-10.0, -10.0])


def test_with_a_binding_jerk_limit_the_deceleration_ramps_in_and_out() -> None:
    # Changes of 5 at most: -5 -10 -10 -5 take .3 rad/s away in periods of 10 ms.
    assert plan(one_joint(10.0, 500.0, 0.01), 0.3) == pytest.approx([-5.0, -10.0, -10.0, -5.0])


def test_an_acceleration_is_reduced_first() -> None:
    # From +5 with changes of 5 at most: 0 -5 -5 takes .1 rad/s away in periods of 10 ms.
    accelerations = plan(one_joint(10.0, 500.0, 0.01), 0.1, 5.0)
    assert accelerations == pytest.approx([0.0, -5.0, -5.0])


def test_an_acceleration_beyond_the_limit_of_a_stop_ends_first() -> None:
    # From +15, 5 beyond the limit of 10: +10 in one change of 5, and so on down to rest.
    accelerations = plan(one_joint(10.0, 500.0, 0.01), 0.3, 15.0)
    steps = np.diff([15.0, *accelerations, 0.0])
    assert np.abs(steps).max() <= 5.0 + 1e-9
    assert np.abs(accelerations).max() <= 10.0 + 1e-9
    assert sum(accelerations) * 0.01 == pytest.approx(-0.3)


def test_joints_come_to_rest_together() -> None:
    planner = BrakingPlanner(np.array([10.0, 10.0]), np.array([1e4, 1e4]), 0.01)
    stop = planner.plan(np.zeros(2), np.array([0.4, 0.1]), np.zeros(2))
    assert len(stop) == 4
    assert (stop.velocity[:-1] != 0.0).all()
    assert (stop.velocity[-1] == 0.0).all()
    # Both joints slow down in proportion, so that the path stays straight.
    assert stop.velocity[:, 1] == pytest.approx(stop.velocity[:, 0] / 4)


states = st.tuples(
    st.lists(st.floats(-1.0, 1.0), min_size=7, max_size=7).map(np.array),
    st.lists(st.floats(-1.0, 1.0), min_size=7, max_size=7).map(np.array),
)


@pytest.mark.parametrize("spec", [PANDA, FR3], ids=lambda spec: spec.name)
@pytest.mark.parametrize("period_s", [0.001, 0.005])
@settings(max_examples=100, deadline=None)
@given(state=states)
def test_every_stop_keeps_the_limits_and_ends_at_rest(
    spec: ArmSpec, period_s: float, state: tuple[Array, Array]
) -> None:
    velocity, acceleration = (
        share * limit
        for share, limit in zip(state, (spec.velocity_limit, spec.acceleration_limit), strict=True)
    )
    planner = BrakingPlanner(spec.acceleration_limit, spec.jerk_limit, period_s)
    stop = planner.plan(np.zeros(7), velocity, acceleration)
    profile = np.concatenate([stop.acceleration, np.zeros((1, 7))])
    assert (np.abs(profile) <= spec.acceleration_limit * (1 + 1e-9)).all()
    assert (np.abs(np.diff(profile, axis=0)) <= spec.jerk_limit * period_s * (1 + 1e-6)).all()
    accelerations, velocities, positions = stop.acceleration, stop.velocity, stop.position
    assert np.array_equal(accelerations[0], acceleration)
    assert velocity + accelerations[1:].sum(axis=0) * period_s == pytest.approx(0.0, abs=1e-9)
    assert np.diff(velocities, axis=0) == pytest.approx(accelerations[1:] * period_s, abs=1e-9)
    assert np.diff(positions, axis=0) == pytest.approx(velocities[1:] * period_s, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(state=states)
def test_no_shorter_stop_exists(state: tuple[Array, Array]) -> None:
    """With one period less, the extreme profiles of at least one joint cannot reach its sum."""
    planner = BrakingPlanner(FR3.acceleration_limit, FR3.jerk_limit, 0.005)
    velocity, acceleration = state[0] * FR3.velocity_limit, state[1] * FR3.acceleration_limit
    n = len(planner.plan(np.zeros(7), velocity, acceleration)) - 1
    if n < 0:
        return
    i = np.arange(1, n + 1)[:, None]
    step, most = FR3.jerk_limit * 0.005, FR3.acceleration_limit
    back = np.minimum((n + 1 - i) * step, most)
    high = np.minimum(back, acceleration + i * step).sum(axis=0)
    low = np.maximum(-back, acceleration - i * step).sum(axis=0)
    wanted = -velocity / 0.005
    late = np.abs(acceleration) > (n + 1) * step
    assert (late | (wanted < low - 1e-9 * most) | (wanted > high + 1e-9 * most)).any()
