"""Bodies with hidden quantities, against the environments of Gymnasium."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.mujoco_world import BodyConfig, MujocoWorld
from skill_robots.worlds.registry import default_config, make_world
from skill_robots.worlds.varied.table import VARIED
from skill_robots.worlds.varied.world import VariedConfig, VariedWorld
from skill_robots.worlds.world import Split

SIZES = {
    "varied_ant": (28, 8),
    "varied_half_cheetah": (18, 6),
    "varied_hopper": (11, 3),
    "varied_walker": (17, 6),
    "varied_slim_humanoid": (45, 17),
    "varied_humanoid_standup": (45, 17),
    "crippled_ant": (41, 8),
    "crippled_half_cheetah": (18, 6),
    "crippled_hopper": (11, 3),
    "crippled_walker": (17, 6),
}
"""Lengths of observation and action in the release."""

ENVIRONMENTS: dict[str, tuple[str, dict[str, Any], tuple[float, ...]]] = {
    "varied_ant": ("Ant-v5", {}, (0.4, 1.6)),
    "varied_half_cheetah": ("HalfCheetah-v5", {}, (1.7, 0.2)),
    "varied_hopper": ("Hopper-v5", {}, (0.25, 2.0)),
    "varied_humanoid_standup": ("HumanoidStandup-v5", {}, (0.6, 1.5)),
    "crippled_ant": ("Ant-v5", {}, (0.5, 0, 1, 0, 1)),
    "crippled_walker": (
        "Walker2d-v5",
        {"xml_file": "walker2d.xml"},
        (1.6, 1, 0, 0, 0, 0, 0),
    ),
}
"""Environment of a body, its settings, and the context of a comparison."""


def world(body: str, n: int = 1, *, contexts: Split = "train", steps: int = 100) -> VariedWorld:
    config = VariedConfig(body=body, contexts=contexts, episode_steps=steps)
    return VariedWorld(config, n, seed=3)


def actions(made: VariedWorld, steps: int) -> Array:
    shape = (steps, made.n, made.spec.action_size)
    return np.random.default_rng(1).uniform(-1.0, 1.0, shape)


@pytest.mark.parametrize("body", ENVIRONMENTS)
def test_motion_is_that_of_gymnasium_with_its_model_changed_alike(body: str) -> None:
    name, settings, context = ENVIRONMENTS[body]
    made = VariedWorld(VariedConfig(body=body, integrator="file"), 2, seed=3)
    made.set_contexts(np.array([1]), np.array(context))
    made.reset()
    environment: Any = gymnasium.make(name, **settings).unwrapped
    environment.reset(seed=0)
    changed, model = made.bodies.batch.get_model(1), environment.model
    for field in ("body_mass", "dof_damping", "geom_size", "geom_pos"):
        getattr(model, field)[:] = getattr(changed, field)
    qpos = made.bodies.positions()
    state = made.bodies.observe()[1]
    environment.set_state(state[: model.nq], state[model.nq :])
    scale = made.spec.action[0].scale * made._variation.working[1]
    for action in actions(made, 60):
        made.step(action)
        environment.step(scale * action[1])
        np.testing.assert_allclose(qpos[1], environment.data.qpos, atol=1e-9)


@pytest.mark.parametrize("body", VARIED)
def test_scenes_of_scale_one_move_as_the_plain_body_to_the_last_bit(body: str) -> None:
    row = VARIED[body]
    made = world(body, n=2)
    whole = (1.0,) * (len(row.contexts.names) - len(row.limbs)) + (0.0,) * len(row.limbs)
    made.set_contexts(np.arange(2), np.array(whole))
    made.reset()
    plain = MujocoWorld(BodyConfig(body=body), 2, seed=3, body=row)
    plain.batch.state[:] = made.bodies.batch.state
    plain.batch.forward()
    for action in actions(made, 30):
        found, expected = made.step(action), plain.step(action)
        np.testing.assert_array_equal(made.bodies.observe(), expected.observation)
        np.testing.assert_array_equal(found.reward, expected.reward)
        assert not found.ended.any()


@pytest.mark.parametrize("body", VARIED)
def test_observation_and_action_have_the_sizes_of_the_release(body: str) -> None:
    made = world(body, n=3)
    assert (made.spec.observation_size, made.spec.action_size) == SIZES[body]
    assert made.reset().shape == (3, SIZES[body][0])
    assert default_config(body) == VariedConfig(body=body, episode_steps=VARIED[body].episode_steps)
    assert make_world(default_config(body), 1).spec.name == body


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (
            "varied_ant",
            "forward_velocity root_height root_quaternion joint_position root_velocity "
            "root_angular_velocity joint_velocity",
        ),
        (
            "varied_hopper",
            "rootz_position rooty_position joint_position rootx_velocity rootz_velocity "
            "rooty_velocity joint_velocity",
        ),
        (
            "crippled_ant",
            "root_position root_quaternion joint_position root_velocity root_angular_velocity "
            "joint_velocity torso_rotation torso_position",
        ),
    ],
)
def test_the_fields_are_named(body: str, names: str) -> None:
    assert " ".join(field.name for field in world(body).spec.observation) == names


def test_ant_sees_its_speed_and_neither_x_nor_y() -> None:
    made = world("varied_ant", n=2)
    assert made.reset()[0, 0] == 0.0
    before = made.bodies.body_position("torso")[:, 0]
    step = made.step(actions(made, 1)[0])
    speed = (made.bodies.body_position("torso")[:, 0] - before) / 0.05
    np.testing.assert_allclose(step.observation[:, 0], speed)
    np.testing.assert_array_equal(step.observation[:, 1:14], made.bodies.positions()[:, 2:])
    np.testing.assert_array_equal(made.coordinates(), made.bodies.positions()[:, :2])
    ctrl = np.square(actions(made, 1)[0]).sum(axis=1)
    np.testing.assert_allclose(step.reward, speed + 1.0 - 0.01 * ctrl)


def test_velocities_of_hopper_are_seen_within_ten() -> None:
    made = world("varied_hopper")
    made.bodies.batch.bind("qvel")[0] = (20.0, -3.0, -50.0, 1.0, 2.0, 30.0)
    seen = made._observed(made.bodies.observe())
    np.testing.assert_array_equal(seen[0, 5:], (10.0, -3.0, -10.0, 1.0, 2.0, 10.0))


def test_crippled_ant_sees_the_pose_of_its_torso() -> None:
    made = world("crippled_ant")
    seen = made.reset()[0]
    w, x, y, z = seen[3:7]
    np.testing.assert_allclose(seen[29], 1 - 2 * (y * y + z * z) / (w * w + x * x + y * y + z * z))
    np.testing.assert_allclose(seen[38:41], seen[:3])


def test_a_crippled_joint_gets_no_torque_and_the_body_moves_differently() -> None:
    made = world("crippled_half_cheetah", n=2)
    made.set_contexts(np.arange(2), np.array([[1.0, 0, 0, 0, 0, 0, 0], [1.0, 0, 0, 0, 1, 0, 0]]))
    made.reset()
    made.bodies.batch.state[1] = made.bodies.batch.state[0]  # the same start
    step = made.step(np.ones((2, 6)))
    torque = made.bodies.batch.bind("ctrl")
    np.testing.assert_array_equal(torque, [[1] * 6, [1, 1, 1, 0, 1, 1]])
    qpos = made.bodies.positions()
    assert np.abs(qpos[0] - qpos[1]).max() > 1e-3
    velocity = step.observation[:, 0]
    np.testing.assert_allclose(step.reward, velocity - 0.1 * np.array([6.0, 5.0]))


def test_hidden_quantities_are_described_and_drawn_from_the_set() -> None:
    made = world("crippled_walker", n=30, contexts="extreme")
    found = [(q.name, q.low, q.high) for q in made.spec.hidden]
    assert found[:2] == [("mass_scale", 0.25, 1.75), ("crippled_thigh", 0.0, 0.0)]
    assert found[-1] == ("crippled_foot_left", 0.0, 1.0)
    drawn = {tuple(row) for row in made.hidden()}
    assert drawn <= set(map(tuple, made.contexts("extreme")))
    assert len(drawn) > 4


def test_equal_seeds_draw_equal_contexts_and_starts() -> None:
    first, second = world("varied_walker", n=6), world("varied_walker", n=6)
    for action in actions(first, 5):
        np.testing.assert_array_equal(
            first.step(action).observation, second.step(action).observation
        )
    np.testing.assert_array_equal(first.reset(np.array([2, 4])), second.reset(np.array([2, 4])))
    np.testing.assert_array_equal(first.hidden(), second.hidden())


def test_a_restored_world_draws_the_same_episodes() -> None:
    made, other = world("crippled_ant", n=8), world("crippled_ant", n=8)
    made.reset()
    other.load_state_dict(made.state_dict())
    np.testing.assert_array_equal(made.reset(), other.reset())
    np.testing.assert_array_equal(made.hidden(), other.hidden())
    for action in actions(made, 5):
        np.testing.assert_array_equal(made.step(action).observation, other.step(action).observation)


def test_contexts_can_be_fixed_and_drawn_again() -> None:
    made = world("varied_ant", n=3)
    before = made.hidden()
    made.set_contexts(np.array([0, 2]), np.array([[0.4, 1.6], [7.0, 0.1]]))
    np.testing.assert_array_equal(made.hidden(), before)  # not before the next start
    for _ in range(2):
        made.reset()
        np.testing.assert_array_equal(made.hidden()[[0, 2]], [[0.4, 1.6], [7.0, 0.1]])
    made.set_contexts(np.arange(3), None)
    made.reset()
    cells = {tuple(row) for row in made.contexts("train")}
    assert {tuple(row) for row in made.hidden()} <= cells


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1.0, 0.0], r"has 5 values, mass_scale, crippled_front_left_leg.*shape \(2,\)"),
        ([0.0, 0, 0, 0, 0], "must be positive"),
        ([np.nan, 0, 0, 0, 0], "must be positive"),
        ([1.0, 0.5, 0, 0, 0], "must be 0 or 1"),
    ],
)
def test_a_context_that_does_not_fit_is_explained(values: list[float], text: str) -> None:
    with pytest.raises(WorldError, match=text):
        world("crippled_ant").set_contexts(np.array([0]), np.array(values))


def test_contexts_need_a_row_for_each_scene_that_exists() -> None:
    made, one = world("varied_ant", n=3), np.ones((2, 2))
    for ids, values, said in (
        ([0, 1, 2], one, r"shape \(2, 2\), expected \(3, 2\)"),
        ([0], one, r"expected \(1, 2\)"),
        ([0, 3], one, "no scene 3"),
        ([-1, 0], one, "no scene -1"),
        ([0.5, 1.0], one, "whole numbers"),
        ([0], [["light", "stiff"]], "is made of numbers"),
    ):
        with pytest.raises(WorldError, match=said):
            made.set_contexts(np.array(ids), values)  # type: ignore[arg-type]
    with pytest.raises(WorldError, match="no set of contexts 'foo'"):
        made.contexts("foo")  # type: ignore[arg-type]


def test_a_body_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(WorldError, match=r"no body 'cat'.*choose one of varied_ant"):
        world("cat")
