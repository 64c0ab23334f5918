"""The URDF that version 10 sends: MuJoCo compiles it to the same arm."""

from __future__ import annotations

from xml.etree import ElementTree

import mujoco
import numpy as np
import pytest

from skill_robots.arm import ArmSpec
from skill_robots.control_box.model.chain import arm_chain
from skill_robots.control_box.model.urdf import robot_urdf
from skill_robots.franka.model import FrankaRobot, franka_spec
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.franka.urdf_limits import limits_from_urdf

ROBOTS: list[tuple[FrankaRobot, ArmSpec]] = [("fer", PANDA), ("fr3", FR3)]


@pytest.mark.parametrize(("robot", "spec"), ROBOTS)
def test_names_are_those_that_libfranka_looks_for(robot: FrankaRobot, spec: ArmSpec) -> None:
    root = ElementTree.fromstring(robot_urdf(arm_chain(franka_spec(robot).compile()), spec))
    assert root.get("name") == spec.name
    assert [link.get("name") for link in root.iter("link")] == [f"link{i}" for i in range(9)]
    joints = {joint.get("name"): joint for joint in root.iter("joint")}
    assert list(joints) == [f"joint{i}" for i in range(1, 9)]
    assert joints["joint8"].get("type") == "fixed"


@pytest.mark.parametrize(("robot", "spec"), ROBOTS)
def test_mujoco_reads_the_same_arm(robot: FrankaRobot, spec: ArmSpec) -> None:
    """Poses, masses and gravity torques of the URDF are those of the model it was made from."""
    source = franka_spec(robot).compile()
    text = robot_urdf(arm_chain(source), spec)
    # MuJoCo knows URDF. fusestatic would drop link0's mass; the arm's base cannot move.
    copy = mujoco.MjModel.from_xml_string(text)
    for body in ("panda_hand", "panda_leftfinger", "panda_rightfinger"):
        source.body_mass[source.body(body).id] = 0.0
        source.body_inertia[source.body(body).id] = 0.0
    first, second = mujoco.MjData(source), mujoco.MjData(copy)
    rng = np.random.default_rng(3)
    for _ in range(20):
        q = rng.uniform(spec.position_low, spec.position_high)
        first.qpos[:7], second.qpos[:7] = q, q
        first.qvel[:7] = second.qvel[:7] = rng.uniform(-2.0, 2.0, 7)
        mujoco.mj_forward(source, first)
        mujoco.mj_forward(copy, second)
        np.testing.assert_allclose(
            second.body("link7").xpos, first.body("panda_link7").xpos, atol=1e-12
        )
        np.testing.assert_allclose(second.qfrc_bias[:7], first.qfrc_bias[:7], rtol=1e-9, atol=1e-9)


def test_limits_are_those_of_the_fr3() -> None:
    text = robot_urdf(arm_chain(franka_spec("fr3").compile()), FR3)
    limits = limits_from_urdf(text)
    np.testing.assert_array_equal(limits.position_low, FR3.position_low)
    np.testing.assert_array_equal(limits.position_high, FR3.position_high)
    np.testing.assert_array_equal(limits.velocity_limit, FR3.velocity_limit)
    near_end, expected = limits.position_based_velocity_limit, FR3.position_based_velocity_limit
    assert near_end is not None
    assert expected is not None
    np.testing.assert_array_equal(near_end.offset, expected.offset)
    np.testing.assert_array_equal(near_end.deceleration, expected.deceleration)


def test_the_panda_has_no_position_based_velocity_limits() -> None:
    text = robot_urdf(arm_chain(franka_spec("fer").compile()), PANDA)
    assert "position_based_velocity_limits" not in text
