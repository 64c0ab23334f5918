"""Actor and critic of one-hot choices."""

from __future__ import annotations

import torch

from skill_training.nets.mlp import ObservationNormalizer
from skill_training.nets.one_hot import OneHotActor, OneHotCritic


def actor(log_odds: list[float]) -> OneHotActor:
    """An actor whose log odds do not depend on the observation."""
    made = OneHotActor(ObservationNormalizer([2.0]), choices=len(log_odds), hidden=())
    with torch.no_grad():
        made.body[0].weight.zero_()
        made.body[0].bias.copy_(torch.tensor(log_odds))
    return made


def test_samples_follow_the_probabilities_and_the_mode_is_the_largest() -> None:
    made, rows = actor([0.0, 3.0**0.5, 0.5]), torch.zeros(4000, 1)
    probs = made(rows[:1]).exp()[0]
    torch.testing.assert_close(probs, torch.tensor([0.0, 3.0**0.5, 0.5]).softmax(0))
    drawn = made.sample(rows, torch.Generator().manual_seed(0))
    assert set(drawn.sum(-1).tolist()) == {1.0}
    torch.testing.assert_close(drawn.mean(0), probs.detach(), atol=0.03, rtol=0)
    assert made.mode(rows[:2]).tolist() == [[0.0, 1.0, 0.0]] * 2


def test_the_critic_values_every_choice() -> None:
    critic = OneHotCritic(ObservationNormalizer([1.0, 1.0]), choices=4, hidden=(8,))
    assert critic(torch.zeros(5, 2)).shape == (2, 5, 4)
