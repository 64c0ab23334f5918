"""The robot's own stop: its set-points keep the limits that it judges clients by."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.control_box.config import robot_config
from skill_robots.control_box.generators.braking import Braking
from skill_robots.control_box.generators.joint_limits import JOINT_GENERATOR_ERRORS, JointLimits
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.franka.model import FrankaRobot


@pytest.mark.parametrize("robot", ["fer", "fr3"])
def test_a_stop_keeps_the_limits(robot: FrankaRobot) -> None:
    config = robot_config(robot)
    limits = JointLimits(config.spec, config.protocol, JOINT_GENERATOR_ERRORS)
    braking = Braking(config.spec)
    rng = np.random.default_rng(2)
    middle = (config.spec.position_low + config.spec.position_high) / 2.0
    for _ in range(20):
        velocity = rng.uniform(-0.4, 0.4, 7)
        acceleration = rng.uniform(-1.0, 1.0, 7) * config.spec.acceleration_limit
        motion = JointMotion(middle.tolist(), velocity.tolist(), acceleration.tolist())
        braking.begin(motion)
        for _ in range(400):
            after = braking.step()
            assert limits.broken(motion, after) == 0
            rates = (np.array(after.position) - motion.position) / 1e-3
            assert rates == pytest.approx(after.velocity, abs=1e-9)
            motion = after
        assert motion.is_at_rest


def test_a_stop_from_rest_stays() -> None:
    config = robot_config("fer")
    braking = Braking(config.spec)
    braking.begin(JointMotion.at_rest(config.start))
    assert braking.step() == JointMotion.at_rest(config.start)
    with pytest.raises(RuntimeError, match="no stop was begun"):
        Braking(config.spec).step()
