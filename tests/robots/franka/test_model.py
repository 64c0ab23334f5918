"""The MJCF, value by value against the published tables written out here."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from skill_robots.franka.model import panda_spec
from skill_robots.franka.specs import PANDA

# Gaz et al., RA-L 2019, as collected in frankaemika/franka_ros,
# franka_description/robots/common/inertial.yaml:
# body: mass, centre of mass, (Ixx, Iyy, Izz, Ixy, Ixz, Iyz).
INERTIALS = {
    "panda_link0": (
        0.629769,
        (-0.041018, -0.00014, 0.049974),
        (0.00315, 0.00388, 0.004285, 8.2904e-7, 0.00015, 8.2299e-6),
    ),
    "panda_link1": (
        4.970684,
        (0.003875, 0.002081, -0.04762),
        (0.70337, 0.70661, 0.009117, -0.000139, 0.006772, 0.019169),
    ),
    "panda_link2": (
        0.646926,
        (-0.003141, -0.02872, 0.003495),
        (0.007962, 0.02811, 0.025995, -0.003925, 0.010254, 0.000704),
    ),
    "panda_link3": (
        3.228604,
        (0.027518, 0.039252, -0.066502),
        (0.037242, 0.036155, 0.01083, -0.004761, -0.011396, -0.012805),
    ),
    "panda_link4": (
        3.587895,
        (-0.05317, 0.104419, 0.027454),
        (0.025853, 0.019552, 0.028323, 0.007796, -0.001332, 0.008641),
    ),
    "panda_link5": (
        1.225946,
        (-0.011953, 0.041065, -0.038437),
        (0.035549, 0.029474, 0.008627, -0.002117, -0.004037, 0.000229),
    ),
    "panda_link6": (
        1.666555,
        (0.060149, -0.014117, -0.010517),
        (0.001964, 0.004354, 0.005433, 0.000109, -0.001158, 0.000341),
    ),
    "panda_link7": (
        0.735522,
        (0.010517, -0.004252, 0.061597),
        (0.012516, 0.010027, 0.004815, -0.000428, -0.001196, -0.000741),
    ),
    "panda_hand": (0.73, (-0.01, 0.0, 0.03), (0.001, 0.0025, 0.0017, 0.0, 0.0, 0.0)),
    "panda_leftfinger": (0.015, (0.0, 0.0, 0.0), (2.375e-6, 2.375e-6, 7.5e-7, 0.0, 0.0, 0.0)),
    "panda_rightfinger": (0.015, (0.0, 0.0, 0.0), (2.375e-6, 2.375e-6, 7.5e-7, 0.0, 0.0, 0.0)),
}


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return panda_spec().compile()


@pytest.mark.parametrize("name", list(INERTIALS))
def test_inertial_is_the_identified_one(model: mujoco.MjModel, name: str) -> None:
    mass, centre, (xx, yy, zz, xy, xz, yz) = INERTIALS[name]
    body = model.body(name)
    assert body.mass[0] == pytest.approx(mass, rel=1e-12)
    assert body.ipos == pytest.approx(centre, abs=1e-12)
    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, body.iquat)
    axes = rotation.reshape(3, 3)
    tensor = axes @ np.diag(body.inertia) @ axes.T
    published = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    assert tensor == pytest.approx(published, abs=1e-8, rel=1e-6)


def test_only_the_published_bodies_have_mass(model: mujoco.MjModel) -> None:
    bodies = {model.body(i).name for i in range(1, model.nbody)}
    assert bodies == set(INERTIALS)


def test_model_has_the_limits_of_the_spec(model: mujoco.MjModel) -> None:
    for i, name in enumerate(PANDA.joint_names):
        joint, actuator = model.joint(name), model.actuator(f"joint{i + 1}")
        assert joint.range.tolist() == [PANDA.position_low[i], PANDA.position_high[i]]
        torque = PANDA.torque_limit[i]
        assert actuator.forcerange.tolist() == [-torque, torque]
        assert actuator.gainprm[0] == PANDA.stiffness[i]
        assert actuator.biasprm[1] == -PANDA.stiffness[i]
        assert actuator.biasprm[2] == pytest.approx(-PANDA.damping[i], rel=1e-12)
        assert not actuator.ctrllimited


def test_fed_forward_velocity_makes_joint_impedance(model: mujoco.MjModel) -> None:
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    q, v = PANDA.neutral, rng.normal(0, 0.1, 7)
    q_set, v_set = q + rng.normal(0, 0.01, 7), rng.normal(0, 0.1, 7)
    data.qpos[:7], data.qvel[:7] = q, v
    data.ctrl[:7] = q_set + PANDA.damping / PANDA.stiffness * v_set
    mujoco.mj_forward(model, data)
    expected = PANDA.stiffness * (q_set - q) + PANDA.damping * (v_set - v)
    assert data.actuator_force[:7] == pytest.approx(expected)


def test_arm_floats_without_a_load(model: mujoco.MjModel) -> None:
    data = mujoco.MjData(model)
    data.qpos[:7] = data.ctrl[:7] = PANDA.neutral
    for _ in range(500):
        mujoco.mj_step(model, data)
    assert data.qpos[:7] == pytest.approx(PANDA.neutral, abs=1e-6)


def test_the_gripper_opens_to_its_width_with_both_fingers(model: mujoco.MjModel) -> None:
    data = mujoco.MjData(model)
    data.qpos[:7] = data.ctrl[:7] = PANDA.neutral
    data.ctrl[model.actuator("hand").id] = PANDA.gripper_width_max / 2
    for _ in range(500):
        mujoco.mj_step(model, data)
    left, right = data.body("panda_leftfinger").xpos, data.body("panda_rightfinger").xpos
    assert np.linalg.norm(left - right) == pytest.approx(PANDA.gripper_width_max, abs=1e-4)
    # If the gripper points down, its y axis points along -y of the base.
    assert left[1] < right[1]


def test_fingertips_end_at_the_real_length(model: mujoco.MjModel) -> None:
    for name in ("left_finger", "right_finger"):
        geom = model.geom(name)
        assert 0.0584 + geom.pos[2] + geom.size[2] == pytest.approx(0.1122)


def test_no_geom_collides_unless_a_scene_pairs_it(model: mujoco.MjModel) -> None:
    assert not model.geom_contype.any()
    assert not model.geom_conaffinity.any()
    names = {model.geom(i).name for i in range(model.ngeom)}
    assert {"palm", "left_finger", "right_finger"} <= names
