"""The bounds by which the governor saves itself measuring, against what they bound."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.franka import kinematics
from skill_robots.franka.specs import PANDA
from skill_robots.motion.braking import BrakingPlanner
from skill_robots.motion.limits import (
    END_EFFECTOR_REACH_M,
    REACH_M,
    UNRESTRICTED,
    Motion,
    MotionLimits,
    Surroundings,
    VerifiedStop,
)

EVERYWHERE = Surroundings(low=(-9.0, -9.0, -9.0), high=(9.0, 9.0, 9.0))


def configurations(n: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return rng.uniform(PANDA.position_low, PANDA.position_high, (n, 7))


def test_no_reach_is_too_short() -> None:
    joints = configurations(5000)
    frames = kinematics.joint_frames(joints)
    end = kinematics.forward(joints).position
    arm = end[:, None] - frames.position
    axis = frames.rotation[..., 2]
    farthest = np.linalg.norm(np.cross(axis, arm), axis=2).max(axis=0)
    assert (farthest <= np.array(END_EFFECTOR_REACH_M) + 1e-9).all()
    assert (farthest > 0.8 * np.array(END_EFFECTOR_REACH_M) - 1e-9).all()  # nor much too long
    assert (np.array(END_EFFECTOR_REACH_M) < np.array(REACH_M)).all()


@pytest.mark.parametrize("period_s", [0.001, 0.005])
def test_what_a_near_way_spares_is_there(period_s: float) -> None:
    """On ways that were not measured, measured here at every servo period."""
    limits = MotionLimits(PANDA, EVERYWHERE, period_s)
    planner = BrakingPlanner(PANDA.acceleration_limit, PANDA.jerk_limit, period_s)
    rng = np.random.default_rng(5)
    unmeasured = 0
    for _ in range(20):
        start = kinematics.NEUTRAL + rng.uniform(-0.1, 0.1, 7)
        velocity, push = rng.uniform(-0.3, 0.3, 7), rng.uniform(-5.0, 5.0, 7)
        motion = Motion(start, velocity, push)
        known: VerifiedStop | None = None
        for _ in range(4):
            way = planner.plan(*motion)
            found = limits.verify_stop(way, motion.position, UNRESTRICTED, known)
            if not isinstance(found, VerifiedStop):
                break
            if found.room is None:
                unmeasured += 1
                left = min(min(limits.room(position)) for position in way.position)
                assert left >= found.spare
            known = found
            velocity = motion.velocity + push * period_s
            motion = Motion(motion.position + velocity * period_s, velocity, push)
    assert unmeasured > 20


def test_a_way_that_is_not_near_is_measured() -> None:
    limits = MotionLimits(PANDA, EVERYWHERE, 0.005)
    planner = BrakingPlanner(PANDA.acceleration_limit, PANDA.jerk_limit, 0.005)
    rest = np.zeros(7)
    here = planner.plan(kinematics.NEUTRAL, rest, rest)
    known = limits.verify_stop(here, kinematics.NEUTRAL, UNRESTRICTED)
    assert isinstance(known, VerifiedStop)
    assert known.room is not None
    turned = kinematics.NEUTRAL + np.array([0.5, 0, 0, 0, 0, 0, 0])
    found = limits.verify_stop(planner.plan(turned, rest, rest), turned, UNRESTRICTED, known)
    assert isinstance(found, VerifiedStop)
    assert found.room is not None
