"""The forward model as an objective of the encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from skill_training.context.forward_model import LARGEST, ForwardModel
from skill_training.data.episodes import Episodes

MakeEpisodes = Callable[..., Episodes]

STEPS = 10


def _model(step_scale: float = 1.0) -> ForwardModel:
    model = ForwardModel(4, scale=[1.0] * 8, step_scale=[step_scale] * 8, action_size=3)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    return model


def _steady(episodes: Episodes, change: float) -> Episodes:
    """Episodes whose observation changes by ``change`` in each step."""
    times = torch.arange(STEPS + 1.0)[None, :, None]
    return replace(episodes, observation=(change * times).expand(len(episodes), -1, 8).clone())


@pytest.mark.parametrize(
    ("change", "scale", "expected"), [(0.5, 1.0, 0.25), (0.5, 0.25, 4.0), (100.0, 1.0, LARGEST**2)]
)
def test_the_loss_is_the_mean_square_of_the_scaled_change(
    change: float, scale: float, expected: float, make_episodes: MakeEpisodes
) -> None:
    episodes = _steady(make_episodes(5), change)
    contexts = torch.zeros(5, STEPS + 1, 4)
    loss = _model(scale).loss(episodes, contexts, torch.Generator().manual_seed(0))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_steps_behind_the_end_of_an_episode_do_not_count(make_episodes: MakeEpisodes) -> None:
    episodes = _steady(make_episodes(5), 0.5)
    episodes.observation[:, 4:] = 1e3
    episodes = replace(episodes, length=torch.full((5,), 3))
    contexts = torch.zeros(5, STEPS + 1, 4)
    loss = _model().loss(episodes, contexts, torch.Generator().manual_seed(0))
    assert loss.item() == pytest.approx(0.25, rel=1e-5)


def test_the_gradient_reaches_the_contexts(make_episodes: MakeEpisodes) -> None:
    model = ForwardModel(4, scale=[1.0] * 8, step_scale=[1.0] * 8, action_size=3)
    contexts = torch.randn(5, STEPS + 1, 4, requires_grad=True)
    model.loss(make_episodes(5), contexts, torch.Generator().manual_seed(0)).backward()
    assert contexts.grad is not None
    moved = contexts.grad.abs().sum((0, 2))
    assert (moved[:STEPS] > 0).all()
    assert float(moved[STEPS]) == 0.0  # nothing follows the last observation
