"""MuJoCo bodies, against the environments of Gymnasium."""

from __future__ import annotations

from typing import Any, cast

import gymnasium
import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.worlds.bodies import BODIES
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.mujoco_world import BodyConfig, MujocoWorld

WHOLE = {"exclude_current_positions_from_observation": False}
NO_CONTACT = {"contact_cost_weight": 0.0}
ENVIRONMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "ant": ("Ant-v5", WHOLE | NO_CONTACT | {"include_cfrc_ext_in_observation": False}),
    "half_cheetah": ("HalfCheetah-v5", WHOLE),
    "hopper": ("Hopper-v5", WHOLE),
    "walker": ("Walker2d-v5", WHOLE),
    "humanoid": ("Humanoid-v5", WHOLE | NO_CONTACT),
}
"""The environment of each body, and its settings for the observation and reward of the papers."""


def world(body: str, n: int = 1, **settings: object) -> MujocoWorld:
    config = BodyConfig(body=body, **cast("dict[str, Any]", settings))
    return MujocoWorld(config, n, seed=3)


def actions(made: MujocoWorld, steps: int) -> Array:
    shape = (steps, made.n, made.spec.action_size)
    return np.random.default_rng(1).uniform(-1.0, 1.0, shape)


@pytest.mark.parametrize("body", BODIES)
def test_motion_reward_and_end_are_those_of_gymnasium(body: str) -> None:
    made = world(body, n=2, integrator="file", terminals=True)
    name, settings = ENVIRONMENTS[body]
    environment: Any = gymnasium.make(name, **settings).unwrapped
    environment.reset(seed=0)
    start = made.reset()[1]
    environment.set_state(start[: made.model.nq], start[made.model.nq :])
    scale = made.spec.action[0].scale
    ends = 0
    for action in actions(made, 60):
        step = made.step(action)
        _, reward, terminated, _, _ = environment.step(scale * action[1])
        data = environment.data
        np.testing.assert_allclose(
            step.observation[1], np.concatenate((data.qpos, data.qvel)), atol=1e-9
        )
        assert step.reward[1] == pytest.approx(reward, abs=1e-8)
        assert step.terminated[1] == terminated
        assert step.ended[1] == terminated
        ends += int(terminated)
    assert (ends > 0) == (body in ("hopper", "walker", "humanoid"))


@pytest.mark.parametrize("body", [name for name in BODIES if name != "half_cheetah"])
def test_falls_are_those_of_gymnasium(body: str) -> None:
    """States around every bound: height, pitch, and Hopper's bound of 100 on the rest."""
    made = world(body)
    name, settings = ENVIRONMENTS[body]
    environment: Any = gymnasium.make(name, **settings).unwrapped
    health, height = made.body.health, made.body.height
    assert health is not None
    random = np.random.default_rng(2)
    found = {True: 0, False: 0}
    for trial in range(200):
        qpos, qvel = made.model.qpos0.copy(), random.normal(0.0, 1.0, made.model.nv)
        qpos[height] = random.uniform(0.1, 2.2)
        qpos[height + 1] += random.normal(0.0, 0.15 if health.pitch_rad else 0.0)
        if trial % 2:
            qvel[random.integers(made.model.nv)] = random.choice([-101.0, -99.0, 99.0, 101.0])
        environment.set_state(qpos, qvel)
        standing = bool(health.standing(qpos[None], qvel[None], height=height)[0])
        assert standing == environment.is_healthy
        found[standing] += 1
    assert min(found.values()) > 10


@pytest.mark.parametrize("body", BODIES)
def test_starts_are_drawn_as_in_gymnasium(body: str) -> None:
    made = world(body, n=400)
    position = made.observe()[:, : made.model.nq] - made.model.qpos0
    velocity = made.observe()[:, made.model.nq :]
    noise = made.body.noise
    plain = position[:, made.body.plane]
    assert np.abs(plain).max() <= noise
    assert plain.std() == pytest.approx(noise / np.sqrt(3), rel=0.1)
    normal = made.body.velocity_noise == "normal"
    assert velocity.std() == pytest.approx(noise if normal else noise / np.sqrt(3), rel=0.1)
    assert (np.abs(velocity).max() > noise) == normal


def test_the_fields_of_ant_are_its_whole_state() -> None:
    spec = world("ant").spec
    assert [(field.name, field.size, field.unit) for field in spec.observation] == [
        ("root_position", 3, "m"),
        ("root_quaternion", 4, "1"),
        ("joint_position", 8, "rad"),
        ("root_velocity", 3, "m/s"),
        ("root_angular_velocity", 3, "rad/s"),
        ("joint_velocity", 8, "rad/s"),
    ]
    assert (spec.observation_size, spec.action_size) == (29, 8)
    assert spec.control_rate_hz == pytest.approx(20.0)
    assert spec.coordinates is not None
    assert spec.coordinates.names == ("root_position.0", "root_position.1")


def test_the_fields_of_half_cheetah_are_its_whole_state() -> None:
    spec = world("half_cheetah").spec
    assert spec.observation_size == 18
    assert spec.indices(("rootx_position",)) == [0]
    assert spec.indices(("*",)) == list(range(18))
    assert spec.indices(("joint_velocity.2", "rootz_position.0")) == [14, 1]


def test_coordinates_are_the_position_in_the_plane() -> None:
    made = world("ant", n=3)
    np.testing.assert_array_equal(made.coordinates(), made.observe()[:, :2])


def test_an_entry_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(
        ValueError, match=r"Ant has no entry 'root_position.3'.*root_position \(3\)"
    ):
        world("ant").spec.indices(("root_position.3",))


def test_equal_seeds_and_actions_give_equal_bits() -> None:
    first, second = world("ant", n=4), world("ant", n=4)
    for action in actions(first, 20):
        np.testing.assert_array_equal(
            first.step(action).observation, second.step(action).observation
        )


def test_a_restored_world_draws_the_same_starts() -> None:
    made = world("hopper", n=4)
    state = made.state_dict()
    expected = made.reset()
    made.load_state_dict(state)
    np.testing.assert_array_equal(made.reset(), expected)


def test_only_the_named_scenes_start_anew() -> None:
    made = world("half_cheetah", n=3)
    for action in actions(made, 5):
        made.step(action)
    before = made.observe()
    after = made.reset(np.array([1]))
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])
    assert np.abs(after[1, :9] - made.model.qpos0).max() <= 0.1


def test_actions_beyond_one_are_clipped() -> None:
    made, clipped = world("half_cheetah"), world("half_cheetah")
    large = np.full((1, 6), 5.0)
    np.testing.assert_array_equal(
        made.step(large).observation, clipped.step(np.ones((1, 6))).observation
    )


def test_a_body_that_lies_on_its_back_starts_anew_if_asked() -> None:
    made = world("ant", n=2, restart_lying_after=10)
    still = np.zeros((2, 8))
    made._qpos[1, 2:7] = (0.4, 0.0, 1.0, 0.0, 0.0)  # turned about x by 180 degrees
    ended = [made.step(still) for _ in range(10)]
    assert [bool(step.ended[1]) for step in ended] == [False] * 9 + [True]
    assert not any(step.ended[0] or step.terminated.any() for step in ended)
    made.reset(np.array([1]))
    assert not made.step(still).ended.any()


def test_without_the_restart_it_lies_until_the_end() -> None:
    made = world("ant")
    made._qpos[0, 2:7] = (0.4, 0.0, 1.0, 0.0, 0.0)
    assert not any(made.step(np.zeros((1, 8))).ended[0] for _ in range(30))


def test_an_unstable_simulation_ends_the_episode_without_a_terminal() -> None:
    made = world("ant", n=2, terminals=True)
    made.reset()
    made._qvel[0, 0] = 1e12  # in the first step of the episode
    step = made.step(np.zeros((2, 8)))
    assert step.ended.tolist() == [True, False]
    assert not step.terminated.any()
    assert step.reward[0] == 0.0
    assert step.valid is not None
    assert step.valid.tolist() == [False, True]
    np.testing.assert_array_equal(made.coordinates()[0], step.observation[0, :2])
    assert np.isfinite(made.reset(np.array([0]))).all()


def test_a_body_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(WorldError, match=r"no body 'cat'; choose one of ant, half_cheetah"):
        world("cat")
