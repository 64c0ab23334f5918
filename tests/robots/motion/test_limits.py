"""The bounds that replace measurements in the governor, against measurements."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.franka.kinematics import FrankaKinematics
from skill_robots.franka.specs import PANDA
from skill_robots.motion.braking import BrakingPlanner
from skill_robots.motion.limits import Motion, MotionLimits, Surroundings, VerifiedStop
from skill_robots.motion.margins import WITHIN_LIMITS

EVERYWHERE = Surroundings(low=(-9.0, -9.0, -9.0), high=(9.0, 9.0, 9.0))


def configurations(n: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return rng.uniform(PANDA.position_low, PANDA.position_high, (n, 7))


def test_reach_bounds_the_distance_from_every_axis() -> None:
    joints = configurations(5000)
    frames = FrankaKinematics().joint_frames(joints)
    end = PANDA.kinematics.forward(joints).position
    arm = end[:, None] - frames.position
    axis = frames.rotation[..., 2]
    farthest = np.linalg.norm(np.cross(axis, arm), axis=2).max(axis=0)
    assert (farthest <= PANDA.end_effector_reach + 1e-9).all()
    assert (farthest > 0.8 * PANDA.end_effector_reach - 1e-9).all()  # and not far too long
    assert (PANDA.end_effector_reach < PANDA.reach).all()


@pytest.mark.parametrize("period_s", [0.001, 0.005])
def test_the_slack_of_a_near_trajectory_is_available(period_s: float) -> None:
    """Measures, at every servo period, the trajectories that the governor does not measure."""
    limits = MotionLimits(PANDA, EVERYWHERE, period_s)
    planner = BrakingPlanner(PANDA.acceleration_limit, PANDA.jerk_limit, period_s)
    rng = np.random.default_rng(5)
    unmeasured = 0
    for _ in range(20):
        start = PANDA.neutral + rng.uniform(-0.1, 0.1, 7)
        velocity, acceleration = rng.uniform(-0.3, 0.3, 7), rng.uniform(-5.0, 5.0, 7)
        motion = Motion(start, velocity, acceleration)
        known: VerifiedStop | None = None
        for _ in range(4):
            trajectory = planner.plan(*motion)
            found = limits.verify_stop(trajectory, motion.position, WITHIN_LIMITS, known)
            if not isinstance(found, VerifiedStop):
                break
            if found.margins is None:
                unmeasured += 1
                left = min(min(limits.margins(position)) for position in trajectory.position)
                assert left >= found.slack
            known = found
            velocity = motion.velocity + acceleration * period_s
            motion = Motion(motion.position + velocity * period_s, velocity, acceleration)
    assert unmeasured > 20


def test_a_trajectory_that_is_not_near_is_measured() -> None:
    limits = MotionLimits(PANDA, EVERYWHERE, 0.005)
    planner = BrakingPlanner(PANDA.acceleration_limit, PANDA.jerk_limit, 0.005)
    rest = np.zeros(7)
    here = planner.plan(PANDA.neutral, rest, rest)
    known = limits.verify_stop(here, PANDA.neutral, WITHIN_LIMITS)
    assert isinstance(known, VerifiedStop)
    assert known.margins is not None
    turned = PANDA.neutral + np.array([0.5, 0, 0, 0, 0, 0, 0])
    found = limits.verify_stop(planner.plan(turned, rest, rest), turned, WITHIN_LIMITS, known)
    assert isinstance(found, VerifiedStop)
    assert found.margins is not None
