"""Replay of a high level's choices."""

from __future__ import annotations

import torch

from skill_training.data.choices import ChoiceReplay


def replay() -> ChoiceReplay:
    return ChoiceReplay(4, observation_size=3, choice_size=2)


def filled() -> ChoiceReplay:
    """Three choices, whose entries are told apart by their hundreds."""
    made, number = replay(), torch.arange(3.0)
    made.add(
        (number + 100)[:, None].expand(3, 3),
        (number + 200)[:, None].expand(3, 2),
        number + 300,
        (number + 400)[:, None].expand(3, 3),
        (number == 2).numpy(),
    )
    return made


def test_a_sample_returns_whole_choices() -> None:
    made = filled()
    assert len(made) == 3
    drawn = made.sample(50, torch.Generator().manual_seed(0))
    number = drawn.reward - 300
    assert set(number.tolist()) == {0.0, 1.0, 2.0}
    assert torch.equal(drawn.observation, (number + 100)[:, None].expand(50, 3))
    assert torch.equal(drawn.choice, (number + 200)[:, None].expand(50, 2))
    assert torch.equal(drawn.next_observation, (number + 400)[:, None].expand(50, 3))
    assert torch.equal(drawn.terminal, (number == 2).float())


def test_a_restored_replay_draws_the_same() -> None:
    made, other = filled(), replay()
    other.load_state_dict(made.state_dict())
    first, second = (one.sample(9, torch.Generator().manual_seed(1)) for one in (made, other))
    assert torch.equal(first.reward, second.reward)
