"""The models that unmodified clients have of the robot, against MuJoCo's.

Each client is a process of its own. It connects to the control box, downloads the robot's model,
and computes kinematics and dynamics of 200 random configurations.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mujoco
import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.control_box.box import ControlBox
from skill_robots.control_box.config import robot_config
from skill_robots.control_box.model.chain import arm_chain
from skill_robots.control_box.model.urdf import robot_urdf
from skill_robots.control_box.physics.frames import hand_mass_properties, nominal_end_effector
from skill_robots.franka.model import FrankaRobot, franka_spec
from skill_robots.franka.specs import FR3
from skill_robots.franka.urdf_limits import spec_from_urdf

CLIENT = Path(__file__).parent / "clients" / "model_client.py"
CLIENTS: dict[str, tuple[FrankaRobot, str]] = {
    "pylibfranka": ("fr3", "127.41.1.1"),
    "franky": ("fr3", "127.41.1.2"),
    "panda_py": ("fer", "127.41.1.3"),
}
CONFIGURATIONS = 200
TOLERANCE = 1e-9
GRAVITY_TOLERANCE = 1e-5
"""A state of version 10 carries the direction of gravity in single precision [N m]."""

Answers = dict[str, Array]


@contextmanager
def running(robot: FrankaRobot, address: str) -> Iterator[None]:
    """Runs a control box until the end of the block, about once a millisecond."""
    box, ends = ControlBox(robot_config(robot, scene="none"), address), threading.Event()

    def cycle() -> None:
        while not ends.is_set():
            box.advance()
            box.send()
            time.sleep(0.001)

    thread = threading.Thread(target=cycle)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
        box.close()


def questions(robot: FrankaRobot) -> Answers:
    """Random configurations, and the hand of the model as the end effector."""
    config = robot_config(robot, scene="none")
    rng = np.random.default_rng(7)
    hand = hand_mass_properties(franka_spec(robot).compile())
    size = (CONFIGURATIONS, 7)
    return {
        "q": rng.uniform(config.spec.position_low, config.spec.position_high, size),
        "dq": rng.uniform(-1.0, 1.0, size) * config.spec.velocity_limit,
        "F_T_EE": nominal_end_effector().T.ravel(),
        "m_total": np.array(hand.mass),
        "F_x_Ctotal": hand.centre,
        "I_total": hand.inertia.ravel(),
    }


def of_mujoco(robot: FrankaRobot, asked: Answers) -> Answers:
    """The same quantities of the MuJoCo model, without rotors."""
    model = franka_spec(robot).compile()
    model.dof_armature[:] = 0.0
    data = mujoco.MjData(model)
    site = model.site("end_effector").id
    found: dict[str, list[Array]] = {
        name: [] for name in ("mass", "coriolis", "gravity", "jacobian", "pose")
    }
    full, jacobian = np.empty((model.nv, model.nv)), np.empty((2, 3, model.nv))
    for q, dq in zip(asked["q"], asked["dq"], strict=True):
        data.qpos[:7], data.qvel[:7] = q, 0.0
        mujoco.mj_forward(model, data)
        mujoco.mj_fullM(model, data, full)
        mujoco.mj_jacSite(model, data, jacobian[0], jacobian[1], site)
        gravity = data.qfrc_bias[:7].copy()
        data.qvel[:7] = dq
        mujoco.mj_forward(model, data)
        pose = np.eye(4)
        pose[:3, :3] = data.site_xmat[site].reshape(3, 3)
        pose[:3, 3] = data.site_xpos[site]
        found["mass"].append(full[:7, :7].copy())
        found["gravity"].append(gravity)
        found["coriolis"].append(data.qfrc_bias[:7] - gravity)
        found["jacobian"].append(jacobian[:, :, :7].reshape(6, 7).T.copy())
        found["pose"].append(pose.T)
    return {name: np.array(each).reshape(CONFIGURATIONS, -1) for name, each in found.items()}


@pytest.mark.parametrize("library", CLIENTS)
def test_a_client_has_the_model_of_the_plant(library: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    robot, address = CLIENTS[library]
    asked = questions(robot)
    np.savez(tmp_path / "asked.npz", **asked)
    with running(robot, address):
        client = subprocess.run(
            [sys.executable, str(CLIENT), library, address, str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert client.returncode == 0, client.stderr
    expected = of_mujoco(robot, asked)
    with np.load(tmp_path / "answered.npz") as answered:
        assert {"mass", "coriolis", "gravity", "jacobian"} <= set(answered)
        for name, found in answered.items():
            is_single = library == "pylibfranka" and name == "gravity"
            atol = GRAVITY_TOLERANCE if is_single else TOLERANCE
            np.testing.assert_allclose(
                found.reshape(CONFIGURATIONS, -1), expected[name], rtol=0.0, atol=atol
            )


def test_an_arm_takes_the_limits_of_the_control_box() -> None:
    sent = robot_urdf(arm_chain(franka_spec("fr3").compile()), FR3)
    taken = spec_from_urdf(FR3, sent)
    near_end, expected = taken.position_based_velocity_limit, FR3.position_based_velocity_limit
    assert near_end is not None
    assert expected is not None
    for found, wanted in (
        (taken.position_low, FR3.position_low),
        (taken.position_high, FR3.position_high),
        (taken.velocity_limit, FR3.velocity_limit),
        (near_end.offset, expected.offset),
        (near_end.deceleration, expected.deceleration),
    ):
        assert found.tolist() == wanted.tolist()
