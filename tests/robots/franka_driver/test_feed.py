"""The reference of each millisecond, from set-points and without them."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.franka_driver.feed import (
    CYCLE_S,
    SEAT_POSITION,
    SEAT_VELOCITY,
    SILENCE_S,
    ReferenceFeed,
    is_seated,
)
from skill_robots.franka_driver.records import Phase, Reference
from skill_robots.franka_driver.stopping import BRAKING_ACCELERATION, with_driver_stop
from skill_robots.motion.braking import BrakingPlanner

START = np.array([0.1, -0.7, 0.0, -2.3, 0.0, 1.6, 0.8])
STILL = np.zeros(7)
PERIOD_S = 0.005


def make_feed(spec: ArmSpec = PANDA, period_s: float = PERIOD_S) -> ReferenceFeed:
    """Returns a feed that holds at START."""
    planner = BrakingPlanner.of(with_driver_stop(spec), period_s)
    feed = ReferenceFeed(spec.velocity_limit, spec.acceleration_limit, planner)
    feed.hold(START)
    return feed


@pytest.fixture
def feed() -> ReferenceFeed:
    """Holds at START."""
    return make_feed()


def setpoint(
    number: int,
    time_s: float,
    position: Array,
    velocity: Array = STILL,
    acceleration: Array = STILL,
) -> Reference:
    return Reference(number, time_s, position, velocity, acceleration)


def followed(feed: ReferenceFeed, velocity: Array, time_s: float = 0.0) -> None:
    """Brings the feed to follow a moving set-point at START."""
    assert feed.offer(setpoint(1, time_s, START), START, STILL)
    feed.advance(time_s)
    assert feed.offer(setpoint(2, time_s, START, velocity), START, STILL)


def test_between_set_points_the_reference_goes_on_at_their_velocity(feed: ReferenceFeed) -> None:
    velocity = np.array([1.0, -0.5, 0.0, 0.2, 0.0, 0.0, 2.0])
    followed(feed, velocity)
    for milliseconds in range(6):
        position, rate = feed.advance(milliseconds * 1e-3)
        np.testing.assert_allclose(position, START + velocity * milliseconds * 1e-3, atol=1e-15)
        np.testing.assert_array_equal(rate, velocity)


def test_it_goes_on_for_one_servo_period_only(feed: ReferenceFeed) -> None:
    velocity = np.full(7, 0.4)
    followed(feed, velocity)
    for time_s in (0.006, 0.009, SILENCE_S):
        position, _ = feed.advance(time_s)
        np.testing.assert_allclose(position, START + velocity * PERIOD_S, atol=1e-15)
    assert feed.phase is Phase.FOLLOWING
    assert feed.late_setpoints == 0


def test_a_set_point_of_the_same_millisecond_is_not_followed_backwards(
    feed: ReferenceFeed,
) -> None:
    followed(feed, np.full(7, 0.4), time_s=1.0)
    position, _ = feed.advance(0.999)
    np.testing.assert_array_equal(position, START)


def braked(feed: ReferenceFeed, start_s: float) -> tuple[Array, Array]:
    """Returns positions and velocities of each millisecond from a time to rest."""
    rows = [feed.advance(start_s)]
    while feed.phase is not Phase.HOLDING:
        start_s += CYCLE_S
        rows.append(feed.advance(start_s))
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


@pytest.mark.parametrize("spec", [PANDA, FR3], ids=["fer", "fr3"])
def test_without_set_points_it_brakes_within_limits_and_holds(spec: ArmSpec) -> None:
    feed = make_feed(spec)
    velocity = np.array([0.8, -0.8, 0.4, 0.1, 0.0, -0.2, 0.8])
    followed(feed, velocity)
    positions, velocities = braked(feed, SILENCE_S + 1e-9)
    accelerations = np.diff(velocities, axis=0) / CYCLE_S
    assert (np.abs(accelerations) <= with_driver_stop(spec).deceleration_limit + 1e-6).all()
    # The first servo period of the stop has passed when it begins.
    assert (np.abs(velocity - velocities[0]) <= BRAKING_ACCELERATION * PERIOD_S + 1e-9).all()
    np.testing.assert_array_equal(velocities[-1], STILL)
    # From .8 rad/s at 7.5 rad/s^2: 107 ms, and v^2 / 2a = 43 mrad.
    assert 0.100 <= len(velocities) * CYCLE_S <= 0.110
    assert positions[-1][0] - START[0] == pytest.approx(0.0427, abs=2.5e-3)
    assert feed.late_setpoints == 1
    position, rate = feed.advance(10.0)
    np.testing.assert_array_equal(position, positions[-1])
    np.testing.assert_array_equal(rate, STILL)


def test_no_joint_reverses_while_it_brakes(feed: ReferenceFeed) -> None:
    velocity = np.array([0.8, -0.8, 0.4, 0.1, 0.0, -0.2, 0.8])
    followed(feed, velocity)
    _, velocities = braked(feed, SILENCE_S + 1e-9)
    assert (velocities * np.sign(velocity) >= -1e-12).all()


def test_a_late_cycle_continues_the_braking_trajectory_at_its_time(feed: ReferenceFeed) -> None:
    followed(feed, np.full(7, 0.5))
    feed.advance(SILENCE_S + 1e-9)
    other = make_feed()
    followed(other, np.full(7, 0.5))
    for milliseconds in range(1, 31):
        feed.advance(SILENCE_S + 1e-9 + milliseconds * 1e-3)
    late, _ = other.advance(SILENCE_S + 1e-9 + 0.030)
    np.testing.assert_allclose(late, feed.position, atol=1e-12)


def test_an_acceleration_beyond_the_limit_is_planned_from_the_limit(feed: ReferenceFeed) -> None:
    assert feed.offer(setpoint(1, 0.0, START, STILL, np.full(7, 1e9)), START, STILL)
    positions, velocities = braked(feed, SILENCE_S + 1e-9)
    limit = with_driver_stop(PANDA).deceleration_limit
    assert (np.abs(np.diff(velocities, axis=0)) <= limit * CYCLE_S * (1 + 1e-6)).all()
    assert np.abs(positions - START).max() < 0.01


# After a stop ------------------------------------------------------------------------------------


def test_a_set_point_far_from_the_place_where_the_arm_holds_is_refused(feed: ReferenceFeed) -> None:
    far = START + np.array([0, 0, 0, 0, 0, 0, 1.5 * SEAT_POSITION])
    assert not feed.offer(setpoint(1, 0.0, far), START, STILL)
    assert not feed.offer(setpoint(2, 0.0, START, np.full(7, 1.5 * SEAT_VELOCITY)), START, STILL)
    assert feed.phase is Phase.HOLDING
    assert feed.accepted == 0
    near = START + np.array([0, 0, 0, 0, 0, 0, 0.9 * SEAT_POSITION])
    assert feed.offer(setpoint(3, 0.0, near), START, STILL)
    assert feed.phase is Phase.FOLLOWING
    assert feed.accepted == 3


def test_an_arm_that_rests_beside_its_reference_is_followed_from_there(feed: ReferenceFeed) -> None:
    beside = START + np.array([0, 0, 0, 0, 0, 0, 0.010])  # static friction at the wrist
    assert not feed.offer(setpoint(1, 0.0, beside), START, STILL)
    assert not feed.offer(setpoint(2, 0.0, beside), beside, np.full(7, 0.02))
    assert feed.offer(setpoint(3, 0.0, beside), beside, np.full(7, 0.005))


def test_an_arm_that_still_brakes_is_not_followed_from_where_it_is(feed: ReferenceFeed) -> None:
    followed(feed, np.full(7, 0.5))
    feed.advance(SILENCE_S + 1e-9)
    feed.advance(SILENCE_S + 0.05)
    beside = feed.position + 0.010
    assert feed.phase is Phase.BRAKING
    assert not feed.offer(setpoint(3, 0.06, beside), beside, STILL)


def test_a_set_point_that_comes_just_after_the_brake_began_is_followed(feed: ReferenceFeed) -> None:
    velocity = np.full(7, 0.5)
    followed(feed, velocity)
    feed.advance(SILENCE_S + 0.002)
    assert feed.phase is Phase.BRAKING
    assert feed.offer(setpoint(3, 0.0145, START + velocity * PERIOD_S, velocity), START, velocity)
    assert feed.phase is Phase.FOLLOWING
    assert feed.late_setpoints == 1


def test_a_set_point_that_jumps_is_not_followed_and_the_arm_brakes(feed: ReferenceFeed) -> None:
    followed(feed, np.full(7, 0.5))
    jump = START + np.array([0.0, 0.0, 0.0, 0.05, 0.0, 0.0, 0.0])  # 10 rad/s
    assert not feed.offer(setpoint(3, 0.005, jump), START, STILL)
    feed.advance(SILENCE_S + 1e-9)
    assert feed.phase is Phase.BRAKING


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_set_point_that_is_not_finite_is_refused(
    feed: ReferenceFeed, part: int, value: float
) -> None:
    parts = [START.copy(), STILL.copy(), STILL.copy()]
    parts[part][3] = value
    assert not feed.offer(setpoint(1, 0.0, *parts), START, STILL)


def test_without_a_law_no_set_point_is_followed(feed: ReferenceFeed) -> None:
    feed.stop()
    assert not feed.offer(setpoint(1, 0.0, START), START, STILL)


def test_a_brake_on_request_starts_near_the_reference_of_that_moment(feed: ReferenceFeed) -> None:
    velocity = np.full(7, 0.5)
    followed(feed, velocity)
    feed.advance(0.002)
    feed.brake(0.002)
    positions, _ = braked(feed, 0.002)
    beside = BRAKING_ACCELERATION * 0.002 * PERIOD_S
    np.testing.assert_allclose(positions[0], START + velocity * 0.002, rtol=0.0, atol=beside)
    assert feed.late_setpoints == 0


def test_seated_needs_position_and_velocity_near_the_reference() -> None:
    def seated(position: Array, velocity: Array, *, holds: bool = True) -> bool:
        return is_seated(
            position,
            velocity,
            reference=(START, STILL),
            measured=(START + 0.01, STILL),
            holds=holds,
        )

    assert seated(START, STILL, holds=False)
    assert seated(START + 0.01, STILL)
    assert not seated(START + 0.01, STILL, holds=False)
    assert not seated(START + 0.005, STILL)
    assert not seated(START, STILL + 0.2)
