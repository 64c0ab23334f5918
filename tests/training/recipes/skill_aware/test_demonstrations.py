"""Demonstrations: a controller with random disturbances, which are not imitated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from skill_robots.observation import layout
from skill_robots.tasks.skill_aware.benchmark import EPISODE_STEPS
from skill_robots.tasks.skill_aware.scenes import OBSERVATION
from skill_robots.tasks.skill_aware.scripted.policies import Pick
from skill_training.data.episodes import Episodes
from skill_training.recipes.skill_aware.demonstrations import (
    DISTURBANCE_STEPS,
    DISTURBED_SHARE,
    demonstrate,
)
from skill_training.recipes.skill_aware.task import BringToGoal
from skill_training.recipes.skill_aware.world import SkillAwareTaskConfig, SkillAwareWorld

STEPS = EPISODE_STEPS
PLACE = layout(OBSERVATION)


class _Watched(Pick):
    """The picker, with a record of its inputs and actions."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[np.ndarray] = []
        self.wanted: list[np.ndarray] = []

    def act(
        self,
        observation: np.ndarray,
        *,
        skill: np.ndarray | None = None,
        goal: np.ndarray | None = None,
    ) -> np.ndarray:
        action = super().act(observation, skill=skill, goal=goal)
        self.seen.append(observation)
        self.wanted.append(action)
        return action


@pytest.fixture(scope="module")
def shown() -> Iterator[tuple[Episodes, _Watched, BringToGoal, SkillAwareWorld]]:
    """Demonstrations for a request of 14 episodes in eight scenes."""
    world = SkillAwareWorld(SkillAwareTaskConfig(engine="mujoco"), 8, seed=0)
    task = BringToGoal.of_benchmark()
    controller = _Watched()
    episodes = demonstrate(
        world, controller, task, episodes=14, hidden=5, seed=0, device=torch.device("cpu")
    )
    yield episodes, controller, task, world
    world.close()


Shown = tuple[Episodes, _Watched, BringToGoal, SkillAwareWorld]


def test_demonstrations_are_whole_rounds(shown: Shown) -> None:
    episodes = shown[0]
    assert len(episodes) == 16
    assert episodes.observation.shape == (16, STEPS + 1, 23)
    assert episodes.action.shape == (16, STEPS, 4)
    assert episodes.goal.shape == (16, STEPS, 2)
    assert episodes.hidden.shape == episodes.cell.shape == (16, 5)
    assert not episodes.hidden.any()


def _as_wanted(shown: Shown) -> np.ndarray:
    """``(16, STEPS)``: the action equals the controller's choice."""
    episodes, controller, *_ = shown
    wanted = np.clip(np.array(controller.wanted), -1, 1).reshape(2, STEPS, 8, 4)
    wanted = wanted.transpose(0, 2, 1, 3).reshape(16, STEPS, 4)
    return (np.abs(episodes.action.numpy() - wanted) < 1e-6).all(-1)


def test_undisturbed_actions_until_success_are_imitated(shown: Shown) -> None:
    episodes, controller, task, _ = shown
    seen = np.array(controller.seen).reshape(2, STEPS, 8, 23).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(episodes.observation[:, :-1], seen.reshape(16, STEPS, 23), atol=1e-5)
    over = np.zeros((16, STEPS), dtype=bool)
    for b in range(16):
        _, there = task.reward(episodes.observation[b, :-1], episodes.goal[b])
        over[b, int(there.argmax()) if bool(there.any()) else STEPS :] = True
    assert over[:, 0].any()  # the cube lies at the goal from the start
    assert not over[:, :20].all(1).all()
    np.testing.assert_array_equal(_as_wanted(shown) & ~over, episodes.demonstrated.numpy())
    assert float(episodes.action.abs().max()) <= 1.0


def test_labels_are_the_controllers_choice_at_disturbed_steps_too(shown: Shown) -> None:
    world = SkillAwareWorld(SkillAwareTaskConfig(engine="mujoco"), 8, seed=0)
    controller, device = _Watched(), torch.device("cpu")
    how = {"episodes": 8, "hidden": 5, "seed": 0, "device": device, "labelled": True}
    episodes = demonstrate(world, controller, shown[2], **how)
    world.close()
    wanted = np.clip(np.array(controller.wanted), -1, 1).transpose(1, 0, 2)
    assert episodes.label is not None
    np.testing.assert_allclose(episodes.label, wanted, atol=1e-6)
    same = (np.abs(episodes.action.numpy() - wanted) < 1e-6).all(-1)
    assert bool((episodes.demonstrated.numpy() & ~same).any())
    unlabelled = shown[0].take(torch.arange(8))
    assert torch.equal(episodes.action, unlabelled.action)
    # Until the end of an episode, disturbed or not.
    assert bool((episodes.demonstrated | ~unlabelled.demonstrated).all())
    assert not bool(episodes.demonstrated.all())


def test_disturbances_are_rare_and_short(shown: Shown) -> None:
    disturbed = ~_as_wanted(shown)
    begins = DISTURBED_SHARE / (1 + DISTURBED_SHARE * (DISTURBANCE_STEPS - 1))
    assert disturbed.mean() == pytest.approx(begins * DISTURBANCE_STEPS, abs=0.03)
    for row in disturbed:
        edges = np.diff(np.concatenate(([0], row.astype(int), [0])))
        lengths = np.nonzero(edges == -1)[0] - np.nonzero(edges == 1)[0]
        inside = lengths[:-1] if row[-1] else lengths
        assert (inside % DISTURBANCE_STEPS == 0).all()  # two may follow each other


def test_returns_and_contexts_are_those_of_the_episodes(shown: Shown) -> None:
    episodes, _, task, world = shown
    for b in (0, 7, 15):
        reward, _ = task.reward(episodes.observation[b, 1:], episodes.goal[b])
        assert float(episodes.returns[b]) == pytest.approx(float(reward.sum()), abs=1e-4)
    np.testing.assert_allclose(episodes.truth[8:, 0], world.truth, atol=1e-6)
    assert torch.equal(episodes.truth[:, :1].expand(-1, STEPS + 1, -1), episodes.truth)
    assert episodes.task[8:].tolist() == world.task.tolist()


def test_demonstrations_succeed(shown: Shown) -> None:
    episodes, _, task, _ = shown
    _, ends = task.reward(episodes.observation[:, 1:].flatten(0, 1), episodes.goal.flatten(0, 1))
    solved = ends.unflatten(0, (16, STEPS)).any(1)
    assert float(solved.float().mean()) > 0.7


def test_demonstrations_exclude_held_out_contexts(shown: Shown) -> None:
    config = SkillAwareTaskConfig(
        engine="mujoco",
        contexts="range",
        friction=(2.0, 10.0),
        mass=(6.0, 16.0),
        scenes_per_task=1,
        episode_steps=1,
    )
    world = SkillAwareWorld(config, 16, seed=0)
    episodes = demonstrate(
        world, Pick(), shown[2], episodes=64, hidden=5, seed=0, device=torch.device("cpu")
    )
    world.close()
    mass, label = episodes.truth[:, 0, 0].exp(), 2.0 * episodes.truth[:, 0, 1].exp()
    heavy, rough = (mass > 7) & (mass < 14), (label > 3) & (label < 8)
    assert bool(heavy.any())
    assert bool(rough.any())
    assert not bool((heavy & rough).any())


def test_a_seed_repeats(shown: Shown) -> None:
    world = SkillAwareWorld(SkillAwareTaskConfig(engine="mujoco"), 8, seed=0)
    again = demonstrate(
        world, Pick(), shown[2], episodes=8, hidden=5, seed=0, device=torch.device("cpu")
    )
    world.close()
    torch.testing.assert_close(again.action, shown[0].action[:8])
    torch.testing.assert_close(again.observation, shown[0].observation[:8])
