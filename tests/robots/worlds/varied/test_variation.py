"""Models of single scenes, against masses, dampings and shapes computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.worlds.varied.world import VariedConfig, VariedWorld


def in_contexts(body: str, *contexts: tuple[float, ...]) -> VariedWorld:
    """One scene in each context."""
    made = VariedWorld(VariedConfig(body=body), len(contexts), seed=4)
    made.set_contexts(np.arange(made.n), np.array(contexts))
    made.reset()
    return made


def test_the_first_two_legs_of_ant_get_heavier_and_the_others_lighter() -> None:
    made = in_contexts("varied_ant", (1.0, 1.0), (0.5, 0.25))
    plain = made.bodies.model
    np.testing.assert_array_equal(made.bodies.batch.get_model(0).body_mass, plain.body_mass)
    model = made.bodies.batch.get_model(1)
    np.testing.assert_array_equal(model.body_mass[:2], plain.body_mass[:2])  # floor and torso
    for part in ("front_left_leg", "aux_1", "front_right_leg", "aux_2"):
        assert model.body(part).mass == 0.5 * plain.body(part).mass
    for part in ("back_leg", "aux_3", "right_back_leg", "aux_4"):
        assert model.body(part).mass == 2.0 * plain.body(part).mass
    np.testing.assert_array_equal(model.dof_damping[:6], 0.0)
    for leg, factor in ((1, 0.25), (2, 4.0), (3, 4.0), (4, 4.0)):
        for joint in (f"hip_{leg}", f"ankle_{leg}"):
            assert model.joint(joint).damping == factor * plain.joint(joint).damping


@pytest.mark.parametrize(
    "body",
    ["varied_half_cheetah", "varied_hopper", "varied_walker", "varied_slim_humanoid"],
)
def test_every_mass_and_damping_of_the_others_is_scaled(body: str) -> None:
    made = in_contexts(body, (0.4, 1.6))
    plain, model = made.bodies.model, made.bodies.batch.get_model(0)
    np.testing.assert_array_equal(model.body_mass, 0.4 * plain.body_mass)
    np.testing.assert_array_equal(model.dof_damping, 1.6 * plain.dof_damping)
    np.testing.assert_array_equal(model.body_inertia, plain.body_inertia)


def test_a_crippled_body_keeps_its_dampings() -> None:
    made = in_contexts("crippled_half_cheetah", (1.25, 0, 0, 0, 1, 0, 1))
    plain, model = made.bodies.model, made.bodies.batch.get_model(0)
    np.testing.assert_array_equal(model.body_mass, 1.25 * plain.body_mass)
    np.testing.assert_array_equal(model.dof_damping, plain.dof_damping)
    np.testing.assert_array_equal(model.geom_size, plain.geom_size)


def test_a_crippled_leg_of_ant_shrinks_towards_the_torso() -> None:
    made = in_contexts("crippled_ant", (1.0, 0, 1, 0, 0))
    plain, model = made.bodies.model, made.bodies.batch.get_model(0)
    length = np.hypot(0.2, 0.2) / 2
    np.testing.assert_allclose(model.geom("right_leg_geom").size[:2], (0.04, length / 2))
    np.testing.assert_allclose(model.geom("right_ankle_geom").size[:2], (0.04, length))
    np.testing.assert_allclose(plain.geom("right_ankle_geom").pos, (-0.2, 0.2, 0.0))
    np.testing.assert_allclose(model.geom("right_ankle_geom").pos, (-0.1, 0.1, 0.0))
    for name in ("aux_2_geom", "left_leg_geom", "fourth_ankle_geom", "torso_geom"):
        np.testing.assert_array_equal(model.geom(name).size, plain.geom(name).size)
        np.testing.assert_array_equal(model.geom(name).pos, plain.geom(name).pos)
    np.testing.assert_array_equal(model.body_mass, plain.body_mass)


def test_the_geoms_of_a_crippled_leg_of_walker_end_at_the_thigh() -> None:
    made = in_contexts("crippled_walker", (1.0, 1, 1, 1, 0, 0, 0), (1.0, 0, 0, 0, 0, 0, 1))
    plain = made.bodies.model
    whole, foot = (made.bodies.batch.get_model(scene) for scene in (0, 1))
    for part in ("thigh", "leg", "foot"):
        geom = f"{part}_geom"
        np.testing.assert_array_equal(whole.geom(geom).size[:2], plain.geom(geom).size[:2] / 2)
        np.testing.assert_allclose(whole.geom(geom).pos, (0.0, 0.0, -0.225))
        left = f"{part}_left_geom"
        np.testing.assert_array_equal(whole.geom(left).size, plain.geom(left).size)
    np.testing.assert_allclose(foot.geom("foot_left_geom").size[:2], (0.03, 0.05))
    np.testing.assert_array_equal(foot.geom("foot_left_geom").pos, np.zeros(3))


def test_a_scene_that_starts_anew_is_whole_again_and_the_others_stay() -> None:
    made = in_contexts("crippled_ant", (0.5, 1, 0, 0, 0), (0.5, 1, 0, 0, 0))
    made.set_contexts(np.array([1]), np.array([1.0, 0, 0, 0, 0]))
    made.reset(np.array([1]))
    plain = made.bodies.model
    first, second = (made.bodies.batch.get_model(scene) for scene in (0, 1))
    np.testing.assert_array_equal(first.body_mass, 0.5 * plain.body_mass)
    np.testing.assert_array_equal(second.body_mass, plain.body_mass)
    np.testing.assert_array_equal(second.geom_size, plain.geom_size)
    np.testing.assert_array_equal(second.geom_pos, plain.geom_pos)
    np.testing.assert_array_equal(made._variation.working[0], [1, 1, 0, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(made._variation.working[1], np.ones(8))


@pytest.mark.parametrize(
    ("body", "actuators"),
    [
        ("crippled_ant", [(2, 3), (4, 5), (6, 7), (0, 1)]),
        ("crippled_half_cheetah", [(place,) for place in range(6)]),
        ("crippled_hopper", [(place,) for place in range(3)]),
        ("crippled_walker", [(place,) for place in range(6)]),
    ],
)
def test_each_limb_has_the_actuators_of_the_release(
    body: str, actuators: list[tuple[int, ...]]
) -> None:
    made = in_contexts(body, *((1.0, *row) for row in np.eye(len(actuators)).tolist()))
    for working, own in zip(made._variation.working, actuators, strict=True):
        assert tuple(np.flatnonzero(working == 0.0)) == own
