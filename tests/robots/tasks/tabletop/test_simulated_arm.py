"""The simulated arms as ``Arm`` and ``Scene``; test_arm.py has the laws of MuJoCo's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from skill_robots.arm import Arm, ArmError, JointTarget, Scene, SimulationDivergedError
from skill_robots.objects import CUBE
from skill_robots.tasks.tabletop.simulated_arm import BulletArm, MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig

pytest.importorskip("panda_gym", reason="panda-gym (extra `bullet`) has no wheel for this Python")

import pybullet


@pytest.fixture
def bullet() -> Iterator[BulletArm]:
    arm = BulletArm(seed=4)
    yield arm
    arm.close()


def stay(arm: Arm) -> JointTarget:
    rest = np.zeros(7)
    return JointTarget(position=arm.read().joint_position, velocity=rest, acceleration=rest)


def test_it_is_a_lockstep_arm_and_a_scene(bullet: BulletArm) -> None:
    arm: Arm = bullet
    scene: Scene = bullet
    assert (arm.is_simulated, arm.lockstep) == (True, True)
    before = arm.read().time_s
    assert arm.read().time_s == before
    arm.command(stay(arm))
    assert arm.read().time_s == pytest.approx(before + 0.005)
    scene.set_context(mass=0.7)
    scene.reset(seed=3)
    assert scene.context["mass"] == pytest.approx(0.7)


def test_it_starts_as_the_arm_of_training_does(bullet: BulletArm) -> None:
    trained = MujocoArm(seed=4)
    for _ in range(3):
        one, other = trained.read(), bullet.read()
        np.testing.assert_allclose(other.joint_position, one.joint_position, atol=1e-12)
        pose, twin = one.objects[CUBE], other.objects[CUBE]
        np.testing.assert_allclose(twin.position, pose.position, atol=1e-9)
        assert bullet.context == trained.context
        trained.reset()
        bullet.reset()


def test_the_servo_period_is_the_config_s() -> None:
    arm = BulletArm(TabletopConfig(physics_step_s=0.001))
    assert arm.servo_period_s == 0.001
    before = arm.read().time_s
    arm.command(stay(arm))
    assert arm.read().time_s == pytest.approx(before + 0.001)
    arm.close()


def test_a_set_point_that_is_not_finite_is_refused(bullet: BulletArm) -> None:
    rest = np.zeros(7)
    bad = JointTarget(position=np.full(7, np.nan), velocity=rest, acceleration=rest)
    with pytest.raises(ArmError, match="not finite"):
        bullet.command(bad)


def test_an_unstable_simulation_is_an_error_until_the_scene_is_reset(bullet: BulletArm) -> None:
    """A joint is faster than any torque could make it."""
    scene = bullet._table.physics._scenes[0]  # type: ignore[attr-defined]  nothing else diverges
    pybullet.resetJointState(scene._arm, 0, 0.0, 99.0, physicsClientId=scene._client)
    with pytest.raises(SimulationDivergedError, match="reset the scene"):
        bullet.command(stay(bullet))
    with pytest.raises(SimulationDivergedError):
        bullet.read()
    bullet.reset()
    assert np.abs(bullet.read().joint_velocity).max() == 0.0
