"""Frames and masses beyond the flange, with numbers computed by hand."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from skill_robots.control_box.config import robot_config
from skill_robots.control_box.physics.frames import (
    hand_mass_properties,
    is_transform,
    nominal_end_effector,
)
from skill_robots.control_box.physics.scene import box_model
from skill_robots.franka.model import FrankaRobot, franka_spec

HALF = np.sqrt(0.5)


def test_mass_of_the_panda_hand() -> None:
    hand = hand_mass_properties(box_model(robot_config("fer")))
    # Hand 0.73 kg at (-0.01, 0, 0.03) and two fingers of 0.015 kg at (0, 0, 0.0584), in the hand.
    x, z = -0.0073 / 0.76, (0.73 * 0.03 + 0.03 * 0.0584) / 0.76
    assert hand.mass == pytest.approx(0.76)
    # The hand is turned by -45 degrees: its x axis is (1, -1, 0) / sqrt 2 in F.
    assert hand.centre == pytest.approx([HALF * x, -HALF * x, z])
    # Steiner's theorem about the common centre.
    hand_x, hand_z, finger_z = -0.01 - x, 0.03 - z, 0.0584 - z
    xx = 0.001 + 0.73 * hand_z**2 + 2 * 2.375e-6 + 0.03 * finger_z**2
    yy = 0.0025 + 0.73 * (hand_x**2 + hand_z**2) + 2 * 2.375e-6 + 0.03 * (x**2 + finger_z**2)
    zz = 0.0017 + 0.73 * hand_x**2 + 2 * 7.5e-7 + 0.03 * x**2
    xz = -0.73 * hand_x * hand_z - 0.03 * -x * finger_z
    in_hand = np.array([[xx, 0, xz], [0, yy, 0], [xz, 0, zz]])
    turn = np.array([[HALF, HALF, 0], [-HALF, HALF, 0], [0, 0, 1]])
    assert hand.inertia == pytest.approx(turn @ in_hand @ turn.T, abs=1e-9)


@pytest.mark.parametrize("robot", ["fer", "fr3"])
def test_a_client_with_these_masses_has_the_model_of_the_plant(robot: FrankaRobot) -> None:
    # An arm without hand, and one body with the numbers that the state reports.
    plant = box_model(robot_config(robot, scene="none"))
    hand = hand_mass_properties(plant)
    spec = franka_spec(robot)
    for part in (*spec.actuators, *spec.equalities, *spec.tendons):
        spec.delete(part)
    spec.delete(spec.body("panda_hand"))
    flange = spec.body("panda_link7").add_body(name="ee", pos=[0.0, 0.0, 0.107])
    flange.mass, flange.ipos = hand.mass, hand.centre
    i = hand.inertia
    flange.fullinertia = [i[0, 0], i[1, 1], i[2, 2], i[0, 1], i[0, 2], i[1, 2]]
    flange.explicitinertial = True
    client = spec.compile()
    plant.dof_armature[:7] = client.dof_armature[:] = 0.0
    mine, theirs = mujoco.MjData(plant), mujoco.MjData(client)
    rng = np.random.default_rng(0)
    full, mass = np.zeros((plant.nv, plant.nv)), np.zeros((7, 7))
    for _ in range(50):
        mine.qpos[:7] = theirs.qpos[:] = rng.uniform(client.jnt_range[:, 0], client.jnt_range[:, 1])
        mine.qvel[:7] = theirs.qvel[:] = rng.uniform(-2.0, 2.0, 7)
        mujoco.mj_forward(plant, mine)
        mujoco.mj_forward(client, theirs)
        mujoco.mj_fullM(plant, mine, full)
        mujoco.mj_fullM(client, theirs, mass)
        assert full[:7, :7] == pytest.approx(mass, abs=1e-9)
        assert mine.qfrc_bias[:7] == pytest.approx(theirs.qfrc_bias, abs=1e-9)


def test_transforms() -> None:
    frame = nominal_end_effector()
    assert is_transform(frame.T.ravel().tolist())
    assert is_transform(np.eye(4).ravel().tolist())
    for wrong in (
        2.0 * np.eye(4),
        np.diag([1.0, 1.0, -1.0, 1.0]),  # a reflection
        frame + 1e-4,
        np.zeros((4, 4)),
        frame,  # rows and columns exchanged: the translation is in the last row
    ):
        assert not is_transform(wrong.ravel().tolist())
