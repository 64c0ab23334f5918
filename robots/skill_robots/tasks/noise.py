"""Sensor noise: what a tracker and joint encoders add to a measurement."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from skill_robots.observation import WorldState

STANDARD_DEVIATIONS: dict[str, float] = {
    "end_effector_position": 0.0005,
    "end_effector_velocity": 0.005,
    "cube_position": 0.001,
    "cube_quaternion": 0.01,
    "cube_velocity": 0.02,
    "cube_angular_velocity": 0.1,
}
"""Gaussian, independent per entry and step, in the field's own unit: a fiducial tracker at 25 Hz
with about 1 mm and 1 degree, and the joint encoders carried through the arm's kinematics."""


def add_sensor_noise(world: WorldState, factor: float, rng: np.random.Generator) -> WorldState:
    """``world`` with noise of ``factor`` times the standard deviations above."""
    noisy: dict[str, Any] = {}
    for name, deviation in STANDARD_DEVIATIONS.items():
        exact = getattr(world, name)
        noisy[name] = exact + rng.normal(0.0, factor * deviation, exact.shape)
    quaternion = noisy["cube_quaternion"]
    noisy["cube_quaternion"] = quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)
    return dataclasses.replace(world, **noisy)
