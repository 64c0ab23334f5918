"""The served simulated arm, and its differences from the arm of training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.support.lift_policy import lift_manifest
from tests.support.skill_aware_policy import skill_aware_manifest

from skill_proto.manifest import PolicyManifest
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.server.backends import check_gripper, mismatches, simulated_arm

MakeManifest = Callable[..., PolicyManifest]


def ranges(mass: tuple[float, float], friction: tuple[float, float]) -> dict[str, object]:
    spans = (("cube_mass", mass, "kg"), ("cube_table_friction", friction, "1"))
    return {name: {"low": span[0], "high": span[1], "unit": unit} for name, span, unit in spans}


def test_episodes_are_drawn_from_the_trained_ranges(
    make_manifest: MakeManifest,
) -> None:
    manifest = make_manifest(trained_on=ranges((3.0, 4.0), (0.05, 0.06)))
    arm = simulated_arm(manifest, servo_rate_hz=200.0, seed=0)
    for _ in range(5):
        arm.reset()
        assert 3.0 <= arm.context["mass"] <= 4.0
        assert 0.05 <= arm.context["friction"] <= 0.06


@pytest.mark.parametrize(("trained", "remarks"), [({}, 0), (ranges((0.0, 1000.0), (0.0, 99.0)), 2)])
def test_without_a_usable_range_the_defaults_are_drawn(
    make_manifest: MakeManifest, trained: dict[str, object], remarks: int
) -> None:
    manifest = make_manifest(trained_on=trained)
    arm = simulated_arm(manifest, servo_rate_hz=200.0, seed=0)
    assert 0.4 <= arm.context["mass"] <= 1.6
    assert 0.2 <= arm.context["friction"] <= 0.8
    found = mismatches(manifest, arm, None, None)
    assert len(found) == remarks
    assert all("its default range is used" in remark for remark in found)


def test_a_policy_of_the_skill_aware_benchmark_starts_high_with_a_remark(
    make_manifest: MakeManifest,
) -> None:
    manifest = skill_aware_manifest()
    arm = simulated_arm(manifest, servo_rate_hz=1000.0, seed=0)
    assert arm.servo_period_s == 0.001
    low = simulated_arm(make_manifest(), servo_rate_hz=200.0, seed=0)
    # A high start bends the elbow (joint 4) less than a low one.
    assert np.abs(arm.read().joint_position - low.read().joint_position).max() > 0.1
    (remark,) = mismatches(manifest, arm, None, None)
    assert "skill-aware benchmark" in remark


def test_differences_from_training_are_listed(make_manifest: MakeManifest) -> None:
    arm, manifest = MujocoArm(), make_manifest()
    assert mismatches(manifest, arm, None, None) == []
    assert mismatches(manifest, arm, 0.4, 0.8) == []
    assert mismatches(manifest, arm, 10.0, 0.1) == [
        "--mass 10 kg is outside the 0.4 to 1.6 kg of training",
        "--friction 0.1 is outside the 0.2 to 0.8 of training",
    ]
    soft = manifest.plant.model_dump() | {"joint_stiffness": [300.0] * 7}
    (remark,) = mismatches(make_manifest(plant=soft), arm, None, None)
    assert remark == (
        "trained with joint stiffness 300/300/300/300/300/300/300 N m/rad, this arm has "
        "600/600/600/600/250/150/50"
    )


def test_the_served_arm_and_its_rate_are_compared_with_training(
    make_manifest: MakeManifest,
) -> None:
    manifest = make_manifest()
    fast = simulated_arm(manifest, servo_rate_hz=1000.0, seed=0)
    (remark,) = mismatches(manifest, fast, None, None)
    assert "a physics step of 5 ms, this arm gets a set-point every 1 ms" in remark
    other = make_manifest(plant=manifest.plant.model_dump() | {"robot": "ur5e"})
    assert mismatches(other, MujocoArm(), None, None) == [
        "trained on the robot 'ur5e', this arm is 'panda'"
    ]


def test_the_gripper_is_open_only_for_a_policy_that_drives_it(make_manifest: MakeManifest) -> None:
    lifting = simulated_arm(lift_manifest(), servo_rate_hz=200.0, seed=0)
    widths: list[float] = []
    for _ in range(8):
        lifting.reset()
        widths.append(lifting.read().gripper_width)
    assert 0.0 < min(widths) < 0.03 < 0.05 < max(widths) < 0.08
    assert mismatches(lift_manifest(), lifting, None, None) == []
    assert simulated_arm(make_manifest(), servo_rate_hz=200.0, seed=0).read().gripper_width == 0.0


class RealArm(MujocoArm):
    is_simulated = False


def test_a_real_gripper_is_named_with_its_thresholds() -> None:
    remarks = mismatches(lift_manifest(), RealArm(), None, None, speed=0.5)
    assert "it grasps below 40 % of the opening, opens above 60 %" in remarks[0]


def test_a_robot_without_a_gripper_refuses_policies_that_drive_one(
    make_manifest: MakeManifest,
) -> None:
    check_gripper(make_manifest(), has_gripper=False)
    for manifest in (lift_manifest(), skill_aware_manifest()):
        check_gripper(manifest, has_gripper=True)
        with pytest.raises(UnsupportedPolicyError, match=r"the robot has none \(--no-gripper\)"):
            check_gripper(manifest, has_gripper=False)
