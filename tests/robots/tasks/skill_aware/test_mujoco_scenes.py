"""The MuJoCo twin of the benchmark: laws of physics, and agreement with panda-gym's scenes."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.franka.kinematics import END_EFFECTOR_IN_HAND
from skill_robots.franka.specs import PANDA
from skill_robots.motion.inverse_kinematics import inverse_kinematics
from skill_robots.observation import layout
from skill_robots.tasks.skill_aware.benchmark import (
    MOTION_KINDS,
    Cell,
    benchmark,
    draw_starts,
    motion_kind,
)
from skill_robots.tasks.skill_aware.bullet_kinematics import (
    DAMPING,
    ITERATIONS,
    joint_targets,
    locate,
)
from skill_robots.tasks.skill_aware.engines import SATURATION_LABEL, make_scenes
from skill_robots.tasks.skill_aware.mujoco_model import BASE_POSITION, JOINT_FORCE
from skill_robots.tasks.skill_aware.mujoco_scenes import MujocoScenes
from skill_robots.tasks.skill_aware.scenes import (
    CUBE_REST_HEIGHT_M,
    FRICTION_LIMIT,
    OBSERVATION,
    Starts,
    cube_table_friction,
)

GRAVITY = 9.81
FIELDS = layout(OBSERVATION)
FAR = (0.3, 0.3)
CLOSE = -1.0
OPEN = 1.0


def begin(
    masses: list[float], *, friction: float = 1.0, cube: tuple[float, float] = (0.0, 0.0)
) -> MujocoScenes:
    n = len(masses)
    scenes = MujocoScenes(n)
    starts = Starts(cube=np.tile(cube, (n, 1)), goal=np.zeros((n, 2)))
    scenes.reset(starts, np.full(n, friction), np.array(masses))
    return scenes


def hand(scenes: MujocoScenes) -> Array:
    return scenes.observe()[:, FIELDS["end_effector_position"]]


def act(scenes: MujocoScenes, *action: float, steps: int = 1) -> None:
    for _ in range(steps):
        scenes.step(np.tile(action, (scenes.n, 1)))


def move(scenes: MujocoScenes, to: tuple[float, float, float], width: float, steps: int) -> None:
    for _ in range(steps):
        way = np.clip((np.array(to) - hand(scenes)) / 0.05, -1.0, 1.0)
        scenes.step(np.concatenate([way, np.full((scenes.n, 1), width)], axis=1))


def grasp(scenes: MujocoScenes) -> None:
    """Closes the hand round cubes at the origin."""
    move(scenes, (0.0, 0.0, 0.12), OPEN, 8)
    move(scenes, (0.0, 0.0, 0.015), OPEN, 8)
    act(scenes, 0.0, 0.0, 0.0, CLOSE, steps=5)


def stand_beside(scenes: MujocoScenes) -> None:
    """Puts the fist beside cubes at the origin, ready to push along y."""
    move(scenes, (0.0, -0.07, 0.10), CLOSE, 10)
    move(scenes, (0.0, -0.07, 0.02), CLOSE, 8)


# The arm ----------------------------------------------------------------------------------------


def test_the_arm_starts_in_panda_gyms_neutral_pose() -> None:
    scenes = begin([1.0])
    np.testing.assert_allclose(hand(scenes)[0], [0.03844, 0.0, 0.19740], atol=1e-5)
    assert scenes.observe()[0, FIELDS["gripper_width"]] == 0.0
    np.testing.assert_allclose(scenes.cube_position[0], [0.0, 0.0, CUBE_REST_HEIGHT_M])


def test_the_hand_holds_its_position() -> None:
    """The motors carry the arm's weight without sinking over 50 steps."""
    scenes = begin([1.0], cube=FAR)
    before = hand(scenes)
    act(scenes, 0.0, 0.0, 0.0, 0.0, steps=50)
    assert np.linalg.norm(hand(scenes) - before) < 0.002


def test_joint_targets_are_those_of_twenty_damped_steps() -> None:
    rng = np.random.default_rng(0)
    base = np.array(BASE_POSITION)
    places = rng.uniform([0.45, -0.2, 0.02], [0.72, 0.2, 0.2], (16, 3))
    start = inverse_kinematics(PANDA, places) + rng.uniform(-0.02, 0.02, (16, 7))
    wish = locate(start, base)[0].position + rng.uniform(-0.05, 0.05, (16, 3))
    stepped = np.array([_damped_steps(q, p) for q, p in zip(start, wish, strict=True)])
    reached = [locate(q, base)[0].position for q in (joint_targets(start, wish, base), stepped)]
    assert np.abs(reached[0] - reached[1]).max() < 1e-3
    assert np.linalg.norm(reached[1] - wish, axis=1).max() > 5e-3  # they fall short


def _damped_steps(joints: Array, wish: Array) -> Array:
    """Damped least squares written out for one arm, with the exact rotation vector."""
    joints = joints.copy()
    for _ in range(ITERATIONS):
        ends, jacobians = locate(joints[None], np.array(BASE_POSITION))
        error = np.diag([1.0, -1.0, -1.0]) @ ends.rotation[0].T
        sine = 0.5 * np.array(
            [error[2, 1] - error[1, 2], error[0, 2] - error[2, 0], error[1, 0] - error[0, 1]]
        )
        size = np.linalg.norm(sine)
        turn = sine * (np.arcsin(size) / size)
        jacobian = jacobians[0]
        gram = jacobian @ jacobian.T + DAMPING * np.eye(6)
        twist = np.concatenate([wish - ends.position[0], turn])
        joints += jacobian.T @ np.linalg.solve(gram, twist)
    return joints


def test_the_jacobian_is_that_of_the_end_effector() -> None:
    base, h = np.array(BASE_POSITION), 1e-6
    joints = inverse_kinematics(PANDA, np.array([[0.6, 0.1, 0.1]])) + 0.1
    jacobian = locate(joints, base)[1][0]
    for i in range(7):
        ahead = joints.copy()
        ahead[0, i] += h
        slope = (locate(ahead, base)[0].position - locate(joints, base)[0].position)[0] / h
        np.testing.assert_allclose(jacobian[:3, i], slope, atol=1e-5)
    assert END_EFFECTOR_IN_HAND < 0.105


def test_a_blocked_push_does_not_wind_up() -> None:
    """A target is the measured hand plus the action, so a released push does not spring forward."""
    scenes = begin([500.0], friction=10.0)
    stand_beside(scenes)
    act(scenes, 0.0, 1.0, 0.0, CLOSE, steps=10)
    blocked = hand(scenes)
    assert blocked[0, 1] < -0.02
    act(scenes, 0.0, 0.0, 0.0, CLOSE, steps=5)
    assert np.linalg.norm(hand(scenes) - blocked) < 0.01


def test_motors_keep_their_limits() -> None:
    scenes = begin([500.0], friction=10.0)
    force = scenes.batch.bind("actuator_force")
    stand_beside(scenes)
    largest = np.zeros(7)
    for _ in range(10):
        act(scenes, 0.0, 1.0, 0.0, CLOSE)
        largest = np.maximum(largest, np.abs(force[0, :7]))
    assert (largest <= JOINT_FORCE).all()
    assert (largest == JOINT_FORCE).any()  # the arm pushes with its largest force


# The cube ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("friction", [0.1, 1.0, 5.0, 10.0])
@pytest.mark.parametrize("mass", [1.0, 30.0])
def test_a_cube_slips_at_half_the_label(friction: float, mass: float) -> None:
    """Pushed at its foot, so that it cannot tip."""
    scenes = begin([mass, mass], friction=friction)
    weight = mass * GRAVITY
    push = 0.5 * friction * weight * np.array([0.95, 1.05])
    applied = scenes.batch.bind("xfrc_applied")
    cube = scenes.model.body("cube").id
    applied[:, cube, 0] = push
    applied[:, cube, 4] = -CUBE_REST_HEIGHT_M * push  # moves the line of action to the foot
    act(scenes, 0.0, 0.0, 0.0, 0.0, steps=10)
    moved = scenes.cube_position[:, 0]
    expected = 0.5 * 0.05 * 0.5 * friction * GRAVITY * 0.4**2
    assert moved[0] < 0.1 * expected
    assert moved[1] > 0.7 * expected


def test_the_effective_friction_saturates() -> None:
    np.testing.assert_allclose(
        cube_table_friction(np.array([0.1, 1.0, 5.0, 10.0, 30.0])),
        [0.05, 0.5, 2.5, 5.0, FRICTION_LIMIT],
    )


def test_labels_from_the_saturation_on_give_identical_physics() -> None:
    n, mass = 4, np.array([1.0, 5.0, 10.0, 30.0])
    starts = draw_starts(n, np.random.default_rng(2))
    actions = _towards(starts, 25)
    saturation = SATURATION_LABEL["mujoco"]
    assert saturation == 14.0
    scenes = MujocoScenes(n)
    seen = {
        label: _run(scenes, starts, actions, mass, friction=label)
        for label in (13.0, saturation, 20.0, 30.0)
    }
    np.testing.assert_array_equal(seen[saturation], seen[30.0])
    np.testing.assert_array_equal(seen[20.0], seen[30.0])
    assert np.abs(seen[13.0] - seen[30.0]).max() > 1e-3


@pytest.mark.parametrize(("friction", "speed"), [(0.1, 0.3), (1.0, 0.6)])
def test_a_cube_coasts_as_far_as_coulomb_says(friction: float, speed: float) -> None:
    scenes = begin([1.0, 10.0], friction=friction)
    velocity = scenes.batch.bind("qvel")
    velocity[:, int(scenes.model.joint("cube").dofadr[0]) + 1] = speed
    act(scenes, 0.0, 0.0, 0.0, 0.0, steps=40)
    np.testing.assert_allclose(
        scenes.cube_position[:, 1], speed**2 / (2.0 * 0.5 * friction * GRAVITY), rtol=0.04
    )


def test_the_arm_lifts_5_kg_and_not_15() -> None:
    """Joint 2 has 87 N m, 36 of them for the arm itself: 5 kg at 0.6 m, not 15."""
    scenes = begin([1.0, 5.0, 15.0, 30.0])
    grasp(scenes)
    act(scenes, 0.0, 0.0, 0.25, CLOSE, steps=15)
    height = scenes.cube_position[:, 2]
    assert (height[:2] > 0.10).all()
    assert (height[2:] < 0.04).all()
    touching = scenes.contacts
    assert touching.table.tolist() == [False, False, True, True]
    assert touching.fingers[:2].all()
    assert [MOTION_KINDS[i] for i in motion_kind(height, touching)[:2]] == ["pick", "pick"]


def test_soft_fingers_reduce_the_gripper_width() -> None:
    """170 N on each side indent each face by 4.5 mm, at any mass of the cube."""
    scenes = begin([1.0, 5.0, 30.0])
    grasp(scenes)
    act(scenes, 0.0, 0.0, 0.0, CLOSE, steps=3)
    width = scenes.observe()[:, FIELDS["gripper_width"]][:, 0]
    np.testing.assert_allclose(width, 0.031, atol=0.0015)


def test_a_change_of_mass_acts_immediately() -> None:
    """A cube held in the air stays at 4 kg and sinks at 40."""
    scenes = begin([1.0, 1.0])
    grasp(scenes)
    act(scenes, 0.0, 0.0, 0.25, CLOSE, steps=15)
    held = scenes.cube_position[:, 2]
    scenes.set_context(np.array([1.0, 1.0]), np.array([4.0, 40.0]))
    act(scenes, 0.0, 0.0, 0.0, CLOSE, steps=10)
    fell = held - scenes.cube_position[:, 2]
    assert abs(fell[0]) < 0.03
    assert fell[1] > 0.08


def test_a_change_of_friction_acts_immediately() -> None:
    scenes = begin([1.0, 1.0], friction=0.1)
    velocity = scenes.batch.bind("qvel")
    velocity[:, int(scenes.model.joint("cube").dofadr[0]) + 1] = 0.4
    act(scenes, 0.0, 0.0, 0.0, 0.0, steps=2)
    scenes.set_context(np.array([0.1, 10.0]), np.ones(2))
    act(scenes, 0.0, 0.0, 0.0, 0.0, steps=10)
    speed = np.linalg.norm(scenes.observe()[:, FIELDS["cube_velocity"]], axis=1)
    assert speed[0] > 0.1
    assert speed[1] < 0.01


def test_a_fist_tips_a_cube_that_does_not_slide() -> None:
    """Friction label 10, 10 kg: 490 N to slide, 49 N to tip; the arm has less than 490."""
    scenes = begin([10.0], friction=10.0)
    move(scenes, (0.08, 0.0, 0.10), CLOSE, 8)
    move(scenes, (0.08, 0.0, 0.02), CLOSE, 8)
    tilt = 1.0
    for _ in range(8):
        act(scenes, -0.9, 0.0, 0.4, CLOSE)
        _, x, y, _ = scenes.observe()[0, FIELDS["cube_quaternion"]]
        tilt = min(tilt, 1.0 - 2.0 * (x * x + y * y))
    assert tilt < np.cos(np.deg2rad(30.0))


# Scenes -----------------------------------------------------------------------------------------


def _run(
    scenes: MujocoScenes, starts: Starts, actions: Array, mass: Array, *, friction: float = 1.0
) -> Array:
    scenes.reset(starts, np.full(scenes.n, friction), mass)
    seen: list[Array] = []
    for action in actions:
        scenes.step(action)
        seen.append(scenes.observe())
    return np.array(seen)


def _towards(starts: Starts, steps: int) -> Array:
    """Returns actions ``(steps, n, 4)`` that bring every hand down on its cube."""
    rng = np.random.default_rng(5)
    actions = rng.uniform(-0.3, 0.3, (steps, len(starts.cube), 4))
    actions[:, :, :2] += 0.5 * np.sign(starts.cube)
    actions[:, :, 2] -= 0.5
    return actions


def test_a_batch_is_n_scenes_alone_and_repeats_itself() -> None:
    n, mass = 5, np.array([1.0, 5.0, 10.0, 30.0, 2.0])
    starts = draw_starts(n, np.random.default_rng(2))
    actions = _towards(starts, 15)
    together = MujocoScenes(n, threads=2)
    first = _run(together, starts, actions, mass)
    again = _run(together, starts, actions, mass)
    np.testing.assert_array_equal(first, again)
    alone = MujocoScenes(1)
    for i in range(n):
        rows = np.array([i])
        single = _run(alone, starts.take(rows), actions[:, rows], mass[rows])
        np.testing.assert_allclose(single[:, 0], first[:, i], rtol=0, atol=1e-9)


def test_make_scenes_makes_the_scenes_of_the_engine() -> None:
    scenes = make_scenes("mujoco", 2)
    assert isinstance(scenes, MujocoScenes)
    scenes.close()


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one scene"):
        MujocoScenes(0)
    with pytest.raises(ValueError, match=r"actions are \(2, 4\)"):
        begin([1.0, 1.0]).step(np.zeros((2, 3)))


def test_the_gentle_pick_solves_cells_with_light_cubes() -> None:
    scripted = pytest.importorskip("skill_robots.tasks.skill_aware.scripted.policies")
    cells = (Cell(1.0, 1.0), Cell(10.0, 5.0))
    result = benchmark(scripted.Pick(), make_scenes("mujoco", 16), cells=cells, episodes=16)
    assert min(result.cells.values()) > 0.8


# Agreement with Bullet --------------------------------------------------------------------------


def test_both_engines_start_alike_and_move_alike() -> None:
    """After eight open-loop actions in the air the hands differ by a twentieth of their path."""
    pytest.importorskip("panda_gym", reason="the bullet extra is not installed")
    n = 4
    starts = draw_starts(n, np.random.default_rng(4))
    starts.cube[:] = 0.14 * np.sign(starts.cube)
    twin, bullet = make_scenes("mujoco", n), make_scenes("bullet", n)
    for scenes in (twin, bullet):
        scenes.reset(starts, np.ones(n), np.ones(n))
    np.testing.assert_allclose(twin.observe(), bullet.observe(), atol=2e-3)
    start = twin.observe()[:, FIELDS["end_effector_position"]]
    actions = np.array([[0.5, 0, 0.2, 1], [-1, 0.3, 0, 0.2], [0, 1, 0, 0], [0.2, -0.2, -0.4, -0.1]])
    for _ in range(8):
        twin.step(actions)
        bullet.step(actions)
    part = FIELDS["end_effector_position"]
    apart = np.linalg.norm(twin.observe()[:, part] - bullet.observe()[:, part], axis=1)
    assert (apart < 0.003 + 0.06 * np.linalg.norm(bullet.observe()[:, part] - start, axis=1)).all()
    part = FIELDS["gripper_width"]
    assert np.abs(twin.observe()[:, part] - bullet.observe()[:, part]).max() < 0.002
    bullet.close()
