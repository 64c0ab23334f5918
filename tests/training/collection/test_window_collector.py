"""Windows of long episodes: what is recorded, with stored states, ends and tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from skill_proto.arrays import Array, Ids
from skill_proto.manifest import ActionPart, ObservationField
from skill_robots.worlds.world import Quantity, Step, WorldSpec
from skill_training.algorithms.context_sac import ContextSac
from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.collection.window_collector import WindowCollector, task_ids
from skill_training.context.objective import ContrastiveConfig
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.data.goal_task import WorldTask
from skill_training.nets.encoder import EncoderConfig

N, STEPS, WINDOW = 3, 12, 4


class Counting:
    """Scenes that observe (scene, episode, step); the reward is the step of the arrival.

    Scene 1 ends with a terminal at step 6 of its first episode, scene 2 is unstable at step 4.
    """

    n = N
    spec = WorldSpec(
        name="counting",
        title="Counting",
        observation=(ObservationField(name="count", size=3, unit="1", frame="none"),),
        action=(ActionPart(name="actuator_command", size=2, scale=1.0, unit="1", frame="none"),),
        episode_steps=STEPS,
        control_rate_hz=10.0,
        hidden=(Quantity(name="mass", low=1.0, high=4.0),),
    )

    def __init__(self) -> None:
        self._step = np.zeros(N)
        self._episode = np.zeros(N)
        self.mass = np.ones((N, 1))

    def _observe(self) -> Array:
        return np.stack((np.arange(N, dtype=np.float64), self._episode, self._step), axis=1)

    def reset(self, ids: Ids | None = None) -> Array:
        """Starts an episode, with a mass of its own."""
        ids = np.arange(N) if ids is None else ids
        self._step[ids] = 0.0
        self._episode[ids] += 1.0
        self.mass[ids, 0] = 1.0 + (self._episode[ids] % 4.0)
        return self._observe()

    def step(self, action: Array) -> Step:
        """Counts."""
        assert action.shape == (N, 2)
        self._step += 1.0
        first = self._episode == 1.0
        terminated = first & (self._step == 6.0) & (np.arange(N) == 1)
        unstable = first & (self._step == 4.0) & (np.arange(N) == 2)
        return Step(
            self._observe(), self._step.copy(), terminated, terminated | unstable, ~unstable
        )

    def coordinates(self) -> Array:
        """Has none."""
        return np.zeros((N, 0))

    def hidden(self) -> Array:
        """Returns the masses."""
        return self.mass

    def state_dict(self) -> dict[str, Any]:
        """Returns the number of the next episode."""
        return {"episode": self._episode.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        self._episode = state["episode"].copy()

    def close(self) -> None:
        """Has no effect."""


@pytest.fixture
def build() -> Callable[..., tuple[WindowCollector, EpisodeReplay, ContextSac]]:
    """A collector with its replay and algorithm."""

    def make(warmup_steps: int = 0) -> tuple[WindowCollector, EpisodeReplay, ContextSac]:
        config = ContextSacConfig(
            encoder=EncoderConfig(size=2, hidden=8),
            contrastive=ContrastiveConfig(sampling="tesac"),
            hidden=(16,),
            hindsight_share=0.0,
        )
        algorithm = ContextSac(
            config,
            WorldTask(),
            scale=[1.0, 1.0, 5.0],
            action_size=2,
            truth_mean=[0.0],
            truth_std=[1.0],
        )
        replay = EpisodeReplay(100)
        collector = WindowCollector(
            Counting(),
            algorithm,
            replay,
            window=WINDOW,
            warmup_steps=warmup_steps,
            seed=0,
            to_truth=np.log,
        )
        return collector, replay, algorithm

    return make


def _windows(replay: EpisodeReplay, scene: int) -> Episodes:
    """Returns the windows of a scene, in the order of time."""
    held = replay.at(torch.arange(len(replay)))
    return held.take(torch.nonzero(held.observation[:, 0, 0] == scene).flatten())


Build = Callable[..., tuple[WindowCollector, EpisodeReplay, ContextSac]]


def test_windows_follow_one_another(build: Build) -> None:
    collector, replay, _ = build()
    mean = collector.collect_round()
    windows = _windows(replay, 0)
    assert windows.observation[:, :, 2].tolist() == [
        [0, 1, 2, 3, 4],
        [4, 5, 6, 7, 8],
        [8, 9, 10, 11, 12],
    ]
    assert windows.reward is not None
    assert windows.reward.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    assert windows.returns.tolist() == [10, 26, 42]
    assert windows.counted.tolist() == [4, 4, 4]
    assert windows.before is not None
    assert not windows.before[0].any()
    assert torch.equal(windows.before[1:], windows.action[:-1, -1])
    assert len(set(windows.task.tolist())) == 1
    torch.testing.assert_close(windows.truth, torch.full((3, 5, 1), float(np.log(2.0))))
    assert collector.env_steps == collector.steps_per_round == N * STEPS
    # Scene 0: 78. Scene 1: 6 steps, twice. Scene 2: 4 steps, then 8. Five episodes in all.
    assert mean == pytest.approx((78 + 2 * 21 + 10 + 36) / 5)


def test_the_stored_state_is_that_of_the_encoder_along_the_episode(build: Build) -> None:
    collector, replay, algorithm = build()
    collector.collect_round()
    windows = _windows(replay, 0)
    whole = windows.observation[:, :-1].reshape(1, STEPS, 3)
    previous = windows.previous_action[:, :-1].reshape(1, STEPS, 2)
    state = algorithm.encoder.initial_state(1)
    with torch.no_grad():
        for place in range(3):
            torch.testing.assert_close(windows.hidden[place], state[0][0])
            torch.testing.assert_close(windows.cell[place], state[1][0])
            part = slice(place * WINDOW, (place + 1) * WINDOW)
            _, state = algorithm.encoder(whole[:, part], previous[:, part], state)


def test_a_terminal_ends_a_window_and_the_next_one_is_of_the_next_episode(build: Build) -> None:
    collector, replay, _ = build()
    collector.collect_round()
    windows = _windows(replay, 1)
    assert windows.counted.tolist() == [4, 2, 2, 4]
    assert windows.terminal is not None
    assert windows.terminal.tolist() == [False, True, False, False]
    # The last observation is repeated behind the end.
    assert windows.observation[1].tolist() == [[1, 1, 4], [1, 1, 5], *[[1, 1, 6]] * 3]
    assert windows.returns.tolist() == [10, 11, 3, 18]
    # The second episode began at the seventh step, in the middle of the window.
    assert windows.observation[2].tolist() == [[1, 2, 0], [1, 2, 1], *[[1, 2, 2]] * 3]
    assert windows.observation[3, :, 2].tolist() == [2, 3, 4, 5, 6]
    assert windows.task[3] == windows.task[2] != windows.task[1]
    torch.testing.assert_close(windows.truth[1], torch.full((5, 1), float(np.log(2.0))))
    torch.testing.assert_close(windows.truth[2], torch.full((5, 1), float(np.log(3.0))))
    assert windows.before is not None
    assert not windows.hidden[2].any()
    assert not windows.before[2].any()
    assert windows.hidden[3].any()
    assert torch.equal(windows.before[3], windows.action[2, 1])


def test_an_unstable_step_is_not_stored(build: Build) -> None:
    collector, replay, _ = build()
    collector.collect_round()
    windows = _windows(replay, 2)
    assert windows.counted.tolist() == [3, 4, 4]
    assert windows.terminal is not None
    assert not windows.terminal.any()
    # A scene that starts anew with its window has a zero state.
    assert not windows.hidden[1].any()
    assert windows.observation[1, :, 2].tolist() == [0, 1, 2, 3, 4]


def test_a_window_without_a_step_that_counts_is_left_out(build: Build) -> None:
    collector, replay, _ = build()
    collector._steps = 1  # the unstable step is a window of its own
    collector.collect_round()
    assert len(replay) == N * STEPS - 1


def test_rounds_continue_exactly(build: Build) -> None:
    first, replay, algorithm = build(warmup_steps=N * STEPS)
    first.collect_round()
    state = first.state_dict()
    noise = algorithm.generator.get_state()
    first.collect_round()
    second, other, twin = build(warmup_steps=N * STEPS)
    twin.load_state_dict(algorithm.state_dict())
    twin.generator.set_state(noise)
    second.load_state_dict(state)
    second.collect_round()
    count = len(other)
    left, right = replay.at(replay.newest(count)[0]), other.at(other.newest(count)[0])
    for name, value in left.as_dict().items():
        assert torch.equal(value, right.as_dict()[name]), name


def test_equal_contexts_are_equal_tasks() -> None:
    hidden = np.array([[1.0, 0.5], [1.0, 0.25], [1.0, 0.5], [-0.0, 0.0], [0.0, 0.0]])
    names = task_ids(hidden)
    assert names[0] == names[2] != names[1]
    assert names[3] == names[4]
    assert (names >= 0).all()
    assert names.tolist() == task_ids(hidden.copy()).tolist()
