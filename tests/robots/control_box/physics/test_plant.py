"""The plant against the equations of motion, and its sensors against known forces."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from skill_robots.control_box.config import robot_config
from skill_robots.control_box.physics.plant import Plant
from skill_robots.franka.model import FrankaRobot, franka_spec

BOTH: tuple[FrankaRobot, ...] = ("fer", "fr3")


def bare_model(robot: FrankaRobot) -> mujoco.MjModel:
    """The arm as a client models it: no rotors, no joint friction, fingers that do not move."""
    spec = franka_spec(robot)
    spec.option.timestep = 0.001
    for name in ("panda_finger_joint1", "panda_finger_joint2"):
        spec.delete(spec.joint(name))
    for actuator in list(spec.actuators):
        spec.delete(actuator)
    for equality in list(spec.equalities):
        spec.delete(equality)
    for tendon in list(spec.tendons):
        spec.delete(tendon)
    model = spec.compile()
    model.dof_armature[:] = 0.0
    return model


@pytest.mark.parametrize("robot", BOTH)
def test_gravity_is_compensated(robot: FrankaRobot) -> None:
    plant = Plant(robot_config(robot))
    for _ in range(1000):
        plant.step([0.0] * 7, 0.0)
    assert plant.q == pytest.approx(robot_config(robot).start, abs=1e-9)
    model = bare_model(robot)
    data = mujoco.MjData(model)
    data.qpos[:] = robot_config(robot).start
    mujoco.mj_forward(model, data)
    assert plant.tau_j == pytest.approx(data.qfrc_bias, abs=1e-9)
    assert plant.gravity == pytest.approx(data.qfrc_bias, abs=1e-9)


@pytest.mark.parametrize("robot", BOTH)
def test_torque_sensors_measure_what_moves_the_links(robot: FrankaRobot) -> None:
    # Without contacts M q'' + c + g = tau_J for the links alone: rotors are beyond the sensors.
    plant = Plant(robot_config(robot, scene="none"))
    model = bare_model(robot)
    data = mujoco.MjData(model)
    mass = np.zeros((7, 7))
    rng = np.random.default_rng(1)
    torque = rng.uniform(-4.0, 4.0, 7) * (1, 1, 1, 1, 0.2, 0.2, 0.1)
    for _ in range(300):
        before_q, before = plant.q.copy(), plant.dq.copy()
        plant.step(torque.tolist(), 0.0)
    data.qpos[:], data.qvel[:] = before_q, before
    mujoco.mj_forward(model, data)
    mujoco.mj_fullM(model, data, mass)
    expected = mass @ ((plant.dq - before) / 1e-3) + data.qfrc_bias
    assert np.abs(plant.dq).max() > 0.3
    assert plant.tau_j == pytest.approx(expected, abs=0.05)
    assert np.abs(plant.tau_j - data.qfrc_bias).max() > 0.5  # most of it is not gravity
    assert plant.tau_ext == pytest.approx(np.zeros(7), abs=1e-12)


@pytest.mark.parametrize("robot", BOTH)
def test_external_torque_is_filtered_with_10_ms(robot: FrankaRobot) -> None:
    plant = Plant(robot_config(robot))
    plant.push([0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0])
    for _ in range(10):
        plant.step([0.0] * 7, 0.0)
    # A torque on the robot is negative; 1 - 0.9^10 of it after 10 ms.
    assert plant.tau_ext[5] == pytest.approx(-2.0 * (1.0 - 0.9**10))
    assert plant.tau_ext[:5] == pytest.approx(np.zeros(5))


@pytest.mark.parametrize("robot", BOTH)
def test_wrench_of_a_known_force(robot: FrankaRobot) -> None:
    plant = Plant(robot_config(robot))
    plant.update_jacobian()
    force = np.array([3.0, -4.0, 12.0, 0.5, -0.2, 0.1])  # on the robot, at K
    torque = plant.jacobian.T @ force
    plant.push(torque.tolist())
    for _ in range(200):
        # The motors hold against it.
        plant.step((-torque - 20.0 * plant.dq).tolist(), 0.0)
    plant.update_jacobian()
    in_base, in_stiffness = plant.wrench()
    assert in_base == pytest.approx(-force, abs=1e-3)
    axes = plant.stiffness_rotation
    assert in_stiffness[:3] == pytest.approx(axes.T @ -force[:3], abs=1e-3)
    assert in_stiffness[3:] == pytest.approx(axes.T @ -force[3:], abs=1e-3)


@pytest.mark.parametrize("robot", BOTH)
def test_end_effector_speed(robot: FrankaRobot) -> None:
    plant = Plant(robot_config(robot, scene="none"))
    for _ in range(200):
        before = plant.end_effector_position
        plant.step([3.0, -2.0, 1.0, 1.0, 0.5, 0.5, 0.2], 0.0)
    plant.update_jacobian()
    travelled = np.linalg.norm(plant.end_effector_position - before)
    assert plant.end_effector_speed() == pytest.approx(travelled / 1e-3, rel=0.02)
    assert plant.end_effector_speed() > 0.1


def test_the_cube_rests_on_the_table_and_can_be_changed() -> None:
    plant = Plant(robot_config("fer", mass=1.2, friction=0.3, cube_position=(0.05, -0.1)))
    for _ in range(200):
        plant.step([0.0] * 7, 0.0)
    pose = plant.cube_pose()
    assert pose is not None
    assert pose.position == pytest.approx([0.05, -0.1, 0.02], abs=2e-4)
    cube = plant.model.body("cube").id
    assert plant.model.body_mass[cube] == pytest.approx(1.2)
    # A homogeneous cube: m a^2 / 6.
    assert plant.model.body_inertia[cube] == pytest.approx(np.full(3, 1.2 * 0.04**2 / 6))
    plant.set_context(0.5, 0.7)
    assert plant.model.body_inertia[cube] == pytest.approx(np.full(3, 0.5 * 0.04**2 / 6))
    assert plant.model.pair("cube_table").friction[:2] == pytest.approx([0.7, 0.7])
    bare = Plant(robot_config("fer", scene="none"))
    assert bare.cube_pose() is None
    with pytest.raises(ValueError, match="no cube"):
        bare.set_context(1.0, 0.5)


def test_the_cube_can_be_placed_anew_at_rest() -> None:
    plant = Plant(robot_config("fer", cube_position=(0.05, -0.1)))
    plant.place_cube(-0.1, 0.12, np.pi / 3)
    for _ in range(100):
        plant.step([0.0] * 7, 0.0)
    pose = plant.cube_pose()
    assert pose is not None
    assert pose.position == pytest.approx([-0.1, 0.12, 0.02], abs=2e-4)
    assert pose.quaternion == pytest.approx([np.cos(np.pi / 6), 0, 0, 0.5], abs=1e-3)
    assert np.abs(pose.velocity).max() < 1e-3
    with pytest.raises(ValueError, match="no cube"):
        Plant(robot_config("fer", scene="none")).place_cube(0.0, 0.0)


def test_a_configuration_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="mass must be positive"):
        robot_config("fer", mass=0.0)
    with pytest.raises(ValueError, match=r"joint 4 must be in -3\.0718"):
        robot_config("fer", start=(0.0,) * 7)
    with pytest.raises(ValueError, match="hand_width"):
        robot_config("fr3", hand_width=0.1)
