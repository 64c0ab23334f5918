"""Kinematics against two independent models: pybullet_data's URDF and our own MJCF."""

from __future__ import annotations

import os
from collections.abc import Iterator

import mujoco
import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.franka.kinematics import END_EFFECTOR_IN_HAND, FrankaKinematics
from skill_robots.franka.model import panda_spec
from skill_robots.franka.specs import PANDA

TOLERANCE = 1e-6
FLANGE_LINK, HAND_LINK = 7, 8  # pybullet's indices of panda_link8 and panda_hand
QUARTER = np.sqrt(0.5)
HAND_TO_FLANGE = np.array([[QUARTER, -QUARTER, 0.0], [QUARTER, QUARTER, 0.0], [0.0, 0.0, 1.0]])


@pytest.fixture(scope="module")
def configurations() -> Array:
    rng = np.random.default_rng(0)
    return rng.uniform(PANDA.position_low, PANDA.position_high, (1000, 7))


class UrdfPanda:
    """pybullet_data's Panda, posed joint by joint."""

    def __init__(self, bullet: object, client: int, robot: int) -> None:
        self._bullet, self._client, self._robot = bullet, client, robot

    def pose(self, joints: Array, link: int) -> tuple[Array, Array]:
        bullet, where = self._bullet, {"physicsClientId": self._client}
        for i, angle in enumerate(joints):
            bullet.resetJointState(self._robot, i, angle, **where)
        state = bullet.getLinkState(self._robot, link, computeForwardKinematics=True, **where)
        matrix = bullet.getMatrixFromQuaternion(state[5])
        return np.array(state[4]), np.array(matrix).reshape(3, 3)


@pytest.fixture(scope="module")
def urdf() -> Iterator[UrdfPanda]:
    bullet = pytest.importorskip("pybullet", reason="needs the bullet extra")
    data = pytest.importorskip("pybullet_data", reason="needs the bullet extra")
    client = bullet.connect(bullet.DIRECT)
    path = os.path.join(data.getDataPath(), "franka_panda", "panda.urdf")
    robot = bullet.loadURDF(path, useFixedBase=True, physicsClientId=client)
    yield UrdfPanda(bullet, client, robot)
    bullet.disconnect(client)


def angle_between(first: Array, second: Array) -> float:
    """Rotation angle from one matrix to the other [rad], exact for small angles too."""
    error = first.T @ second
    sine = np.linalg.norm(error - error.T) / (2 * np.sqrt(2))
    return float(np.arctan2(sine, (np.trace(error) - 1) / 2))


def hand_and_flange(joints: Array) -> tuple[Array, Array, Array]:
    """Returns the common position of hand and flange, the hand's rotation, and the flange's."""
    end_effector = PANDA.kinematics.forward(joints)
    hand = end_effector.rotation
    position = end_effector.position - END_EFFECTOR_IN_HAND * hand[:, :, 2]
    return position, hand, hand @ HAND_TO_FLANGE


def test_hand_and_flange_agree_with_the_urdf(configurations: Array, urdf: UrdfPanda) -> None:
    positions, hands, flanges = hand_and_flange(configurations)
    for i, joints in enumerate(configurations):
        flange_position, flange = urdf.pose(joints, FLANGE_LINK)
        hand_position, hand = urdf.pose(joints, HAND_LINK)
        assert np.abs(positions[i] - flange_position).max() < TOLERANCE
        assert np.abs(positions[i] - hand_position).max() < TOLERANCE
        assert angle_between(flanges[i], flange) < TOLERANCE
        assert angle_between(hands[i], hand) < TOLERANCE


def test_joint_frames_agree_with_the_urdf(configurations: Array, urdf: UrdfPanda) -> None:
    frames = FrankaKinematics().joint_frames(configurations[:100])
    for i, joints in enumerate(configurations[:100]):
        for joint in range(7):
            position, rotation = urdf.pose(joints, joint)
            assert np.abs(frames.position[i, joint] - position).max() < TOLERANCE
            assert angle_between(frames.rotation[i, joint], rotation) < TOLERANCE


def test_mujoco_model_agrees_with_the_urdf(configurations: Array, urdf: UrdfPanda) -> None:
    model = panda_spec().compile()
    data = mujoco.MjData(model)
    for joints in configurations:
        data.qpos[:7] = joints
        mujoco.mj_kinematics(model, data)
        position, rotation = urdf.pose(joints, HAND_LINK)
        hand = data.body("panda_hand")
        assert np.abs(hand.xpos - position).max() < TOLERANCE
        assert angle_between(hand.xmat.reshape(3, 3), rotation) < TOLERANCE


def test_numpy_agrees_with_the_mujoco_model(configurations: Array) -> None:
    model = panda_spec().compile()
    data = mujoco.MjData(model)
    end_effector, jacobian = PANDA.kinematics.forward_with_jacobian(configurations)
    site = model.site("end_effector").id
    linear, angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))
    for i, joints in enumerate(configurations):
        data.qpos[:7] = joints
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_jacSite(model, data, linear, angular, site)
        assert np.abs(data.site_xpos[site] - end_effector.position[i]).max() < TOLERANCE
        measured = data.site_xmat[site].reshape(3, 3)
        assert angle_between(measured, end_effector.rotation[i]) < TOLERANCE
        assert np.abs(linear[:, :7] - jacobian[i, :3]).max() < TOLERANCE
        assert np.abs(angular[:, :7] - jacobian[i, 3:]).max() < TOLERANCE


def test_neutral_puts_the_hand_down_at_the_low_start() -> None:
    position, rotation = PANDA.kinematics.forward(PANDA.neutral[None])
    assert position[0] == pytest.approx([0.6, 0.0, 0.06], abs=1e-9)
    assert rotation[0] == pytest.approx(np.diag([1.0, -1.0, -1.0]), abs=1e-9)
    assert (PANDA.position_low < PANDA.neutral).all()
    assert (PANDA.position_high > PANDA.neutral).all()


def test_stretched_out_arm_by_hand() -> None:
    # All joints at zero: the arm stands upright, 0.333 + 0.316 + 0.384 m high at the wrist, whose
    # 0.088 m offset points along x; the hand hangs from it by 0.107 + 0.1034 m.
    position = PANDA.kinematics.forward(np.zeros((1, 7))).position[0]
    assert position == pytest.approx([0.088, 0.0, 0.333 + 0.316 + 0.384 - 0.107 - 0.1034])


def test_jacobian_is_the_derivative_of_the_pose(configurations: Array) -> None:
    joints, step = configurations[:100], 1e-6
    _, jacobian = PANDA.kinematics.forward_with_jacobian(joints)
    for j in range(7):
        shift = step * np.eye(7)[j]
        after, before = (
            PANDA.kinematics.forward(joints + shift),
            PANDA.kinematics.forward(joints - shift),
        )
        linear = (after.position - before.position) / (2 * step)
        assert jacobian[:, :3, j] == pytest.approx(linear, abs=1e-8)
        turned = after.rotation @ before.rotation.transpose(0, 2, 1)
        skew = (turned - turned.transpose(0, 2, 1)) / (4 * step)
        angular = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=1)
        assert jacobian[:, 3:, j] == pytest.approx(angular, abs=1e-8)


def test_one_and_many_give_the_same_bits(configurations: Array) -> None:
    together, jacobians = PANDA.kinematics.forward_with_jacobian(configurations[:16])
    for i in range(16):
        alone, jacobian = PANDA.kinematics.forward_with_jacobian(configurations[i : i + 1])
        assert np.array_equal(alone.position[0], together.position[i])
        assert np.array_equal(alone.rotation[0], together.rotation[i])
        assert np.array_equal(jacobian[0], jacobians[i])


def test_point_of_one_arm_is_the_same(configurations: Array) -> None:
    positions = PANDA.kinematics.forward(configurations).position
    for joints, position in zip(configurations, positions, strict=True):
        assert PANDA.kinematics.forward_point(joints.tolist()) == pytest.approx(position, abs=1e-12)


def test_the_velocity_of_a_point_is_the_jacobian_times_the_rates(configurations: Array) -> None:
    rates = np.random.default_rng(3).normal(size=configurations.shape)
    pose, jacobian = PANDA.kinematics.forward_with_jacobian(configurations)
    wanted = (jacobian[:, :3] @ rates[:, :, None])[:, :, 0]
    for i, (position, rate) in enumerate(zip(configurations.tolist(), rates.tolist(), strict=True)):
        point, velocity = PANDA.kinematics.forward_point_with_velocity(position, rate)
        np.testing.assert_allclose(point, pose.position[i], atol=1e-12)
        np.testing.assert_allclose(velocity, wanted[i], atol=1e-12)
