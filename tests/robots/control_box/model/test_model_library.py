"""The Panda's model library, called as libfranka 0.9 calls it, against MuJoCo."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.control_box.model import model_library
from skill_robots.control_box.model.chain import arm_chain
from skill_robots.control_box.model.model_library import (
    ModelLibraryError,
    fer_constants,
    fer_model_library,
)
from skill_robots.franka.kinematics import FLANGE_IN_LINK7, FrankaKinematics
from skill_robots.franka.model import panda_spec
from skill_robots.franka.specs import PANDA

RNG = np.random.default_rng(5)
CONFIGURATIONS = RNG.uniform(PANDA.position_low, PANDA.position_high, (20, 7))
VELOCITIES = RNG.uniform(-PANDA.velocity_limit, PANDA.velocity_limit, (20, 7))

LOAD_MASS = 1.3
LOAD_CENTRE = np.array([0.02, -0.03, 0.05])
LOAD_INERTIA = np.array([0.010, 0.001, 0.002, 0.001, 0.012, -0.001, 0.002, -0.001, 0.008])


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    path = tmp_path_factory.mktemp("library") / "fer_model.so"
    path.write_bytes(fer_model_library(arm_chain(panda_spec().compile())))
    return ctypes.CDLL(str(path))


def call(function: Callable[..., object], size: int, *arguments: Array | float) -> Array:
    """Calls a function whose last argument is its result."""
    result = np.full(size, np.nan)
    converted = [
        ctypes.c_double(a) if isinstance(a, float) else np.ascontiguousarray(a).ctypes
        for a in (*arguments, result)
    ]
    pointers = [
        a if isinstance(a, ctypes.c_double) else a.data_as(ctypes.c_void_p) for a in converted
    ]
    function(*pointers)
    return result


def loaded_model() -> mujoco.MjModel:
    """The Panda whose hand is replaced by the load, without rotors and without friction."""
    model = panda_spec().compile()
    for name in ("panda_leftfinger", "panda_rightfinger"):
        model.body_mass[model.body(name).id] = 1e-12
        model.body_inertia[model.body(name).id] = 1e-12
    model.dof_armature[:] = 0.0
    hand = model.body("panda_hand")
    half = np.sqrt(0.5)
    hand_axes = np.array([[half, half, 0.0], [-half, half, 0.0], [0.0, 0.0, 1.0]])
    moments, axes = np.linalg.eigh(hand_axes.T @ LOAD_INERTIA.reshape(3, 3) @ hand_axes)
    axes[:, 0] *= np.linalg.det(axes)
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, axes.ravel())
    model.body_mass[hand.id] = LOAD_MASS
    model.body_ipos[hand.id] = hand_axes.T @ LOAD_CENTRE
    model.body_iquat[hand.id] = quaternion
    model.body_inertia[hand.id] = moments
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def test_dynamics_with_a_load_are_those_of_mujoco(library: ctypes.CDLL) -> None:
    model = loaded_model()
    data = mujoco.MjData(model)
    full = np.empty((model.nv, model.nv))
    for q, dq in zip(CONFIGURATIONS, VELOCITIES, strict=True):
        data.qpos[:7], data.qvel[:7] = q, 0.0
        mujoco.mj_forward(model, data)
        mujoco.mj_fullM(model, data, full)
        mass = call(library.M_NE, 49, q, LOAD_INERTIA, LOAD_MASS, LOAD_CENTRE)
        np.testing.assert_allclose(mass.reshape(7, 7), full[:7, :7], atol=1e-9)
        gravity = call(library.g_NE, 7, q, np.array([0.0, 0.0, -9.81]), LOAD_MASS, LOAD_CENTRE)
        np.testing.assert_allclose(gravity, data.qfrc_bias[:7], atol=1e-9)
        data.qvel[:7] = dq
        at_rest = data.qfrc_bias[:7].copy()
        mujoco.mj_forward(model, data)
        coriolis = call(library.c_NE, 7, q, dq, LOAD_INERTIA, LOAD_MASS, LOAD_CENTRE)
        np.testing.assert_allclose(coriolis, data.qfrc_bias[:7] - at_rest, atol=1e-9)


def frame_of_end_effector() -> Array:
    """F_T_EE of the Franka hand, column-major."""
    half = np.sqrt(0.5)
    pose = np.eye(4)
    pose[:2, :2] = [[half, half], [-half, half]]
    pose[2, 3] = 0.1034
    return pose.T.ravel()


def test_end_effector_pose_and_jacobian_are_those_of_the_kinematics(library: ctypes.CDLL) -> None:
    poses, jacobians = FrankaKinematics().forward_with_jacobian(CONFIGURATIONS)
    F_T_EE = frame_of_end_effector()
    for i, q in enumerate(CONFIGURATIONS):
        pose = call(library.O_T_J9, 16, q, F_T_EE).reshape(4, 4).T
        np.testing.assert_allclose(pose[:3, 3], poses.position[i], atol=1e-12)
        np.testing.assert_allclose(pose[3], [0, 0, 0, 1])
        jacobian = call(library.O_J_J9, 42, q, F_T_EE).reshape(7, 6).T
        np.testing.assert_allclose(jacobian, jacobians[i], atol=1e-12)
        in_frame = call(library.Ji_J_J9, 42, q, F_T_EE).reshape(7, 6).T
        np.testing.assert_allclose(pose[:3, :3] @ in_frame[:3], jacobian[:3], atol=1e-12)
        np.testing.assert_allclose(pose[:3, :3] @ in_frame[3:], jacobian[3:], atol=1e-12)


def test_joint_frames_are_those_of_mujoco(library: ctypes.CDLL) -> None:
    model = panda_spec().compile()
    data = mujoco.MjData(model)
    for q in CONFIGURATIONS:
        data.qpos[:7] = q
        mujoco.mj_kinematics(model, data)
        for i in range(1, 8):
            pose = call(getattr(library, f"O_T_J{i}"), 16, q).reshape(4, 4).T
            body = data.body(f"panda_link{i}")
            np.testing.assert_allclose(pose[:3, 3], body.xpos, atol=1e-12)
            np.testing.assert_allclose(pose[:3, :3].ravel(), body.xmat, atol=1e-12)
        flange = call(library.O_T_J8, 16, q).reshape(4, 4).T
        np.testing.assert_allclose(
            flange[:3, 3], pose[:3, 3] + FLANGE_IN_LINK7 * pose[:3, 2], atol=1e-12
        )


def test_all_functions_that_libfranka_looks_up_are_there(library: ctypes.CDLL) -> None:
    names = ["M_NE", "c_NE", "g_NE"]
    names += [f"{kind}{i}" for kind in ("Ji_J_J", "O_J_J", "O_T_J") for i in range(1, 10)]
    assert len(names) == 30
    for name in names:
        assert getattr(library, name)
    # The Jacobian of the first joint in its own axes takes no joint position.
    column = call(library.Ji_J_J1, 42)[:6]
    np.testing.assert_array_equal(column, [0, 0, 0, 0, 0, 1])


def test_a_compiled_library_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = arm_chain(panda_spec().compile())
    first = fer_model_library(chain, tmp_path)
    monkeypatch.setenv("PATH", "")
    assert fer_model_library(chain, tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 1


def test_without_a_compiler_the_error_names_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelLibraryError, match="no C compiler 'cc'; install one"):
        fer_model_library(arm_chain(panda_spec().compile()), tmp_path)


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_library, "fer_constants", lambda _: "#error of this test\n")
    with pytest.raises(ModelLibraryError, match="error of this test"):
        fer_model_library(arm_chain(panda_spec().compile()), tmp_path)


def test_the_cache_is_no_condition(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert fer_model_library(arm_chain(panda_spec().compile()), file)[:4] == b"\x7fELF"


def test_constants_keep_all_digits() -> None:
    text = fer_constants(arm_chain(panda_spec().compile()))
    assert "4.970684" in text
    assert "{0.003875, 0.002081, -0.04762}" in text
