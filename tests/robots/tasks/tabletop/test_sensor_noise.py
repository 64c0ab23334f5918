"""Sensor noise: an offset per episode, jitter per reading, each with its standard deviation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.arm import Pose
from skill_robots.objects import CUBE
from skill_robots.observation import FIELDS, WorldState
from skill_robots.tasks.tabletop.sensor_noise import JITTER, OFFSET, SensorNoise

N = 20_000
EVERYONE = np.arange(N)


def still_world(n: int) -> WorldState:
    """Everything at zero, the cube unturned."""
    sizes = {field.name: 3 for field in dataclasses.fields(WorldState) if field.name != "objects"}
    sizes |= {"joint_position": 7, "joint_velocity": 7, "gripper_width": 1}
    values = {name: np.zeros((n, size)) for name, size in sizes.items()}
    cube = Pose(
        position=np.zeros((n, 3)),
        quaternion=np.tile([1.0, 0.0, 0.0, 0.0], (n, 1)),
        velocity=np.zeros((n, 3)),
        angular_velocity=np.zeros((n, 3)),
    )
    return WorldState(**values, objects={CUBE: cube})


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("name", sorted(JITTER))
def test_deviations_are_the_published_ones_times_the_factor(name: str, factor: float) -> None:
    noise, rng = SensorNoise(N, factor), np.random.default_rng(0)
    noise.reset(EVERYONE, rng)
    world = still_world(N)
    measure = FIELDS[name].compute
    once = measure(noise.add(world, rng)) - measure(world)
    again = measure(noise.add(world, rng)) - measure(world)
    # A quaternion keeps unit length: its jitter is in the three entries across.
    once, again = once[:, -3:], again[:, -3:]
    assert (once - again).std() == pytest.approx(np.sqrt(2) * factor * JITTER[name], rel=0.02)
    total = np.hypot(JITTER[name], OFFSET.get(name, 0.0))
    assert once.std() == pytest.approx(factor * total, rel=0.02)
    assert np.abs(once.mean(axis=0)).max() < 4 * factor * total / np.sqrt(N)


def test_an_offset_lasts_until_its_scene_is_reset() -> None:
    noise, rng = SensorNoise(4, 1.0), np.random.default_rng(0)
    noise.reset(np.arange(4), rng)

    def offset() -> Array:
        world = still_world(4)
        readings = [noise.add(world, rng).objects[CUBE].position for _ in range(2000)]
        return np.mean(readings, axis=0)

    before = offset()
    np.testing.assert_allclose(offset(), before, atol=5e-5)
    noise.reset(np.array([1, 3]), rng)
    after = offset()
    np.testing.assert_allclose(after[[0, 2]], before[[0, 2]], atol=5e-5)
    assert np.abs(after[[1, 3]] - before[[1, 3]]).min(axis=1).max() > 2e-4


def test_quaternions_keep_unit_length() -> None:
    noise, rng = SensorNoise(100, 10.0), np.random.default_rng(0)
    measured = noise.add(still_world(100), rng).objects[CUBE].quaternion
    np.testing.assert_allclose(np.linalg.norm(measured, axis=1), 1.0)


def test_quantities_without_a_sensor_stay_exact() -> None:
    noise, rng = SensorNoise(3, 1.0), np.random.default_rng(0)
    world = still_world(3)
    noisy = noise.add(world, rng)
    for field in dataclasses.fields(WorldState):
        if field.name != "objects":
            same = np.array_equal(getattr(noisy, field.name), getattr(world, field.name))
            assert same == (field.name not in JITTER), field.name
    assert noisy.objects.keys() == world.objects.keys()


def test_without_noise_the_state_is_unchanged() -> None:
    noise, rng = SensorNoise(3, 0.0), np.random.default_rng(0)
    noise.reset(np.arange(3), rng)
    world = still_world(3)
    assert noise.add(world, rng) is world
