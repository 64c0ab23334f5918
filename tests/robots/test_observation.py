"""Observation fields: values, layout, the objects they describe, and unknown names."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.arm import Pose
from skill_robots.franka.specs import PANDA
from skill_robots.objects import CUBE
from skill_robots.observation import (
    FIELDS,
    PUSH_OBSERVATION,
    WorldState,
    layout,
    manifest_fields,
    observe,
    observed_objects,
    rotate,
    scales,
    specs,
)
from skill_robots.rotations import canonical_sign

PROPRIOCEPTIVE = tuple(name for name, spec in FIELDS.items() if spec.object is None)


def random_world(n: int, *, with_cube: bool = True) -> WorldState:
    rng = np.random.default_rng(0)

    def draw(size: int) -> Array:
        return rng.normal(size=(n, size))

    cube = Pose(position=draw(3), quaternion=draw(4), velocity=draw(3), angular_velocity=draw(3))
    return WorldState(
        joint_position=draw(7),
        joint_velocity=draw(7),
        end_effector_position=draw(3),
        end_effector_velocity=draw(3),
        setpoint_position=draw(3),
        setpoint_velocity=draw(3),
        gripper_width=draw(1),
        objects={CUBE: cube} if with_cube else {},
        kinematics=PANDA.kinematics,
    )


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_has_the_size_that_its_spec_states(name: str) -> None:
    assert FIELDS[name].compute(random_world(5)).shape == (5, FIELDS[name].size)


def test_an_observation_is_its_fields_in_order() -> None:
    world = random_world(3)
    observation = observe(PUSH_OBSERVATION, world)
    assert observation.shape == (3, 28)
    for name, place in layout(PUSH_OBSERVATION).items():
        np.testing.assert_array_equal(observation[:, place], FIELDS[name].compute(world))
    cube = world.objects[CUBE]
    np.testing.assert_array_equal(
        observe(("cube_angular_velocity", "cube_from_end_effector", "setpoint_gap"), world),
        np.concatenate(
            [
                cube.angular_velocity,
                cube.position - world.end_effector_position,
                world.setpoint_position - world.end_effector_position,
            ],
            axis=1,
        ),
    )


def test_layout_and_scales_cover_the_observation_without_gaps() -> None:
    places = list(layout(PUSH_OBSERVATION).values())
    assert [place.start for place in places] == [0, *(place.stop for place in places[:-1])]
    scale = scales(PUSH_OBSERVATION)
    assert scale.shape == (places[-1].stop,)
    for spec, place in zip(specs(PUSH_OBSERVATION), places, strict=True):
        assert (scale[place] == spec.scale).all()
        assert spec.scale > 0


def test_a_field_states_the_object_that_it_describes() -> None:
    assert observed_objects(PUSH_OBSERVATION) == (CUBE,)
    assert observed_objects(PROPRIOCEPTIVE) == ()
    assert {spec.object for spec in FIELDS.values()} == {None, CUBE}
    for name, spec in FIELDS.items():
        assert (spec.object == CUBE) == name.startswith("cube_"), name


def test_proprioceptive_fields_need_no_object() -> None:
    world = random_world(2, with_cube=False)
    assert observe(PROPRIOCEPTIVE, world).shape == (2, len(scales(PROPRIOCEPTIVE)))
    with pytest.raises(KeyError, match=CUBE):
        observe(("cube_position",), world)


def test_an_unknown_field_is_refused_with_the_known_ones() -> None:
    for use in (specs, layout, scales, manifest_fields, observed_objects):
        with pytest.raises(KeyError, match=r"no observation field cube_colour; there are joint_"):
            use(("joint_position", "cube_colour"))


def test_a_manifest_declares_the_fields_as_they_are_computed() -> None:
    declared = manifest_fields(PUSH_OBSERVATION)
    assert [(field.name, field.size, field.unit, field.frame) for field in declared] == [
        (spec.name, spec.size, spec.unit, spec.frame) for spec in specs(PUSH_OBSERVATION)
    ]


@pytest.mark.parametrize("n", [1, 8])
def test_a_rotation_is_that_of_its_matrix(n: int) -> None:
    rng = np.random.default_rng(1)
    quaternion = rng.normal(size=(n, 4))
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    vector = rng.normal(size=(n, 3))
    w, x, y, z = quaternion.T
    matrix = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    expected = np.einsum("ijn,nj->ni", matrix, vector)
    np.testing.assert_allclose(rotate(quaternion, vector), expected, atol=1e-12)
    np.testing.assert_allclose(rotate(canonical_sign(quaternion), vector), expected, atol=1e-12)
    assert (canonical_sign(quaternion)[:, 0] >= 0).all()
