"""Sensor noise: the measurement errors of an object tracker and of joint encoders.

Each named quantity has an offset, drawn once an episode (calibration error of the camera or the
arm), and jitter, drawn at every step. Position jitter is small because skills are learned from
steps of the cube: white noise of a millimetre at 25 Hz is as large as the motion that an untrained
policy causes, and a representation learned from it collapses.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from skill_proto.arrays import Array
from skill_robots.arm import Pose
from skill_robots.objects import CUBE
from skill_robots.observation import FIELDS, WorldState

OFFSET: dict[str, float] = {
    "end_effector_position": 0.001,
    "cube_position": 0.002,
}
"""Standard deviation of the offset of an episode, per entry [m]."""

JITTER: dict[str, float] = {
    "end_effector_position": 0.0001,
    "end_effector_velocity": 0.005,
    "cube_position": 0.0002,
    "cube_quaternion": 0.01,
    "cube_velocity": 0.02,
    "cube_angular_velocity": 0.1,
}
"""Standard deviation of the jitter, per entry and step, in the unit of the quantity."""


class SensorNoise:
    """Noise of n scenes.

    Args:
        n: number of scenes.
        factor: factor on every standard deviation; 0 gives exact measurements.
    """

    def __init__(self, n: int, factor: float) -> None:
        self._factor = factor
        self._offset = {name: np.zeros((n, 3)) for name in OFFSET}

    def reset(self, ids: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Draws new offsets for the scenes ``ids``."""
        if self._factor > 0:
            for name, deviation in OFFSET.items():
                self._offset[name][ids] = rng.normal(0.0, self._factor * deviation, (len(ids), 3))

    def add(self, world: WorldState, rng: np.random.Generator) -> WorldState:
        """Returns ``world`` with noise; a quaternion with w near 0 may get a w slightly below 0."""
        if self._factor == 0:
            return world
        noisy: dict[str, Array] = {}
        for name, deviation in JITTER.items():
            exact = FIELDS[name].compute(world)
            noisy[name] = exact + rng.normal(0.0, self._factor * deviation, exact.shape)
        for name, offset in self._offset.items():
            noisy[name] = noisy[name] + offset
        quaternion = noisy["cube_quaternion"]
        cube = Pose(
            position=noisy["cube_position"],
            quaternion=quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True),
            velocity=noisy["cube_velocity"],
            angular_velocity=noisy["cube_angular_velocity"],
        )
        return dataclasses.replace(
            world,
            end_effector_position=noisy["end_effector_position"],
            end_effector_velocity=noisy["end_effector_velocity"],
            objects={**world.objects, CUBE: cube},
        )
