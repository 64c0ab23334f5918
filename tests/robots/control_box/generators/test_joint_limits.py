"""The limits of joint set-points, with numbers computed by hand from the published tables."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.control_box.config import RobotConfig, robot_config
from skill_robots.control_box.generators.joint_limits import (
    CARTESIAN_GENERATOR_ERRORS,
    JOINT_GENERATOR_ERRORS,
    JointErrors,
    JointLimits,
)
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.wire.protocol import ErrorBit
from skill_robots.franka.model import FrankaRobot

POSITION, VELOCITY, VELOCITY_STEP, ACCELERATION_STEP = JOINT_GENERATOR_ERRORS
BOTH: tuple[FrankaRobot, ...] = ("fer", "fr3")


def limits(config: RobotConfig) -> JointLimits:
    return JointLimits(config.spec, config.protocol, JOINT_GENERATOR_ERRORS)


def bits(mask: int) -> set[ErrorBit]:
    return {error for error in ErrorBit if mask >> error & 1}


def step_of_joint(index: int, step: float, config: RobotConfig) -> set[ErrorBit]:
    """Errors of one step from rest."""
    before = JointMotion.at_rest(config.start)
    position = list(config.start)
    position[index] += step
    return bits(limits(config).broken(before, before.to_position(position)))


def test_a_step_from_rest_is_judged_by_its_differences() -> None:
    # Joint 2 of the Panda: 3750 rad/s^3 and 7.5 rad/s^2, so at 1 ms 3.75e-6 rad and 7.5e-6 rad.
    config = robot_config("fer")
    assert step_of_joint(1, 3.74e-6, config) == set()
    assert step_of_joint(1, 3.76e-6, config) == {ACCELERATION_STEP}
    assert step_of_joint(1, 7.51e-6, config) == {VELOCITY_STEP, ACCELERATION_STEP}
    assert step_of_joint(1, -7.51e-6, config) == {VELOCITY_STEP, ACCELERATION_STEP}
    # 2.175 rad/s are 2.175e-3 rad.
    assert step_of_joint(1, 2.176e-3, config) == {VELOCITY, VELOCITY_STEP, ACCELERATION_STEP}


def test_a_step_of_1e_5_rad_stops_an_fr3() -> None:
    # As on the real one (franka_ros2 #55): 10 rad/s^2 is the limit, 10000 rad/s^3 twice the limit.
    assert step_of_joint(0, 1e-5, robot_config("fr3")) == {ACCELERATION_STEP}
    assert step_of_joint(0, 1.03e-5, robot_config("fr3")) == {VELOCITY_STEP, ACCELERATION_STEP}


@pytest.mark.parametrize("robot", BOTH)
@pytest.mark.parametrize("joint", range(7))
def test_the_fastest_profile_within_the_published_limits_passes(
    robot: FrankaRobot, joint: int
) -> None:
    config = robot_config(robot)
    spec = config.spec
    checked = limits(config)

    def errors_of(share: float) -> set[ErrorBit]:
        """Errors of a profile whose differences are this share of the limits."""
        motion, found = JointMotion.at_rest(config.start), 0
        acceleration = velocity = 0.0
        for _ in range(5):  # 5 ms: far from the ends of the ranges
            jerk_step = share * spec.jerk_limit[joint] * 1e-3
            acceleration = min(acceleration + jerk_step, share * spec.acceleration_limit[joint])
            velocity += 1e-3 * acceleration
            rates = [0.0] * 7
            rates[joint] = velocity
            after = motion.to_velocity(rates)
            found |= checked.broken(motion, after)
            motion = after
        return bits(found)

    assert errors_of(1.0) == set()
    rounding = 0.1 if robot == "fr3" else 1e-3
    assert errors_of(1.0 + rounding) == {VELOCITY_STEP, ACCELERATION_STEP}


@pytest.mark.parametrize("robot", BOTH)
def test_velocity_limit_of_each_joint(robot: FrankaRobot) -> None:
    config = robot_config(robot)
    checked = limits(config)
    for joint, limit in enumerate(config.spec.velocity_limit.tolist()):
        for velocity, expected in ((limit, set()), (limit + 1e-3, {VELOCITY})):
            rates = [0.0] * 7
            rates[joint] = velocity
            motion = JointMotion([0.1, 0.0, 0.1, -1.5, 0.1, 1.8, 0.1], rates, [0.0] * 7)
            assert bits(checked.broken(motion, motion.extrapolated())) == expected


def test_velocity_bound_of_the_fr3_falls_towards_the_end_of_its_range() -> None:
    # Joint 1 at 2.5 rad: 0.4007 rad left, sqrt(2 * 6.0 * 0.4007) - 0.6599 = 1.5329 rad/s.
    config = robot_config("fr3")

    def errors_at(q: float, velocity: float) -> set[ErrorBit]:
        motion = JointMotion([q, *config.start[1:]], [velocity] + [0.0] * 6, [0.0] * 7)
        return bits(limits(config).broken(motion, motion.extrapolated()))

    assert errors_at(2.5, 1.532) == set()
    assert errors_at(2.5, 1.534) == {VELOCITY}
    assert errors_at(2.5, -2.6) == set()
    assert errors_at(-2.5, -1.534) == {VELOCITY}
    # Closer than 0.6599^2 / 12 = 0.0363 rad to the end the bound is zero.
    assert errors_at(2.87, 0.001) == {VELOCITY}
    assert errors_at(2.87, 0.0) == set()


@pytest.mark.parametrize(
    ("robot", "errors", "expected"),
    [
        ("fer", JOINT_GENERATOR_ERRORS, 12),
        ("fer", CARTESIAN_GENERATOR_ERRORS, 27),
        ("fr3", JOINT_GENERATOR_ERRORS, 0),
        ("fr3", CARTESIAN_GENERATOR_ERRORS, 0),
    ],
)
def test_a_position_beyond_the_range(
    robot: FrankaRobot, errors: JointErrors, expected: int
) -> None:
    config = robot_config(robot)
    checked = JointLimits(config.spec, config.protocol, errors)
    inside = JointMotion.at_rest(config.spec.position_high.tolist())
    assert checked.broken(inside, inside.extrapolated()) == 0
    outside = JointMotion.at_rest((config.spec.position_high + 1e-6).tolist())
    assert checked.broken(outside, outside.extrapolated()) == 1 << expected


def test_a_client_that_reads_positions_in_single_precision_is_not_refused() -> None:
    # It adds the same step to the position that it reads: 0.2 rad/s, constant.
    config = robot_config("fr3")
    checked = limits(config)
    motion = JointMotion([2.0] * 7, [0.2] * 7, [0.0] * 7)
    motion = motion._replace(position=[-2.0, 0.5, 2.1, -2.2, 2.0, 3.0, -2.3])
    for _ in range(2000):
        read = np.array(motion.position, np.float32).astype(float)
        after = motion.to_position((read + 0.2e-3).tolist())
        assert checked.broken(motion, after) == 0
        motion = after
        if motion.position[3] > -0.5:
            break
