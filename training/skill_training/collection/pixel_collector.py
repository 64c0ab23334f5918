"""Collection of episodes with frames."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skill_proto.arrays import Array, Ids
from skill_robots.worlds.camera.camera import Camera
from skill_robots.worlds.world import Step, World
from skill_training.algorithms.sac import SoftActorCritic
from skill_training.collection.skill_collector import SkillCollector
from skill_training.data.pixel_replay import PixelReplay
from skill_training.nets.pixels.encoder import PixelConfig


class PixelCollector(SkillCollector):
    """Stores one of ``config.every`` control steps, with the frames before and after it.

    Only these frames are rendered. The first stored step moves on by one from round to round, so
    that every step of an episode is stored at times. A stack at the start of an episode repeats the
    first frame.

    Args:
        world: The scenes; a round has their episode length.
        algorithm: The acting algorithm, which sees observations alone.
        replay: Replay for transitions and frames.
        camera: Camera of the world.
        config: Interval of the stored steps, and frames of a stack.
        terminals: Whether the replay stores terminals.
        warmup_steps: Environment steps at the start with uniform random actions.
        seed: Seed of skills and warm-up actions.
    """

    def __init__(
        self,
        world: World,
        algorithm: SoftActorCritic,
        replay: PixelReplay,
        *,
        camera: Camera,
        config: PixelConfig,
        terminals: bool = False,
        warmup_steps: int,
        seed: int,
    ) -> None:
        super().__init__(
            world, algorithm, replay, terminals=terminals, warmup_steps=warmup_steps, seed=seed
        )
        self._pixels = replay
        self._camera = camera
        self._config = config
        self._stack = torch.zeros(world.n, config.stack, dtype=torch.int64)
        """Numbers of the newest frames of each scene, oldest first."""

    def started(self, time: int, ids: Ids | None = None) -> None:
        """Renders the first frame of the scenes ``ids``, if a stored step to come needs it."""
        if self._needs(time, first=time):
            numbers = self._pixels.add_frames(self._camera.frames(ids))
            scenes = torch.arange(self.world.n) if ids is None else torch.from_numpy(ids)
            self._stack[scenes] = numbers[:, None]

    def store(
        self, time: int, observation: Array, action: Array, step: Step, skill: Tensor
    ) -> None:
        """Renders the scenes after the step, and stores the step, if its turn has come."""
        before = self._stack
        if self._needs(time + 1, first=time):
            numbers = self._pixels.add_frames(self._camera.frames())
            self._stack = torch.cat((before[:, 1:], numbers[:, None]), dim=1)
        if self._is_stored(time):
            valid = slice(None) if step.valid is None else np.flatnonzero(step.valid)
            self._pixels.add(
                observation[valid],
                action[valid],
                step.observation[valid],
                skill[valid],
                step.terminated[valid] if self._terminals else None,
                frames=(before[valid], self._stack[valid]),
            )

    def close(self) -> None:
        """Frees the camera. Further calls have no effect."""
        self._camera.close()

    def _is_stored(self, time: int) -> bool:
        """Returns whether the step from this time on is stored; times count within a round."""
        first = (self.env_steps // self.steps_per_round) % self._config.every
        return time % self._config.every == first

    def _needs(self, time: int, *, first: int) -> bool:
        """Returns whether a stored step has this time's frame in one of its two stacks.

        Args:
            time: Control steps since the start of the round.
            first: First step that counts: the one before this time, if the frame is of its end.
        """
        due = range(first, min(self.world.spec.episode_steps, time + self._config.stack))
        return any(self._is_stored(step) for step in due)
