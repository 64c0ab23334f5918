"""Statistics of frames under random actions."""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.worlds.camera.camera import Camera
from skill_robots.worlds.world import World
from skill_training.collection.statistics import HOLD
from skill_training.nets.inputs import FrameScale

STEPS = 800
"""Environment steps of the measurement."""

SMALLEST_CHANGE = 0.5
"""Smallest magnitude of a pixel's change, half a step of its value: a pixel that random actions
never change must not count infinitely."""


def measure_frames(world: World, camera: Camera, *, seed: int, steps: int = STEPS) -> FrameScale:
    """Runs uniform random actions, each held for some control steps, and renders every step.

    Args:
        world: The scenes. Their generators advance.
        camera: Their camera.
        seed: Seed of the actions.
        steps: Environment steps, rounded up to whole control steps of all scenes.
    """
    random = np.random.default_rng([seed, 6])
    size = (camera.size, camera.size, 3)
    total, squares = np.zeros(size), np.zeros(size)
    frames = _reset(world, camera)
    action = np.zeros((world.n, world.spec.action_size))
    count = -(-steps // world.n)
    for step in range(count):
        if step % world.spec.episode_steps == 0:
            frames = _reset(world, camera)
        if step % HOLD == 0:
            action = random.uniform(-1.0, 1.0, action.shape)
        after = world.step(action)
        following = camera.frames().astype(np.float64)
        total += frames.sum(axis=0)
        squares += np.square(following - frames).sum(axis=0)
        frames = following
        if after.ended.any():
            ended = np.flatnonzero(after.ended)
            world.reset(ended)
            frames[ended] = camera.frames(ended)
    change = np.sqrt(squares / (count * world.n))
    return FrameScale(
        mean=tuple((total / (count * world.n)).ravel().tolist()),
        change=tuple(np.maximum(change, SMALLEST_CHANGE).ravel().tolist()),
    )


def _reset(world: World, camera: Camera) -> Array:
    world.reset()
    return camera.frames().astype(np.float64)
