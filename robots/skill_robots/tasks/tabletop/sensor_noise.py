"""Sensor noise: what a tracker and joint encoders add to a measurement.

Two parts, per named quantity: an offset drawn once an episode, as the calibration of a camera or an
arm leaves it, and jitter drawn at every step. Position jitter is small because skills are about
steps of the cube: white noise of a millimetre at 25 Hz is as large as the motion that a beginner
causes, and a representation learned from it shrinks to nothing.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skill_proto.arrays import Array
from skill_robots.observation import WorldState

OFFSET: dict[str, float] = {
    "end_effector_position": 0.001,
    "cube_position": 0.002,
}
"""Standard deviation of the offset held through an episode, per entry [m]."""

JITTER: dict[str, float] = {
    "end_effector_position": 0.0001,
    "end_effector_velocity": 0.005,
    "cube_position": 0.0002,
    "cube_quaternion": 0.01,
    "cube_velocity": 0.02,
    "cube_angular_velocity": 0.1,
}
"""Standard deviation of the jitter, per entry and step, in the quantity's own unit."""


class SensorNoise:
    """Noise of n scenes.

    Args:
        n: number of scenes.
        factor: on every standard deviation; 0 measures exactly.
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
        """``world`` as measured; a quaternion near w = 0 may come out with w just below it."""
        if self._factor == 0:
            return world
        noisy: dict[str, Any] = {}
        for name, deviation in JITTER.items():
            exact: Array = getattr(world, name)
            noisy[name] = exact + rng.normal(0.0, self._factor * deviation, exact.shape)
        for name, offset in self._offset.items():
            noisy[name] = noisy[name] + offset
        quaternion = noisy["cube_quaternion"]
        noisy["cube_quaternion"] = quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)
        return dataclasses.replace(world, **noisy)
