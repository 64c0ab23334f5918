"""Both physics engines of the tabletop obey the laws of the plant, from the same starts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.franka.specs import PANDA
from skill_robots.motion.inverse_kinematics import inverse_kinematics
from skill_robots.tasks.engine import Engine
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

GRAVITY = 9.81


@pytest.fixture(params=["mujoco", "bullet"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "bullet":
        pytest.importorskip("panda_gym", reason="panda-gym (extra `bullet`) is not installed")
    return request.param


@pytest.fixture
def high(engine: Engine) -> Iterator[Tabletop]:
    """Two tables with the hand far above the cube."""
    table = Tabletop(TabletopConfig(start="high"), 2, seed=3, engine=engine)
    yield table
    table.physics.close()


def hold(table: Tabletop, periods: int) -> None:
    position, rest = table.setpoint.position.copy(), np.zeros((table.n, 7))
    for _ in range(periods):
        table.physics_step(position, rest)


def hand_at(table: Tabletop, hand: tuple[float, float, float]) -> Array:
    """Returns joints ``(n, 7)`` with the end effector at this place."""
    place = np.tile(np.array(hand) - table.actions.base_position, (table.n, 1))
    return inverse_kinematics(PANDA, place)


def test_starts_and_contexts_are_equal_on_both_engines() -> None:
    pytest.importorskip("panda_gym", reason="panda-gym (extra `bullet`) is not installed")
    one = Tabletop(TabletopConfig(start="mixed"), 5, seed=11)
    other = Tabletop(TabletopConfig(start="mixed"), 5, seed=11, engine="bullet")
    for _ in range(2):
        np.testing.assert_allclose(other.joint_position, one.joint_position, atol=1e-12)
        for ours, theirs in zip(one.cube_pose, other.cube_pose, strict=True):
            sign = np.sign((ours * theirs).sum(axis=1, keepdims=True))  # -q is the rotation of q
            factor = sign if ours.shape[1] == 4 else 1.0
            np.testing.assert_allclose(factor * theirs, ours, atol=1e-9)
        np.testing.assert_array_equal(other.mass, one.mass)
        np.testing.assert_array_equal(other.friction, one.friction)
        for table in (one, other):
            table.reset()
    other.physics.close()


@pytest.mark.parametrize("mass", [0.4, 1.6])
@pytest.mark.parametrize("friction", [0.2, 0.8])
def test_a_cube_slides_as_far_as_coulomb_friction_lets_it(
    high: Tabletop, mass: float, friction: float
) -> None:
    """Released at .5 m/s it slides v^2 / (2 mu g), 6.4 cm at mu = .2, whatever its mass."""
    high.set_context(mass=mass, friction=friction)
    hold(high, 20)
    start = high.cube_position[:, :2]
    high.push_cube(np.array([0.3, 0.4]))
    hold(high, round(200 * (0.6 + 0.75 / (friction * GRAVITY))))
    assert high.cube_speed.max() < 2e-3
    distance = np.linalg.norm(high.cube_position[:, :2] - start, axis=1)
    np.testing.assert_allclose(distance, 0.25 / (2 * friction * GRAVITY), rtol=0.1)


def test_the_arm_does_not_sag_under_gravity(high: Tabletop) -> None:
    before = high.joint_position.copy()
    hold(high, 200)
    np.testing.assert_allclose(high.joint_position, before, atol=1e-4)
    assert np.abs(high.joint_velocity).max() < 1e-3
    np.testing.assert_allclose(high.physics.contact_force(), 0.0, atol=1e-6)


def test_the_arm_follows_a_ramp_with_velocity_feed_forward(high: Tabletop) -> None:
    """Without friction the lag of K (q_set - q) + D (v_set - q') is zero at constant speed.

    The viscous friction of 1 N m s/rad causes 1 / K of the speed, 0.8 mrad. A set-point is that of
    the end of its period, so a servo that holds it leads by at most one period, 2.5 mrad.
    """
    start, speed = high.setpoint.position.copy(), np.zeros((high.n, 7))
    speed[:, 0] = 0.5
    for step in range(1, 161):
        high.physics_step(start + 0.005 * step * speed, speed)
    lag = start[:, 0] + 0.8 * 0.5 - high.joint_position[:, 0]
    assert (lag > 0.5 / 600 - 0.0025 - 5e-4).all()
    assert (lag < 0.5 / 600 + 5e-4).all()


def test_a_hand_that_presses_on_the_table_feels_its_own_stiffness(engine: Engine) -> None:
    """The force is the spring's, K (q_set - q) mapped to the end effector."""
    table = Tabletop(TabletopConfig(), 1, seed=0, engine=engine)
    aside = np.array([[0.0, 0.3]])
    above, below = hand_at(table, (0.0, -0.1, 0.012)), hand_at(table, (0.0, -0.1, -0.001))
    table.physics.reset(np.arange(1), above, aside, np.zeros(1))
    table.physics.contact_force()
    for step in range(400):
        share = min(1.0, step / 200)
        table.physics_step((1 - share) * above + share * below, np.zeros((1, 7)))
    torque = PANDA.stiffness * (below - table.joint_position)
    _, jacobian = PANDA.kinematics.forward_with_jacobian(table.joint_position)
    wrench = np.linalg.pinv(jacobian.transpose(0, 2, 1)) @ torque[:, :, None]
    expected = -wrench[:, :3, 0]  # the table pushes up
    assert expected[0, 2] > 5.0
    np.testing.assert_allclose(table.physics.contact_force(), expected, atol=0.15 * expected[0, 2])
    table.physics.close()


def test_the_gripper_opens_and_closes(high: Tabletop) -> None:
    position, rest = high.setpoint.position.copy(), np.zeros((high.n, 7))
    for width in (0.06, 0.02):
        for _ in range(200):
            high.physics_step(position, rest, width)
        np.testing.assert_allclose(high.gripper_width, width, atol=2e-3)


def test_a_scene_that_is_reset_starts_anew_and_the_other_goes_on(high: Tabletop) -> None:
    hold(high, 10)
    high.push_cube(np.array([0.2, 0.0]))
    hold(high, 10)
    other = high.cube_position[1]
    high.reset(np.array([0]))
    assert high.cube_speed[0] == 0.0
    assert np.abs(high.joint_velocity[0]).max() == 0.0
    np.testing.assert_array_equal(high.cube_position[1], other)
