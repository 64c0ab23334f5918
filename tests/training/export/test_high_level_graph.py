"""A policy of two levels holds each skill for its steps."""

from __future__ import annotations

import pytest
import torch

from skill_training.export.high_level_graph import HighLevelGraph
from skill_training.nets.actor import TanhGaussianActor
from skill_training.nets.mlp import ObservationNormalizer
from skill_training.nets.one_hot import OneHotActor

HOLD, N = 3, 4


def graph(kind: str) -> HighLevelGraph:
    """Observation of 3 entries, of which 0 and 2 are the coordinates; 2 skills, 1 action."""
    torch.manual_seed(0)
    extended = ObservationNormalizer([1.0] * 5)
    high = (
        OneHotActor(extended, choices=2, hidden=(8,))
        if kind == "one_hot"
        else TanhGaussianActor(extended, skill_size=0, action_size=2, hidden=(8,))
    )
    plain = ObservationNormalizer([1.0] * 3)
    low = TanhGaussianActor(plain, skill_size=2, action_size=1, hidden=(8,))
    return HighLevelGraph(high, low, (0, 2), HOLD)


@pytest.mark.parametrize("kind", ["sphere", "one_hot"])
@torch.no_grad()
def test_a_skill_is_held(kind: str) -> None:
    made = graph(kind)
    goal, idle = torch.randn(N, 2), torch.zeros(N, 1)
    skill, left = torch.zeros(N, 2), torch.zeros(N, 1)
    skills = []
    for step in range(2 * HOLD):
        observation = torch.randn(N, 3)
        offset = goal - observation[:, [0, 2]]
        action, following, left = made(observation, idle, goal, skill, left)
        if step % HOLD == 0:
            extended = torch.cat((observation, offset), dim=-1)
            high = made.high
            choice = (
                high.mode(extended)
                if isinstance(high, OneHotActor)
                else high.mode(extended, extended[:, :0])
            )
            torch.testing.assert_close(following, choice / choice.norm(dim=-1, keepdim=True))
        else:
            assert torch.equal(following, skill)
        skill = following
        skills.append(skill)
        assert left.unique().tolist() == [HOLD - 1 - step % HOLD]
        torch.testing.assert_close(action, made.low.mode(observation, skill))
    assert not torch.equal(skills[0], skills[-1]) or kind == "one_hot"


@torch.no_grad()
def test_scenes_choose_when_their_own_steps_are_over() -> None:
    made = graph("sphere")
    held = torch.tensor([[0.6, 0.8]]).expand(N, 2)
    left = torch.tensor([[2.0], [0.0], [1.0], [0.0]])
    rows = torch.randn(N, 3)
    _, skill, after = made(rows, torch.zeros(N, 1), torch.zeros(N, 2), held, left)
    kept = (skill == held).all(-1)
    assert kept.tolist() == [True, False, True, False]
    assert after[:, 0].tolist() == [1.0, 2.0, 0.0, 2.0]
