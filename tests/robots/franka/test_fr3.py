"""The FR3's model against a URDF of the published tables, which MuJoCo reads on its own."""

from __future__ import annotations

import hashlib
import re
from importlib import resources

import mujoco
import numpy as np
import pytest
from tests.support import published_fr3

from skill_proto.arrays import Array
from skill_robots.franka.kinematics import END_EFFECTOR_IN_HAND
from skill_robots.franka.model import franka_spec, panda_spec
from skill_robots.franka.specs import FR3, PANDA

PANDA_XML_SHA256 = "74db45eb4076f05a2201f8b61a54d0b3468cd3c9d216472f8903cfe313f9bf66"
"""Of panda.xml without comments and spaces: every pushing model is trained on it."""

ROUNDING = 1e-9


def model_of_urdf() -> mujoco.MjModel:
    spec = mujoco.MjSpec.from_string(published_fr3.urdf())
    spec.compiler.fusestatic = False
    spec.compiler.discardvisual = False
    return spec.compile()


@pytest.fixture(scope="module")
def configurations() -> Array:
    rng = np.random.default_rng(3)
    return rng.uniform(FR3.position_low, FR3.position_high, (200, 7))


@pytest.fixture(scope="module")
def published() -> mujoco.MjModel:
    return model_of_urdf()


@pytest.fixture(scope="module")
def ours() -> mujoco.MjModel:
    spec = franka_spec("fr3")
    for body in spec.bodies:
        body.gravcomp = 0.0
    for joint in spec.joints:
        joint.armature = 0.0
        joint.damping = np.zeros((3, 1))
    spec.equality("finger_gear").active = False
    return spec.compile()


def compiled(spec: mujoco.MjSpec) -> bytes:
    model = spec.compile()
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return buffer.tobytes()


def test_the_panda_of_training_is_unchanged() -> None:
    text = resources.files("skill_robots.franka").joinpath("panda.xml").read_text(encoding="utf-8")
    bare = re.sub(r"\s+|<!--.*?-->", "", text, flags=re.DOTALL)
    assert hashlib.sha256(bare.encode()).hexdigest() == PANDA_XML_SHA256
    from_the_file = compiled(mujoco.MjSpec.from_string(text))
    assert compiled(panda_spec()) == from_the_file
    assert compiled(franka_spec("fer")) == from_the_file


def test_a_model_of_the_fr3_leaves_the_panda_unchanged() -> None:
    before = compiled(panda_spec())
    assert compiled(franka_spec("fr3")) != before
    assert compiled(panda_spec()) == before


def test_both_arms_have_the_same_names() -> None:
    fer, fr3 = panda_spec(), franka_spec("fr3")
    for parts in ("bodies", "joints", "actuators", "sites", "equalities", "tendons"):
        names = [[part.name for part in getattr(spec, parts)] for spec in (fer, fr3)]
        assert names[0] == names[1]
    hands = [[geom.name for geom in spec.body("panda_hand").geoms] for spec in (fer, fr3)]
    assert hands[0] == hands[1]


def test_ranges_are_those_of_the_spec(ours: mujoco.MjModel) -> None:
    for i, name in enumerate(PANDA.joint_names):
        assert ours.joint(name).range.tolist() == [FR3.position_low[i], FR3.position_high[i]]


def test_kinematics_of_the_fr3_are_those_of_its_urdf(
    configurations: Array, published: mujoco.MjModel
) -> None:
    data = mujoco.MjData(published)
    pose, jacobian = FR3.kinematics.forward_with_jacobian(configurations)
    hand = published.body("fr3_hand").id
    linear, angular = np.zeros((2, 3, published.nv))
    for i, joints in enumerate(configurations):
        data.qpos[:7] = joints
        mujoco.mj_kinematics(published, data)
        mujoco.mj_comPos(published, data)
        rotation = data.xmat[hand].reshape(3, 3)
        tip = data.xpos[hand] + END_EFFECTOR_IN_HAND * rotation[:, 2]
        mujoco.mj_jac(published, data, linear, angular, tip, hand)
        np.testing.assert_allclose(pose.position[i], tip, atol=ROUNDING)
        np.testing.assert_allclose(pose.rotation[i], rotation, atol=ROUNDING)
        np.testing.assert_allclose(jacobian[i, :3], linear[:, :7], atol=ROUNDING)
        np.testing.assert_allclose(jacobian[i, 3:], angular[:, :7], atol=ROUNDING)


def test_dynamics_of_the_fr3_are_those_of_its_urdf(
    configurations: Array, published: mujoco.MjModel, ours: mujoco.MjModel
) -> None:
    rates = np.random.default_rng(4).uniform(-1, 1, configurations.shape) * FR3.velocity_limit
    for joints, rate in zip(configurations, rates, strict=True):
        expected = dynamics(published, joints, rate)
        for found, wanted in zip(dynamics(ours, joints, rate), expected, strict=True):
            np.testing.assert_allclose(found, wanted, atol=ROUNDING)


def dynamics(model: mujoco.MjModel, joints: Array, rates: Array) -> tuple[Array, Array, Array]:
    """Mass matrix, Coriolis torques, and torques of gravity, of the seven joints."""
    data = mujoco.MjData(model)
    data.qpos[:7] = joints
    mujoco.mj_forward(model, data)
    mass = np.empty((model.nv, model.nv))
    mujoco.mj_fullM(model, data, mass)
    gravity = data.qfrc_bias[:7].copy()
    data.qvel[:7] = rates
    mujoco.mj_forward(model, data)
    return mass[:7, :7], data.qfrc_bias[:7] - gravity, gravity


def test_the_fr3_is_not_the_panda(configurations: Array, ours: mujoco.MjModel) -> None:
    """Its own inertias: mass matrices differ by far more than rounding."""
    spec = panda_spec()
    for joint in spec.joints:
        joint.armature = 0.0
    panda = spec.compile()
    apart = [
        np.abs(dynamics(ours, q, np.zeros(7))[0] - dynamics(panda, q, np.zeros(7))[0]).max()
        for q in configurations
    ]
    assert 0.05 < max(apart) < 0.3
