"""Collection of episodes: recorded data, contexts and carried states."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from skill_robots.observation import PUSH_OBSERVATION, layout
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.episode_collector import EpisodeCollector, run_episodes
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.nets.encoder import EncoderConfig
from skill_training.recipes.goal.config import GoalConfig, GoalSacConfig
from skill_training.recipes.goal.recipe import build_algorithm
from skill_training.recipes.goal.world import GoalTaskConfig, GoalWorld

N, STEPS = 8, 12

Build = Callable[..., tuple[GoalWorld, ContextSac]]


@pytest.fixture
def build() -> Build:
    """Scenes and an untrained policy; ``build(seed=1, **settings)``."""

    def make(*, seed: int = 0, **settings: object) -> tuple[GoalWorld, ContextSac]:
        task = GoalTaskConfig(
            episode_steps=STEPS,
            scenes_per_task=4,
            goal_change_share=1.0,
            context_change_share=1.0,
        )
        small = {"hidden": (16,), "encoder": EncoderConfig(hidden=8), "start_from": None}
        algorithm = GoalSacConfig(**{**small, **settings})
        config = GoalConfig(algorithm=algorithm, task=task)
        return GoalWorld(task, N, seed=seed), build_algorithm(config, torch.device("cpu"))

    return make


def _run(world: GoalWorld, algorithm: ContextSac, **how: object) -> Episodes:
    world.reset()
    episodes, _ = run_episodes(world, algorithm, algorithm.encoder.initial_state(N), **how)
    return episodes


@torch.no_grad()
def _unrolled(algorithm: ContextSac, episodes: Episodes) -> Tensor:
    state = (episodes.hidden, episodes.cell)
    contexts: Tensor = algorithm.encoder(episodes.observation, episodes.previous_action, state)[0]
    return contexts


@torch.no_grad()
def _modes(algorithm: ContextSac, episodes: Episodes, contexts: Tensor) -> Tensor:
    actions = [
        algorithm.act(
            episodes.observation[:, t], episodes.goal[:, t], contexts[:, t], deterministic=True
        )
        for t in range(STEPS)
    ]
    return torch.stack(actions, dim=1)


def test_unrolling_a_stored_episode_gives_the_contexts_of_its_actions(build: Build) -> None:
    world, algorithm = build()
    episodes = _run(world, algorithm, deterministic=True)
    modes = _modes(algorithm, episodes, _unrolled(algorithm, episodes))
    torch.testing.assert_close(modes, episodes.action, rtol=0, atol=1e-5)


def test_a_stored_episode_equals_the_recorded_steps(build: Build) -> None:
    world, algorithm = build()
    episodes = _run(world, algorithm)
    assert episodes.observation.shape == (N, STEPS + 1, 28)
    again = GoalWorld(world._config, N, seed=0)
    again.reset()
    for t in range(STEPS):
        np.testing.assert_allclose(episodes.observation[:, t], again.observe(), atol=1e-5)
        np.testing.assert_allclose(episodes.goal[:, t], again.goal, atol=1e-6)
        np.testing.assert_allclose(episodes.truth[:, t], again.truth, atol=1e-5)
        again.step(episodes.action[:, t].numpy().astype(np.float64))
    np.testing.assert_allclose(episodes.observation[:, STEPS], again.observe(), atol=1e-5)
    np.testing.assert_allclose(episodes.truth[:, STEPS], again.truth, atol=1e-5)
    assert episodes.task.tolist() == again.task.tolist()
    assert not episodes.demonstrated.any()
    # Goals and contexts did change in these episodes.
    assert bool((episodes.goal[:, 0] != episodes.goal[:, -1]).any(-1).all())
    assert bool((episodes.truth[:, 0] != episodes.truth[:, -1]).all())


def test_release_fault_2_the_return_is_the_sum_of_the_rewards(build: Build) -> None:
    world, algorithm = build()
    episodes = _run(world, algorithm)
    cube = layout(PUSH_OBSERVATION)["cube_position"].start
    for b in range(N):
        total = 0.0
        for t in range(STEPS):  # the reward of each arrival, with the goal of its action
            way = episodes.goal[b, t] - episodes.observation[b, t + 1, cube : cube + 2]
            d = float(way.norm())
            total += 0.1 * np.exp(-((d / 0.025) ** 2)) - 0.1 * min(d, 0.4) / 0.15
        assert float(episodes.returns[b]) == pytest.approx(total, abs=1e-4)


class _Script:
    """Moves by a number that counts its calls, out of range at the end."""

    def __init__(self) -> None:
        self.resets = 0

    def reset(self, n: int) -> None:
        self.resets += 1
        self.calls, self.seen = 0, np.zeros((0, n, 28))

    def act(
        self,
        observation: np.ndarray,
        *,
        skill: np.ndarray | None = None,
        goal: np.ndarray | None = None,
    ) -> np.ndarray:
        self.seen = np.concatenate((self.seen, observation[None]))
        self.calls += 1
        return np.full((len(observation), 3), 0.1 * self.calls)


def test_a_demonstrator_labels_every_step_and_does_not_act(build: Build) -> None:
    world, algorithm = build()
    unlabelled = _run(*build())
    script = _Script()
    episodes = _run(world, algorithm, demonstrator=script)
    torch.testing.assert_close(episodes.action, unlabelled.action)
    assert unlabelled.label is None
    assert (script.resets, script.calls) == (1, STEPS)
    np.testing.assert_allclose(script.seen, episodes.observation[:, :-1].transpose(0, 1), atol=1e-5)
    expected = (0.1 * torch.arange(1.0, STEPS + 1)).clamp_max(1.0)
    torch.testing.assert_close(episodes.label, expected[None, :, None].expand(N, -1, 3))
    # No arrival of these scenes ends the episode.
    assert bool(episodes.demonstrated.all())


def test_a_collector_stores_the_labels(build: Build) -> None:
    world, algorithm = build()
    replay = EpisodeReplay(2 * N)
    script = _Script()
    collector = EpisodeCollector(
        world, algorithm, replay, carried_share=0.0, seed=0, demonstrator=script
    )
    collector.collect_round()
    collector.collect_round()
    stored = replay.at(torch.arange(2 * N))
    assert script.resets == 2
    assert stored.label is not None
    assert torch.equal(stored.label[:N], stored.label[N:])


@pytest.mark.parametrize("use", ["zeroed", "frozen"])
def test_a_context_can_be_zeroed_or_frozen(use: str, build: Build) -> None:
    world, algorithm = build()
    episodes = _run(world, algorithm, deterministic=True, use=use)
    contexts = _unrolled(algorithm, episodes)
    given = torch.zeros_like(contexts) if use == "zeroed" else contexts[:, :1].expand_as(contexts)
    modes = _modes(algorithm, episodes, given)
    torch.testing.assert_close(modes, episodes.action, rtol=0, atol=1e-5)
    assert not torch.allclose(_modes(algorithm, episodes, contexts), episodes.action, atol=1e-4)


@pytest.mark.parametrize("knowledge", ["told", "untold"])
def test_with_the_true_context_the_policy_acts_on_the_current_truth(
    knowledge: str, build: Build
) -> None:
    world, algorithm = build(knowledge=knowledge)
    episodes = _run(world, algorithm, deterministic=True)
    told = algorithm.true_context(episodes.truth)
    modes = _modes(algorithm, episodes, told if knowledge == "told" else torch.zeros_like(told))
    torch.testing.assert_close(modes, episodes.action, rtol=0, atol=1e-5)


# From one episode to the next ---------------------------------------------------------------------


def _collector(
    world: GoalWorld, algorithm: ContextSac, share: float, capacity: int = 100
) -> tuple[EpisodeCollector, EpisodeReplay]:
    replay = EpisodeReplay(capacity)
    return EpisodeCollector(world, algorithm, replay, carried_share=share, seed=0), replay


def test_a_carried_state_is_the_final_state_of_the_previous_episode(build: Build) -> None:
    collector, replay = _collector(*build(), share=1.0)
    algorithm = collector._algorithm
    collector.collect_round()
    first = replay.at(torch.arange(N))
    assert not first.hidden.any()
    collector.collect_round()
    second = replay.at(torch.arange(N, 2 * N))
    inputs = (first.observation[:, :-1], first.previous_action[:, :-1])
    with torch.no_grad():
        _, (hidden, cell) = algorithm.encoder(*inputs, algorithm.encoder.initial_state(N))
    torch.testing.assert_close(second.hidden, hidden, rtol=0, atol=1e-5)
    torch.testing.assert_close(second.cell, cell, rtol=0, atol=1e-5)
    assert bool(second.hidden.any())


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_share_of_carried_states(share: float, build: Build) -> None:
    collector, replay = _collector(*build(), share=share)
    for _ in range(8):
        collector.collect_round()
    later = replay.at(torch.arange(N, 8 * N))
    carried = later.hidden.any(1)
    assert torch.equal(carried, later.cell.any(1))
    assert float(carried.float().mean()) == pytest.approx(share, abs=0.2)
    assert collector.env_steps == 8 * collector.steps_per_round == 8 * N * STEPS


def test_a_collector_continues_exactly_from_its_state(build: Build) -> None:
    first, one = _collector(*build(), share=0.5)
    for _ in range(2):
        first.collect_round()
    second, other = _collector(*build(seed=4), share=0.5)
    second.load_state_dict(first.state_dict())
    second._algorithm.load_state_dict(first._algorithm.state_dict())
    other.load_state_dict(one.state_dict())
    for collector in (first, second):
        collector.collect_round()
    assert first.env_steps == second.env_steps == 3 * N * STEPS
    newest = torch.arange(2 * N, 3 * N)
    for name, value in one.at(newest).as_dict().items():
        assert torch.equal(value, other.at(newest).as_dict()[name]), name


def test_a_round_ends_the_block(build: Build) -> None:
    # Gradient steps after a round may use its episodes.
    world, algorithm = build(updates_per_block=100, batch_size=8, episodes_per_block=4)
    collector, replay = _collector(world, algorithm, share=0.0)
    collector.collect_round()
    encoders = []
    for _ in range(2):
        algorithm.update(replay)
        algorithm.update(replay)
        encoders.append(algorithm.encoder.output.bias.detach().clone())
        collector.collect_round()
    assert not torch.equal(*encoders)
