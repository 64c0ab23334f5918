"""The scenes on PyBullet equal those of panda-gym, and an episode does not affect the next."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("panda_gym", reason="panda-gym (extra `bullet`) has no wheel for this Python")

import pybullet
from panda_gym.envs.robots.panda import Panda
from panda_gym.envs.tasks.pick_and_place import PickAndPlace
from panda_gym.pybullet import PyBullet

from skill_robots.observation import layout
from skill_robots.tasks.baselines import StillPolicy
from skill_robots.tasks.skill_aware.benchmark import (
    Cell,
    benchmark,
    cell_name,
    draw_starts,
    success,
)
from skill_robots.tasks.skill_aware.bullet_scenes import BulletScenes
from skill_robots.tasks.skill_aware.engines import SATURATION_LABEL
from skill_robots.tasks.skill_aware.scenes import OBSERVATION, Starts
from skill_robots.tasks.skill_aware.scripted.policies import Pick

FIELDS = layout(OBSERVATION)


@pytest.fixture(scope="module")
def scenes() -> Iterator[BulletScenes]:
    made = BulletScenes(2)
    yield made
    made.close()


def start(scenes: BulletScenes, *, friction: float, mass: float, seed: int = 0) -> None:
    n = scenes.n
    starts = draw_starts(n, np.random.default_rng(seed))
    scenes.reset(starts, np.full(n, friction), np.full(n, mass))


def slide(scenes: BulletScenes, friction: float, force: float) -> float:
    """Pushes a cube of 1 kg at its foot for 0.2 s; returns its displacement [m]."""
    scene = scenes._scenes[0]
    start(scenes, friction=friction, mass=1.0)
    begin = scenes.cube_position[0]
    for _ in range(100):
        position, _ = pybullet.getBasePositionAndOrientation(
            scene.cube, physicsClientId=scene.client
        )
        foot = [position[0], position[1], 0.0]
        pybullet.applyExternalForce(
            scene.cube, -1, [force, 0, 0], foot, pybullet.WORLD_FRAME, scene.client
        )
        pybullet.stepSimulation(scene.client)
    scenes._read()
    return float(scenes.cube_position[0, 0] - begin[0])


def random_episode(scenes: BulletScenes, seed: int, steps: int = 30) -> np.ndarray:
    """Returns observations under random actions with a downward mean, which reach the cube."""
    rng = np.random.default_rng(seed)
    start(scenes, friction=5.0, mass=10.0, seed=seed)
    seen = [scenes.observe()]
    for _ in range(steps):
        scenes.step(rng.uniform(-1.0, 1.0, (scenes.n, 4)) - [0.0, 0.0, 0.3, 0.0])
        seen.append(scenes.observe())
    return np.array(seen)


def panda_gym_episode(seed: int, steps: int = 30) -> np.ndarray:
    """Returns panda-gym's own observations for the first scene of :func:`random_episode`."""
    simulation = PyBullet()
    robot = Panda(simulation, base_position=np.array([-0.6, 0.0, 0.0]))
    task = PickAndPlace(simulation, reward_type="dense", goal_z_range=0)
    table, cube = (simulation._bodies_idx[name] for name in ("table", "object"))
    client = simulation.physics_client
    client.changeDynamics(table, -1, lateralFriction=5.0, spinningFriction=0.001)
    client.changeDynamics(cube, -1, mass=10.0)
    robot.reset()
    starts = draw_starts(2, np.random.default_rng(seed))
    simulation.set_base_pose("object", np.array([*starts.cube[0], 0.02]), np.array([0, 0, 0, 1.0]))
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(steps):
        action = (rng.uniform(-1.0, 1.0, (2, 4)) - [0.0, 0.0, 0.3, 0.0])[0]
        robot.set_action(np.clip(action, -1.0, 1.0))
        simulation.step()
        seen.append([*robot.get_obs(), *task.get_achieved_goal()])
    simulation.close()
    return np.array(seen)


def test_steps_are_those_of_panda_gym(scenes: BulletScenes) -> None:
    ours = random_episode(scenes, seed=4)[1:, 0, :10]
    theirs = panda_gym_episode(seed=4)
    assert np.abs(ours[:, :7]).max() > 0.01
    np.testing.assert_array_equal(ours, theirs)


def test_engine_settings_are_those_of_panda_gym(scenes: BulletScenes) -> None:
    theirs = PyBullet()
    ours = pybullet.getPhysicsEngineParameters(physicsClientId=scenes._scenes[0].client)
    assert ours == theirs.physics_client.getPhysicsEngineParameters()
    theirs.close()


def test_context_is_set_as_labelled(scenes: BulletScenes) -> None:
    starts = draw_starts(2, np.random.default_rng(0))
    scenes.reset(starts, np.array([0.1, 30.0]), np.array([1.0, 30.0]))
    for scene, friction, mass in zip(scenes._scenes, (0.1, 30.0), (1.0, 30.0), strict=True):
        table = pybullet.getDynamicsInfo(scene.table, -1, physicsClientId=scene.client)
        cube = pybullet.getDynamicsInfo(scene.cube, -1, physicsClientId=scene.client)
        assert table[1] == friction
        assert table[7] == 0.001  # spinning friction
        assert cube[0] == mass
        assert cube[1] == 0.5
        np.testing.assert_allclose(cube[2], mass * 0.04**2 / 6)
    scenes.set_context(np.array([5.0, 5.0]), np.array([10.0, 2.0]))
    cube = pybullet.getDynamicsInfo(
        scenes._scenes[1].cube, -1, physicsClientId=scenes._scenes[1].client
    )
    assert cube[0] == 2.0


@pytest.mark.parametrize("friction", [0.1, 1.0, 5.0])
def test_cube_slips_at_half_the_label(scenes: BulletScenes, friction: float) -> None:
    """A force at the cube's foot moves it above mu m g and not below, with mu = label / 2."""
    holding = friction / 2 * 1.0 * 9.81
    assert slide(scenes, friction, 0.85 * holding) < 0.002
    # The remaining force accelerates the cube: x = a t^2 / 2 over 0.2 s.
    expected = 0.5 * holding * 0.2**2 / 2
    assert slide(scenes, friction, 1.5 * holding) == pytest.approx(expected, rel=0.2)


def test_labels_from_the_saturation_on_have_one_friction() -> None:
    """Cubes slide equally far at labels 20, 25 and 30, and farther at 15."""
    scenes = BulletScenes(1)
    assert SATURATION_LABEL["bullet"] == 20.0
    for force, least in ((50.0, 0.0), (60.0, 0.1)):
        distances = [slide(scenes, label, force) for label in (20.0, 25.0, 30.0)]
        assert distances[0] == distances[1] == distances[2] > least
        assert slide(scenes, 15.0, force) > distances[0] + 0.2
    scenes.close()


def test_arm_starts_in_the_neutral_pose_beside_a_cube_at_rest(scenes: BulletScenes) -> None:
    random_episode(scenes, seed=1, steps=5)
    start(scenes, friction=1.0, mass=1.0, seed=3)
    seen = scenes.observe()
    np.testing.assert_allclose(
        seen[:, FIELDS["end_effector_position"]], [[0.0384, 0.0, 0.1974]] * 2, atol=2e-4
    )
    np.testing.assert_allclose(seen[:, FIELDS["cube_quaternion"]], [[1.0, 0.0, 0.0, 0.0]] * 2)
    for name in (
        "end_effector_velocity",
        "gripper_width",
        "cube_velocity",
        "cube_angular_velocity",
    ):
        np.testing.assert_allclose(seen[:, FIELDS[name]], 0.0, atol=1e-9)


def test_an_episode_does_not_affect_the_next(scenes: BulletScenes) -> None:
    first = random_episode(scenes, seed=0)
    random_episode(scenes, seed=1)
    np.testing.assert_array_equal(random_episode(scenes, seed=0), first)


def test_quaternions_have_a_positive_w(scenes: BulletScenes) -> None:
    start(scenes, friction=1.0, mass=1.0)
    scene = scenes._scenes[0]
    turn = pybullet.getQuaternionFromEuler([0.0, 0.0, 4.0])  # w < 0
    pybullet.resetBasePositionAndOrientation(
        scene.cube, [0.1, 0.1, 0.02], turn, physicsClientId=scene.client
    )
    scenes._read()
    quaternion = scenes.observe()[0, FIELDS["cube_quaternion"]]
    np.testing.assert_allclose(quaternion, -np.roll(turn, 1), atol=1e-12)
    assert quaternion[0] > 0.0


def test_contacts_distinguish_table_and_fingers(scenes: BulletScenes) -> None:
    starts = Starts(cube=np.array([[0.0, 0.0], [0.1, 0.1]]), goal=np.full((2, 2), 0.15))
    scenes.reset(starts, np.ones(2), np.ones(2))
    scenes.step(np.zeros((2, 4)))
    assert scenes.contacts.table.all()
    assert not scenes.contacts.fingers.any()
    policy = Pick()
    policy.reset(2)
    held = np.zeros(2, dtype=np.bool_)
    for _ in range(20):
        scenes.step(policy.act(scenes.observe(), goal=scenes.goal))
        contacts = scenes.contacts
        held |= contacts.fingers.all(axis=1) & ~contacts.table
    assert held.all()


def test_actions_of_the_wrong_shape_are_refused(scenes: BulletScenes) -> None:
    with pytest.raises(ValueError, match=r"\(2, 4\), not \(2, 3\)"):
        scenes.step(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="at least one scene"):
        BulletScenes(0)


def test_the_still_policy_scores_the_starts_within_the_success_radius(scenes: BulletScenes) -> None:
    episodes, seed = 25, 2
    result = benchmark(StillPolicy(4), scenes, cells=[Cell(1.0, 1.0)], episodes=episodes, seed=seed)
    starts = draw_starts(episodes, np.random.default_rng([seed, 3]))
    solved = success(np.column_stack([starts.cube, np.full(episodes, 0.02)]), starts.goal)
    assert solved.any()
    assert result.cells == {"1,1": solved.mean()}
    assert result.success == {"train": solved.mean()}
    assert result.labels["1,1"] == {"push": 1.0, "roll": 0.0, "pick": 0.0}


def test_any_number_of_scenes_gives_the_same_result(scenes: BulletScenes) -> None:
    cells = [Cell(0.1, 1.0), Cell(10.0, 10.0)]
    by_two = benchmark(Pick(), scenes, cells=cells, episodes=3, seed=5)
    three = BulletScenes(3)
    assert benchmark(Pick(), three, cells=cells, episodes=3, seed=5) == by_two
    three.close()
    assert list(by_two.cells) == [cell_name(cell) for cell in cells]
    assert set(by_two.success) == {"train", "moderate"}
    assert by_two.labels["0.1,1"]["pick"] == 1.0
