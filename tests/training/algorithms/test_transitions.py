"""Transitions: parts of one episode each, some with a goal that was reached later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.algorithms.transitions import Transitions, draw_transitions
from skill_training.data.episodes import Episodes
from skill_training.data.goal_task import GoalTask
from skill_training.recipes.goal.task import RestAtGoal
from skill_training.recipes.skill_aware.task import BringToGoal

MakeEpisodes = Callable[..., Episodes]

STEPS = 10


def _draw(episodes: Episodes, task: GoalTask | None = None, **settings: object) -> Transitions:
    """Contexts that contain episode and step; next contexts are larger by 0.5."""
    number = episodes.returns[:, None, None].expand(-1, STEPS + 1, 1)
    step = torch.arange(STEPS + 1.0)[None, :, None].expand(len(episodes), -1, 1)
    contexts = torch.cat((number, step), dim=-1)
    task, config = task or RestAtGoal(torch.eye(2), 0), ContextSacConfig(**settings)
    generator = torch.Generator().manual_seed(0)
    return draw_transitions(episodes, contexts, contexts + 0.5, task, config, generator)


def _where(batch: Transitions) -> tuple[Tensor, Tensor]:
    """Episode and step of each transition; see ``make_episodes``."""
    return batch.observation[:, 6].long(), batch.observation[:, 7].long()


@pytest.mark.parametrize("return_steps", [1, 3])
def test_a_transition_is_a_piece_of_one_episode(
    return_steps: int, make_episodes: MakeEpisodes
) -> None:
    episodes = make_episodes(40, steps=STEPS)
    batch = _draw(episodes, return_steps=return_steps, hindsight_share=0.0, batch_size=500)
    episode, step = _where(batch)
    assert torch.equal(batch.action[:, :2], torch.stack((episode, step), 1).float())
    assert torch.equal(batch.steps, (STEPS - step).clamp_max(return_steps))
    for k in range(return_steps):
        assert torch.equal(batch.arrivals[:, k, 6].long(), episode)
        assert torch.equal(batch.arrivals[:, k, 7].long(), (step + 1 + k).clamp_max(STEPS))
    assert torch.equal(batch.goal, episodes.goal[episode, step])
    assert torch.equal(batch.context, torch.stack((episode, step), 1).float())
    last = torch.stack((episode, step + batch.steps), 1) + 0.5
    assert torch.equal(batch.next_context, last)
    assert set(step.tolist()) == set(range(STEPS))


def test_hindsight_goals_come_from_later_in_the_same_episode(make_episodes: MakeEpisodes) -> None:
    batch = _draw(make_episodes(40, steps=STEPS), hindsight_share=1.0, batch_size=2000)
    episode, step = _where(batch)
    # The cube of episode b at step t is at (b, t / 100).
    goal_step = (batch.goal[:, 1] * 100).round().long()
    assert torch.equal(batch.goal[:, 0].long(), episode)
    assert bool((goal_step > step).all())
    assert bool((goal_step <= STEPS).all())
    assert set((goal_step - step).tolist()) == set(range(1, STEPS + 1))


def test_the_share_of_hindsight_goals(make_episodes: MakeEpisodes) -> None:
    episodes = make_episodes(40, steps=STEPS)
    batch = _draw(episodes, hindsight_share=0.4, batch_size=4000)
    own = (batch.goal == episodes.goal[_where(batch)]).all(1)
    assert float(own.float().mean()) == pytest.approx(0.6, abs=0.04)


BRINGS = BringToGoal(
    cube=0, cube_velocity=3, cube_from_end_effector=3, rest_height=0.02, success_radius=0.055
)


def _brought(make_episodes: MakeEpisodes, goal_step: int) -> Episodes:
    """The cube moves 1 cm a step, and is within 5.5 cm of the goal from 5 steps before it on."""
    episodes = make_episodes(40, steps=STEPS)
    episodes.observation[..., 2] = 0.02
    goal = episodes.observation[:, :1, :2].expand(-1, STEPS, -1).clone()
    goal[..., 1] = goal_step / 100
    return replace(episodes, goal=goal)


def test_steps_behind_the_end_of_an_episode_are_not_drawn(make_episodes: MakeEpisodes) -> None:
    episodes = _brought(make_episodes, goal_step=9)
    gone = episodes.observation[::2, 7:, 1]
    gone += 1.0  # the cube slides past the goal: the episode has ended all the same
    batch = _draw(episodes, BRINGS, hindsight_share=0.0, return_steps=1, batch_size=2000)
    _, step = _where(batch)
    assert set(step.tolist()) == {0, 1, 2, 3}  # arrival 4 is at the goal
    assert torch.equal(batch.end[:, 0] == 1.0, step == 3)


def test_an_episode_that_ends_with_a_slow_cube_has_steps_at_the_goal(
    make_episodes: MakeEpisodes,
) -> None:
    slow = BringToGoal(
        cube=0,
        cube_velocity=3,
        cube_from_end_effector=3,
        rest_height=0.02,
        success_radius=0.055,
        end_speed=0.1,
    )
    episodes = _brought(make_episodes, goal_step=9)
    episodes.observation[..., 3:6] = 0.0
    episodes.observation[:, :8, 3] = 0.2  # at the goal from place 4 on, slow from place 8 on
    batch = _draw(episodes, slow, hindsight_share=0.0, return_steps=1, batch_size=2000)
    _, step = _where(batch)
    assert set(step.tolist()) == set(range(8))
    assert torch.equal(batch.end[:, 0] == 1.0, step == 7)
    assert torch.equal(batch.reward[:, 0] == 0.0, step >= 3)


def test_an_episode_has_the_steps_until_its_end(make_episodes: MakeEpisodes) -> None:
    episodes = _brought(make_episodes, goal_step=9)
    gone = episodes.observation[::2, 7:, 1]
    gone += 1.0  # no second start
    assert BRINGS.steps(episodes).tolist() == [4] * 40
    assert episodes.until(BRINGS.steps(episodes)).sum(1).tolist() == [5] * 40
    short = replace(episodes, length=torch.full((40,), 3))
    assert BRINGS.steps(short).tolist() == [3] * 40
    never = _brought(make_episodes, goal_step=100)
    assert BRINGS.steps(never).tolist() == [STEPS] * 40


def test_a_goal_that_is_reached_already_is_no_hindsight_goal(make_episodes: MakeEpisodes) -> None:
    episodes = _brought(make_episodes, goal_step=100)  # never reached
    batch = _draw(episodes, BRINGS, hindsight_share=1.0, batch_size=4000)
    _, step = _where(batch)
    goal_step = (batch.goal[:, 1] * 100).round().long()
    own = goal_step == 100
    # A later position is a goal if it is 6 cm or more away; from step 5 on none is.
    assert set((goal_step - step)[~own].tolist()) == {6, 7, 8, 9, 10}
    assert own[step > 4].all()
    assert not own[step == 0].all()


def test_if_every_episode_has_ended_all_steps_are_drawn(make_episodes: MakeEpisodes) -> None:
    batch = _draw(_brought(make_episodes, goal_step=0), BRINGS, batch_size=500)
    assert set(_where(batch)[1].tolist()) == set(range(STEPS))


def test_transitions_end_with_the_steps_that_count(make_episodes: MakeEpisodes) -> None:
    length = torch.tensor([10, 1, 4, 7] * 10)
    episodes = replace(make_episodes(40, steps=STEPS), length=length)
    batch = _draw(episodes, return_steps=3, hindsight_share=0.5, batch_size=4000)
    episode, step = _where(batch)
    assert (step < length[episode]).all()
    assert torch.equal(batch.steps, (length[episode] - step).clamp_max(3))
    assert (batch.arrivals[:, -1, 7].long() <= length[episode]).all()
    for count in (1, 4, 7, 10):  # every step that counts is drawn
        assert set(step[length[episode] == count].tolist()) == set(range(count))
