"""Frames of the steps that are stored, in episodes that may end early."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from tests.robots.worlds.environments import Point

from skill_proto.arrays import Ids
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.gymnasium_env.world import GymnasiumWorld
from skill_training.algorithms.csf import Csf, CsfConfig
from skill_training.collection.pixel_collector import PixelCollector
from skill_training.data.frame_store import FrameStore
from skill_training.data.pixel_replay import PixelReplay
from skill_training.data.replay import Batch, ReplayBuffer
from skill_training.nets.inputs import NetworkInputs
from skill_training.nets.pixels.encoder import PixelConfig
from skill_training.nets.representation import RepresentationConfig

STEPS, SCENES, ROWS = 30, 3, 400


class PositionCamera:
    """Frames of one pixel, whose values are the position [0.1 above -12.8]."""

    size = 1

    def __init__(self, world: GymnasiumWorld) -> None:
        self.world = world
        self.rendered = 0

    def frames(self, ids: Ids | None = None) -> np.ndarray:
        places = np.arange(self.world.n) if ids is None else ids
        self.rendered += len(places)
        value = _value(self.world.coordinates()[places, 0])
        return np.tile(value[:, None, None, None], (1, 1, 1, 3))


def _value(position: np.ndarray) -> np.ndarray:
    return np.rint(10 * position + 128).astype(np.uint8)


class Collected:
    """A round of a world whose episodes end beyond 1."""

    def __init__(self, *, rounds: int = 1, frames: int = 2000, **pixels: int) -> None:
        settings: dict[str, Any] = {"environment": "point", "episode_steps": STEPS}
        config = GymnasiumConfig(**settings, coordinates=("position.0",))
        self.world = GymnasiumWorld(Point, config, SCENES, seed=1)
        phi = RepresentationConfig(inputs=("*",), form="linear")
        inputs = NetworkInputs(scale=(1.0, 1.0), seen=(0, 1), seen_scale=(1.0, 1.0))
        algorithm = Csf(CsfConfig(hidden=(8,), representation=phi), inputs=inputs, action_size=1)
        rows = ReplayBuffer(ROWS, observation_size=2, action_size=1, skill_size=2, terminals=True)
        self.camera = PositionCamera(self.world)
        self.config = PixelConfig(**cast("Any", pixels))
        self.replay = PixelReplay(rows, FrameStore(frames, 1), stack=self.config.stack)
        self.collector = PixelCollector(
            self.world,
            algorithm,
            self.replay,
            camera=cast("Any", self.camera),
            config=self.config,
            terminals=True,
            warmup_steps=1000,
            seed=0,
        )
        for _ in range(rounds):
            self.collector.collect_round()

    def batch(self) -> Batch:
        return self.replay.sample(2000, torch.Generator().manual_seed(0))


def check(batch: Batch, stack: int) -> None:
    """Compares the frames with the observations."""
    assert batch.frames is not None
    assert batch.next_frames is not None
    newest = batch.frames[:, -1, 0, 0].numpy()
    np.testing.assert_array_equal(newest, _value(batch.observation[:, 0].numpy()))
    newest = batch.next_frames[:, -1, 0, 0].numpy()
    np.testing.assert_array_equal(newest, _value(batch.next_observation[:, 0].numpy()))
    if stack > 1:  # the stack moves on by one frame
        assert torch.equal(batch.next_frames[:, :-3], batch.frames[:, 3:])


@pytest.mark.parametrize("every", [1, 2, 4])
@pytest.mark.parametrize("stack", [1, 3])
def test_frames_are_those_of_the_states(every: int, stack: int) -> None:
    check(Collected(every=every, stack=stack, rounds=2).batch(), stack)


@pytest.mark.parametrize("stack", [1, 3])
def test_no_transition_outlives_its_frames(stack: int) -> None:
    """The ring has fewer frames than a round; episodes end early, also at a round's last step."""
    made = Collected(every=1, stack=stack, frames=50, rounds=0)
    ended = 0
    for _ in range(6):
        made.collector.collect_round()
        usable = torch.arange(made.replay._first, made.replay._end) % ROWS
        assert int(made.replay._numbers[usable].min()) >= made.replay.frames.first
        check(made.batch(), stack)
        ended += int(made.replay._rows._rows[usable[-SCENES:], -1].sum())
    assert ended > 0


def test_a_stack_begins_with_the_first_frame_of_its_episode() -> None:
    """Within one episode the point moves by -1 to 2 a step, and a start lies within .1 of 0."""
    batch = Collected(every=1, stack=3).batch()
    assert batch.frames is not None
    values = batch.frames[:, ::3, 0, 0].int()
    steps = values.diff(dim=1)
    assert int(steps.max()) <= 21
    assert int(steps.min()) >= -11
    # A start: its stack repeats one frame, near the value of position 0.
    starts = (steps == 0).all(dim=1)
    assert 0 < int(starts.sum()) < len(starts)
    assert int((values[starts, 0] - 128).abs().max()) <= 1


def test_each_step_shares_its_frame_with_the_next() -> None:
    """31 frames for 30 steps of each scene, and one more for each early start.

    Episodes that end with the round are followed by no step, and so by no frame.
    """
    made = Collected(every=1)
    assert len(made.replay) == SCENES * STEPS
    terminals = made.replay._rows._rows[: SCENES * (STEPS - 1), -1].sum()
    assert made.camera.rendered == SCENES * (STEPS + 1) + int(terminals)


def test_only_the_frames_of_stored_steps_are_rendered() -> None:
    made = Collected(every=10)
    assert len(made.replay) == SCENES * 3  # steps 0, 10 and 20
    # Times 0, 1, 10, 11, 20 and 21, and early starts at these times.
    assert SCENES * 6 <= made.camera.rendered <= SCENES * 11
    assert len(Collected(every=10, rounds=2).replay) == SCENES * 6


def test_the_stored_steps_move_on_from_round_to_round() -> None:
    """The first round stores the steps 0, 16; the second 1, 17: none begins at the start."""
    made = Collected(every=16, rounds=2)
    rows = made.replay._rows._rows[: len(made.replay)]
    starts = (rows[:, 0].abs() <= 0.1) & (rows[:, 1] == 0.0)  # position and velocity of a start
    assert starts[:SCENES].all()
    assert not starts[2 * SCENES : 3 * SCENES].all()
