"""The tabletop: friction, contexts and starts, and the same plant in training and serving."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from skill_proto.manifest import PolicyManifest
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.observation import (
    FIELDS,
    PUSH_OBSERVATION,
    layout,
    observe,
    rotate,
)
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

MakeManifest = Callable[..., PolicyManifest]


@pytest.fixture
def manifest(make_manifest: MakeManifest) -> PolicyManifest:
    return make_manifest()


def test_observation_has_28_numbers_in_the_named_order() -> None:
    table = Tabletop(TabletopConfig(), 3, seed=0)
    observation = table.observe()
    assert observation.shape == (3, 28)
    where = layout(PUSH_OBSERVATION)
    np.testing.assert_array_equal(observation[:, where["cube_position"]], table.cube_position)
    np.testing.assert_allclose(
        observation[:, where["cube_from_end_effector"]],
        table.cube_position - table.end_effector_position,
    )


def test_unknown_observation_field_lists_the_known_ones() -> None:
    table = Tabletop(TabletopConfig(), 1)
    with pytest.raises(KeyError, match="setpoint_gap"):
        observe(("cube_colour",), table.world())


def test_rotate_turns_x_to_y_by_a_quarter_turn_about_z() -> None:
    half = np.sqrt(0.5)
    turned = rotate(np.array([[half, 0, 0, half]]), np.array([[1.0, 0, 0]]))
    np.testing.assert_allclose(turned, [[0.0, 1.0, 0.0]], atol=1e-15)


def test_every_field_has_its_declared_size() -> None:
    world = Tabletop(TabletopConfig(), 2).world()
    for spec in FIELDS.values():
        assert spec.compute(world).shape == (2, spec.size)


@pytest.mark.parametrize("friction", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("direction_deg", [0, 30, 45])
def test_a_sliding_cube_coasts_as_far_as_its_friction_says(
    friction: float, direction_deg: float
) -> None:
    """v^2 / (2 mu g), from 0.5 m/s, at any mass and in any direction."""
    table = Tabletop(TabletopConfig(start="high"), 4, seed=1)
    table.set_context(mass=np.geomspace(0.12, 4.8, 4), friction=friction)
    table.step(np.zeros((4, 3)))
    start = table.cube_position
    angle = np.radians(direction_deg)
    table.push_cube(0.5 * np.array([np.cos(angle), np.sin(angle)]))
    for _ in range(30):
        table.step(np.zeros((4, 3)))
    distance = np.linalg.norm(table.cube_position - start, axis=1)
    expected = 0.5**2 / (2 * friction * 9.81)
    np.testing.assert_allclose(distance, expected, rtol=0.05, atol=0.002)


def test_context_is_drawn_inside_its_range_and_changes_per_episode() -> None:
    table = Tabletop(TabletopConfig(mass=(0.4, 1.6), friction=(0.2, 0.8)), 64, seed=0)
    first = table.mass.copy()
    assert ((first >= 0.4) & (first <= 1.6)).all()
    assert ((table.friction >= 0.2) & (table.friction <= 0.8)).all()
    table.reset(np.arange(32))
    assert (table.mass[:32] != first[:32]).all()
    np.testing.assert_array_equal(table.mass[32:], first[32:])


def test_starts_are_those_of_the_config() -> None:
    low = Tabletop(TabletopConfig(start="low"), 32, seed=0)
    high = Tabletop(TabletopConfig(start="high"), 32, seed=0)
    np.testing.assert_allclose(low.end_effector_position, [[0, 0, 0.06]] * 32, atol=1e-4)
    np.testing.assert_allclose(high.end_effector_position, [[0, 0, 0.20]] * 32, atol=1e-4)
    assert np.abs(low.cube_position[:, :2]).max() <= 0.10
    assert 0.10 < np.abs(high.cube_position[:, :2]).max() <= 0.15


def test_mixed_starts_are_half_low_and_a_quarter_beside_the_cube() -> None:
    table = Tabletop(TabletopConfig(start="mixed"), 1000, seed=0)
    hand, cube = table.end_effector_position, table.cube_position
    distance = np.linalg.norm((hand - cube)[:, :2], axis=1)
    middle = np.linalg.norm(hand[:, :2], axis=1) < 1e-6
    low = middle & (np.abs(hand[:, 2] - 0.06) < 1e-6)
    beside, above = ~middle, middle & ~low
    assert [low.sum(), above.sum(), beside.sum()] == pytest.approx([500, 250, 250], abs=50)
    assert np.abs(cube[low, :2]).max() <= 0.10
    assert 0.10 < np.abs(cube[~low, :2]).max() <= 0.15
    assert 0.06 < hand[above, 2].min() < 0.08 < 0.18 < hand[above, 2].max() < 0.20
    assert 0.05 - 1e-6 < distance[beside].min() < distance[beside].max() < 0.09 + 1e-6
    assert 0.015 - 1e-6 < hand[beside, 2].min() < hand[beside, 2].max() < 0.06
    assert (hand >= np.array(ActionConfig.workspace_low) - 1e-6).all()
    assert (hand <= np.array(ActionConfig.workspace_high) + 1e-6).all()
    table.step(np.zeros((1000, 3)))
    assert np.linalg.norm(table.cube_position - cube, axis=1).max() < 1e-3, "no start touches"


def test_sag_is_inverse_to_the_stiffness() -> None:
    """A torque F on a joint moves it by F / K."""
    sag = []
    for scale in (0.5, 1.0, 2.0):
        table = Tabletop(TabletopConfig(stiffness_scale=(scale, scale)), 2, seed=0)
        start = table.joint_position[:, 0].copy()
        for _ in range(400):
            table.physics._batch.bind("qfrc_applied")[:, 0] = 3.0
            table.physics_step(table.setpoint.position, table.setpoint.velocity)
        sag.append(table.joint_position[:, 0] - start)
    expected = 3.0 / (600.0 * np.array([0.5, 1.0, 2.0]))
    np.testing.assert_allclose(sag, np.stack([expected, expected], axis=1), rtol=0.02)


def test_the_arm_rests_under_zero_actions() -> None:
    table = Tabletop(TabletopConfig(), 4, seed=0)
    start = table.end_effector_position.copy()
    for _ in range(50):
        table.step(np.zeros((4, 3)))
    np.testing.assert_allclose(table.end_effector_position, start, atol=5e-4)


def test_latency_delays_the_action_and_noise_blurs_the_observation() -> None:
    action = np.array([[0.0, 1.0, 0.0]])
    exact = Tabletop(TabletopConfig(), 1, seed=0)
    late = Tabletop(TabletopConfig(latency_s=(0.02, 0.02), sensor_noise=1.0), 1, seed=0)
    for table in (exact, late):
        for _ in range(3):
            table.step(action)
    assert late.end_effector_position[0, 1] < exact.end_effector_position[0, 1] - 0.003
    measured = np.array([late.observe()[0, 6] for _ in range(200)])
    assert measured.std() == pytest.approx(0.0002, rel=0.2)
    assert abs(measured.mean() - late.cube_position[0, 0]) > 0.0002, "an offset of the episode"


def test_the_same_seed_gives_the_same_episode() -> None:
    def run() -> np.ndarray:
        table = Tabletop(TabletopConfig(start="mixed", sensor_noise=1.0), 4, seed=5)
        rng = np.random.default_rng(0)
        for _ in range(30):
            table.step(rng.uniform(-1, 1, (4, 3)))
        return table.observe()

    np.testing.assert_array_equal(run(), run())


def _pushing_action(observation: np.ndarray) -> np.ndarray:
    """A closed loop, which amplifies differences: down first, then at full speed to the cube."""
    height = observation[2]
    to_cube = observation[layout(PUSH_OBSERVATION)["cube_from_end_effector"]][:2]
    ahead = to_cube / np.linalg.norm(to_cube) * (height < 0.035)
    return np.array([*ahead, np.clip(10.0 * (0.02 - height), -1, 1)])


def test_serving_and_training_have_the_same_plant(manifest: PolicyManifest) -> None:
    """The same policy, seed and scene give bit-equal observations and actions."""
    table = Tabletop(TabletopConfig(), 1, seed=7)
    arm = MujocoArm(TabletopConfig(), seed=7)
    adapter = PolicyAdapter(arm.spec, manifest, arm.servo_period_s)
    adapter.reset(arm.read())
    start = table.cube_position
    for _ in range(60):
        observation = table.observe()[0]
        state = arm.read()
        np.testing.assert_array_equal(adapter.observation(state), observation)
        action = _pushing_action(observation)
        adapter.apply_action(action, state)
        table.step(action[None])
        for _ in range(table.substeps):
            arm.command(adapter.step())
    assert np.linalg.norm(table.cube_position - start) > 0.05, "the run should push the cube"


def test_the_plant_is_the_same_with_the_servo_at_1_khz() -> None:
    """With five times smaller steps the hand follows the same path and pushes as far.

    At full speed (0.5 m/s) the paths may differ by half a control step. A single push may diverge
    if the cube turns at an edge; the median must not.
    """
    paths, pushed = [], []
    for step in (0.005, 0.001):
        table = Tabletop(TabletopConfig(physics_step_s=step), 32, seed=11)
        start = table.cube_position
        beside = np.linalg.norm(start[:, :2], axis=1) > 0.06
        path = []
        for _ in range(25):
            table.step(np.array([_pushing_action(row) for row in table.observe()]))
            path.append(table.end_effector_position[beside])
        paths.append(np.array(path))
        pushed.append(np.linalg.norm(table.cube_position - start, axis=1)[beside])
    assert pushed[0].mean() > 0.05, "the hands should have pushed their cubes"
    apart = np.linalg.norm(paths[0] - paths[1], axis=2).max(axis=0)
    assert np.median(apart) < 0.5 * 0.04 / 2
    assert pushed[0].mean() == pytest.approx(pushed[1].mean(), rel=0.05)


def test_held_arm_comes_to_rest(manifest: PolicyManifest) -> None:
    arm = MujocoArm(seed=0)
    adapter = PolicyAdapter(arm.spec, manifest, arm.servo_period_s)
    adapter.reset(arm.read())
    for _ in range(15):
        adapter.apply_action(np.array([0.0, 1.0, 0.3]), arm.read())
        for _ in range(8):
            arm.command(adapter.step())
    assert np.abs(arm.read().joint_velocity).max() > 0.1
    adapter.hold(arm.read())
    for _ in range(200):
        arm.command(adapter.step())
    assert np.abs(arm.read().joint_velocity).max() < 0.005


def test_end_effector_goal_is_reached(manifest: PolicyManifest) -> None:
    arm = MujocoArm(seed=0)
    adapter = PolicyAdapter(arm.spec, manifest, arm.servo_period_s)
    adapter.reset(arm.read())
    target = np.array([-0.1, 0.2, 0.15])
    for _ in range(60):
        adapter.apply_end_effector_goal(target, arm.read())
        for _ in range(8):
            arm.command(adapter.step())
    reached = adapter.end_effectors(arm.read()).measured[0]
    np.testing.assert_allclose(reached, target, atol=0.005)


def test_scene_of_the_served_arm_can_be_changed_and_stays_changed() -> None:
    arm = MujocoArm(seed=0)
    arm.set_context(mass=2.5, friction=0.1)
    arm.reset(seed=3)
    assert arm.context == {"mass": pytest.approx(2.5), "friction": pytest.approx(0.1)}
    with pytest.raises(ValueError, match="mass must be positive"):
        arm.set_context(mass=float("nan"))


def test_gripper_opens_to_the_commanded_width(manifest: PolicyManifest) -> None:
    arm = MujocoArm(seed=0)
    adapter = PolicyAdapter(arm.spec, manifest, arm.servo_period_s)
    adapter.reset(arm.read())
    adapter.command_gripper(0.06, grasp=False)
    for _ in range(400):
        arm.command(adapter.step())
    assert arm.read().gripper_width == pytest.approx(0.06, abs=0.003)


def test_adapter_refuses_unknown_fields_and_actions(manifest: PolicyManifest) -> None:
    field, part = manifest.observation[0], manifest.action[0]
    tactile = field.model_copy(update={"name": "tactile", "size": 8})
    gripper = part.model_copy(update={"name": "gripper", "size": 1})
    for foreign, named in (
        ({"observation": (*manifest.observation, tactile)}, "tactile"),
        ({"action": (part, gripper)}, "gripper"),
    ):
        with pytest.raises(UnsupportedPolicyError, match=named):
            PolicyAdapter(PANDA, manifest.model_copy(update=foreign), 0.005)


@pytest.mark.parametrize("share", [0.9, 0.2])
def test_adapter_uses_the_share_of_the_limits_of_the_manifest(
    share: float, make_manifest: MakeManifest
) -> None:
    plant = make_manifest().plant.model_dump() | {"velocity_limit_share": share}
    arm = MujocoArm(seed=0)
    adapter = PolicyAdapter(arm.spec, make_manifest(plant=plant), arm.servo_period_s)
    adapter.reset(arm.read())
    adapter.apply_joint_goal(adapter.setpoint + 0.5, arm.read())
    used = np.abs(adapter.step().acceleration) / PANDA.acceleration_limit
    assert used.max() == pytest.approx(share)
