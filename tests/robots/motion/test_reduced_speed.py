"""A reduced speed scales velocities, and leaves the arm's brakes alone."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.arm import ArmSpec
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.reduced_speed import with_speed
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper

both_arms = pytest.mark.parametrize("spec", [PANDA, FR3], ids=lambda spec: spec.name)


@both_arms
def test_velocity_limits_are_scaled_and_acceleration_limits_stay(spec: ArmSpec) -> None:
    slow = with_speed(spec, 0.2)
    np.testing.assert_allclose(slow.velocity_limit, 0.2 * spec.velocity_limit)
    assert slow.end_effector_speed == pytest.approx(0.2 * spec.end_effector_speed)
    assert slow.gripper_speed == pytest.approx(0.2 * spec.gripper_speed)
    assert slow.acceleration_limit is spec.acceleration_limit
    assert slow.jerk_limit is spec.jerk_limit
    assert slow.name == spec.name


def test_the_full_speed_is_the_arm_itself() -> None:
    assert with_speed(PANDA, 1.0) is PANDA


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"in \(0, 1\]"):
        with_speed(PANDA, share)


def test_a_set_point_moves_at_a_fifth_of_the_speed_at_most() -> None:
    """The shaper uses 90 % of the limit, 2.175 rad/s: .3915 rad/s at a fifth."""
    shaper, state = SetpointShaper(with_speed(PANDA, 0.2), 0.005), Setpoint(np.zeros((1, 7)))
    fastest = 0.0
    for _ in range(400):
        shaper.step(state, np.array([[1.0, 0, 0, 0, 0, 0, 0]]))
        fastest = max(fastest, float(state.velocity[0, 0]))
    assert fastest == pytest.approx(0.9 * 0.2 * 2.175, rel=1e-3)
