"""Skill discovery with a representation of frames: checks, statistics, replay and collection."""

from __future__ import annotations

from functools import lru_cache

import torch

from skill_robots.worlds.camera.camera import Camera, make_camera
from skill_robots.worlds.camera.views import CUBE
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.registry import WorldConfig, make_world
from skill_robots.worlds.world import World
from skill_training.algorithms.sac import SoftActorCritic
from skill_training.collection.frame_statistics import measure_frames
from skill_training.collection.pixel_collector import PixelCollector
from skill_training.data.frame_store import FrameStore
from skill_training.data.pixel_replay import PixelReplay
from skill_training.data.replay import ReplayBuffer
from skill_training.errors import ConfigError
from skill_training.nets.inputs import FrameScale
from skill_training.nets.pixels.encoder import PixelConfig
from skill_training.recipes.discovery.config import SkillConfig

SCENES = 8
"""Scenes of the measurement of frames."""


def check_pixels(config: SkillConfig, world: World) -> None:
    """Makes the camera once, to find errors before the run starts.

    Raises:
        ConfigError: the world has no camera, there is no OpenGL, or the frames of one round do not
            fit into the replay.
    """
    pixels = config.algorithm.representation.pixels
    _camera(world, pixels).close()
    frames = config.run.n_envs * (world.spec.episode_steps + 1)
    if pixels.capacity < frames:
        flag = f"--{config.algorithm_name}.representation.pixels.capacity"
        raise ConfigError(
            f"{flag} {pixels.capacity} is less than the frames of one round of episodes "
            f"({config.run.n_envs} scenes x {world.spec.episode_steps + 1} = {frames})"
        )


@lru_cache(maxsize=2)
def frame_scale(task: WorldConfig, pixels: PixelConfig, seed: int) -> FrameScale:
    """Measures the statistics of a world's frames, in scenes of its own.

    Raises:
        ConfigError: the world has no camera, or there is no OpenGL.
    """
    world = make_world(task, SCENES, seed=seed)
    try:
        camera = _camera(world, pixels)
        try:
            return measure_frames(world, camera, seed=seed)
        finally:
            camera.close()
    finally:
        world.close()


def pixel_replay(config: SkillConfig, rows: ReplayBuffer, device: torch.device) -> PixelReplay:
    """Returns the replay of transitions and frames."""
    pixels = config.algorithm.representation.pixels
    flag = f"--{config.algorithm_name}.representation.pixels.capacity"
    frames = FrameStore(pixels.capacity, pixels.size, device, flag=flag)
    return PixelReplay(rows, frames, stack=pixels.stack)


def pixel_collector(
    config: SkillConfig, world: World, algorithm: SoftActorCritic, replay: PixelReplay
) -> PixelCollector:
    """Returns the collector of transitions and frames."""
    pixels = config.algorithm.representation.pixels
    return PixelCollector(
        world,
        algorithm,
        replay,
        camera=_camera(world, pixels),
        config=pixels,
        terminals=world.spec.has_terminals,
        warmup_steps=config.run.warmup_steps,
        seed=config.run.seed,
    )


def pixel_limits(config: SkillConfig) -> str:
    """Returns a limit of use for the card; '' if the representation sees no frames."""
    representation = config.algorithm.representation
    if not representation.sees_pixels:
        return ""
    shown = " It shows the cube alone." if representation.pixels.camera == CUBE.name else ""
    return (
        "- The representation saw frames of a simulated camera in training"
        f" ({representation.pixels.size} x {representation.pixels.size} pixels).{shown} It is not"
        " in the file; the policy sees the observation, takes skills, and takes no goals.\n"
    )


def _camera(world: World, pixels: PixelConfig) -> Camera:
    try:
        return make_camera(world, view=pixels.camera, size=pixels.size)
    except WorldError as error:
        raise ConfigError(str(error)) from None
