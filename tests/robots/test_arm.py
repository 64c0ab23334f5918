"""The interface of an arm: the public names, the two specs, and the simulated arm as an Arm."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import skill_robots
from skill_robots.arm import (
    Arm,
    ArmCommunicationError,
    ArmContactError,
    ArmError,
    ArmSpec,
    JointTarget,
    ObjectUnseenError,
    Scene,
    SimulationDivergedError,
)
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm

both_arms = pytest.mark.parametrize("spec", [PANDA, FR3], ids=lambda spec: spec.name)


def test_public_names_are_sorted_and_importable() -> None:
    assert skill_robots.__all__ == sorted(skill_robots.__all__)
    for name in skill_robots.__all__:
        assert getattr(skill_robots, name) is not None


def test_importing_the_interface_does_not_import_mujoco() -> None:
    code = "import sys, skill_robots; sys.exit('mujoco' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_each_error_states_its_fault_class() -> None:
    kinds = {
        ArmError: "arm",
        SimulationDivergedError: "arm",
        ArmCommunicationError: "communication",
        ArmContactError: "contact",
        ObjectUnseenError: "tracker",
    }
    for error, kind in kinds.items():
        assert issubclass(error, ArmError)
        assert error("reason").kind == kind


@both_arms
def test_a_spec_has_one_entry_per_joint(spec: ArmSpec) -> None:
    for vector in (
        spec.position_low,
        spec.position_high,
        spec.velocity_limit,
        spec.acceleration_limit,
        spec.jerk_limit,
        spec.torque_limit,
        spec.stiffness,
        spec.damping,
        spec.neutral,
        spec.reach,
        spec.end_effector_reach,
    ):
        assert vector.shape == (spec.dof,)
        assert not vector.flags.writeable
    assert (spec.position_low < spec.neutral).all()
    assert (spec.neutral < spec.position_high).all()


@both_arms
def test_kinematics_and_collision_model_agree_on_the_end_effector(spec: ArmSpec) -> None:
    model, rng = spec.collision_model(), np.random.default_rng(0)
    for joints in rng.uniform(spec.position_low, spec.position_high, (20, spec.dof)):
        point = spec.kinematics.forward_point(joints.tolist())
        np.testing.assert_allclose(model.measure(joints).end_effector, point, atol=1e-9)
        pose, jacobian = spec.kinematics.forward_with_jacobian(joints[None])
        np.testing.assert_allclose(pose.position[0], point, atol=1e-9)
        assert jacobian.shape == (1, 6, spec.dof)


def test_every_collision_model_is_an_own_instance() -> None:
    assert PANDA.collision_model() is not PANDA.collision_model()


def target_of(arm: Arm) -> JointTarget:
    rest = np.zeros(arm.spec.dof)
    return JointTarget(position=arm.read().joint_position, velocity=rest, acceleration=rest)


def test_the_simulated_arm_is_a_lockstep_arm_and_a_scene() -> None:
    simulated = MujocoArm()
    arm: Arm = simulated
    scene: Scene = simulated
    assert arm.is_simulated
    assert arm.lockstep
    before = arm.read().time_s
    assert arm.read().time_s == before
    arm.command(target_of(arm))
    assert arm.read().time_s == pytest.approx(before + arm.servo_period_s)
    scene.set_context(mass=0.7)
    scene.reset(seed=3)
    assert scene.context["mass"] == pytest.approx(0.7)


def test_recovery_without_a_fault_has_no_effect() -> None:
    arm = MujocoArm(seed=1)
    arm.command(target_of(arm))
    before = arm.read()
    arm.recover()
    after = arm.read()
    assert after.time_s == before.time_s
    np.testing.assert_array_equal(after.joint_position, before.joint_position)
    arm.command(target_of(arm))


def test_a_set_point_that_is_not_finite_is_refused() -> None:
    arm = MujocoArm()
    bad = np.full(7, np.nan)
    rest = np.zeros(7)
    with pytest.raises(ArmError, match="not finite"):
        arm.command(JointTarget(position=bad, velocity=rest, acceleration=rest))
