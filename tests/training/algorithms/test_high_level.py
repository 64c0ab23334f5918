"""High levels: losses by hand, and a short training on a task with a known best skill."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from skill_training.algorithms.high_level.config import HighLevelConfig
from skill_training.algorithms.high_level.kinds import KINDS, AnyHighLevel
from skill_training.algorithms.skills import SkillKind
from skill_training.data.choices import Choices

ALPHA = 0.5


class Fixed(nn.Module):
    """Returns the same output for every input."""

    def __init__(self, output: list[Any]) -> None:
        super().__init__()
        self.output = nn.Parameter(torch.tensor(output))

    def forward(self, *_: Tensor) -> Tensor:
        return self.output

    def sample(self, *_: object) -> tuple[Tensor, Tensor]:
        """As an actor: a choice, and the output as its log density."""
        return torch.zeros(len(self.output), 2), self.output


def make(kind: SkillKind = "sphere", size: int = 2, **settings: Any) -> Any:  # noqa: ANN401  tests replace its networks
    config = HighLevelConfig(
        **{"hidden": (8,), "initial_entropy_coefficient": ALPHA, "discount": 0.9, **settings}
    )
    return KINDS[kind](config, scale=[1.0] * 3, offset=[0.0] * 3, skill_size=size)


def batch(reward: list[float], terminal: list[float]) -> Choices:
    n = len(reward)
    return Choices(
        observation=torch.zeros(n, 3),
        choice=torch.zeros(n, 2),
        reward=torch.tensor(reward),
        next_observation=torch.zeros(n, 3),
        terminal=torch.tensor(terminal),
    )


def test_the_target_takes_the_smaller_twin_pays_for_entropy_and_ends_with_the_task() -> None:
    high = make()
    high.target_critic = Fixed([[1.0, 5.0], [2.0, 3.0]])
    high.actor = Fixed([-1.0, 2.0])
    target = high.target(batch([10.0, 20.0], [0.0, 1.0]))
    # 10 + .9 (1 + .5); the second choice ends the task
    torch.testing.assert_close(target, torch.tensor([11.35, 20.0]))
    assert not target.requires_grad


def test_the_target_of_one_hot_choices_is_an_expectation() -> None:
    """Probabilities .25 and .75, smaller values 1 and 3: 2.5, with an entropy of .5623."""
    high = make("one_hot")
    high.target_critic = Fixed([[[1.0, 9.0]], [[4.0, 3.0]]])
    high.actor = Fixed([[math.log(0.25), math.log(0.75)]])
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    target = high.target(batch([10.0], [0.0]))
    assert target.item() == pytest.approx(10.0 + 0.9 * (2.5 + ALPHA * entropy))


def test_values_of_one_hot_choices_are_those_of_the_chosen_skills() -> None:
    high = make("one_hot")
    high.critic = Fixed([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    chosen = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert high.values(torch.zeros(2, 3), chosen).tolist() == [[2.0, 3.0], [6.0, 7.0]]


def test_losses_by_hand() -> None:
    high = make(discount=0.0)
    high.critic = Fixed([[1.0, 2.0], [0.0, 5.0]])
    high.actor = Fixed([-1.0, 3.0])
    loss, metrics = high.critic_loss(batch([0.0, 4.0], [0.0, 0.0]))
    # 0.5 (1 + 4) / 2 + 0.5 (0 + 1) / 2
    assert loss.item() == pytest.approx(1.5)
    assert metrics["critic/reward"].item() == 2.0
    value, log_prob = high.expect(high.critic, torch.zeros(2, 3))
    loss, metrics = high.actor_loss(value, log_prob)
    # alpha (-1 + 3) / 2 - (0 + 2) / 2
    assert loss.item() == pytest.approx(ALPHA - 1.0)
    assert metrics["actor/entropy"].item() == -1.0


def test_target_entropies() -> None:
    assert make("sphere", 3).target_entropy == -1.5
    assert make("one_hot", 4).target_entropy == pytest.approx(0.2 * math.log(4))


def test_choices_become_skills() -> None:
    choice = torch.tensor([[0.3, 0.4]])
    torch.testing.assert_close(make().skill(choice), torch.tensor([[0.6, 0.8]]))
    assert torch.equal(make("one_hot").skill(choice), choice)


@pytest.mark.parametrize("kind", ["sphere", "one_hot"])
def test_it_learns_which_skill_is_paid(kind: SkillKind) -> None:
    """The reward is the first entry of the skill, times the sign of the first observation."""
    high: AnyHighLevel = make(
        kind, hidden=(32,), learning_rate=5e-3, initial_entropy_coefficient=0.01
    )
    random = torch.Generator().manual_seed(0)
    for _ in range(200):
        observation = torch.randn(64, 3, generator=random)
        choice = high.choose(observation)
        reward = high.skill(choice)[:, 0] * observation[:, 0].sign()
        high.update(
            Choices(
                observation=observation,
                choice=choice,
                reward=reward,
                next_observation=observation,
                terminal=torch.ones(64),
            )
        )
    rows = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    first = high.skill(high.choose(rows, deterministic=True))[:, 0]
    assert first[0] > 0.7
    assert first[1] < (0.2 if kind == "one_hot" else -0.7)


@pytest.mark.parametrize("kind", ["sphere", "one_hot"])
def test_a_restored_high_level_repeats_its_choices_and_updates(kind: SkillKind) -> None:
    first, second = make(kind), make(kind)
    rows = torch.randn(8, 3)
    first.choose(rows)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.choose(rows), second.choose(rows))
    drawn = batch([1.0, 2.0], [0.0, 0.0])
    for high in (first, second):
        high.update(drawn)
    for name, part in first.actor.state_dict().items():
        assert torch.equal(part, second.actor.state_dict()[name])
