"""ContextSac: its state, and a value that it must learn."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.support.context_sac import (
    STEPS,
    MakeEpisodes,
    MakeSac,
    parameters_of,
)
from torch import Tensor, nn

from skill_training.algorithms.context_sac import ContextSac
from skill_training.context.objective import ContrastiveConfig
from skill_training.data.episodes import EpisodeReplay

# State --------------------------------------------------------------------------------------------


def _saved(algorithm: ContextSac) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(algorithm.state_dict(), buffer)
    buffer.seek(0)
    loaded: dict[str, Any] = torch.load(buffer, weights_only=True)
    return loaded


@pytest.mark.parametrize("sampling", ["tesac", "ccm", "satesac", "saccm", "cross"])
def test_a_state_continues_bit_for_bit_also_within_a_block(
    sampling: str, make_sac: MakeSac, make_episodes: MakeEpisodes, replay: EpisodeReplay
) -> None:
    shown = make_episodes(8, steps=STEPS, first=200)
    shown.demonstrated[:] = True
    replay.keep_demonstrations(shown)
    settings: dict[str, object] = {
        "contrastive": ContrastiveConfig(sampling=sampling, batch=8),
        "updates_per_block": 4,
        "demonstration_share": 0.3,
        "imitation_weight": 0.5,
        "actor_frozen_updates": 8,
        "forward_model_weight": 1.0 if sampling == "cross" else 0.0,
    }
    first = make_sac(**settings)
    for _ in range(6):  # in the middle of the second block
        first.update(replay)
    state = _saved(first)
    first.end_block()  # as the next round of episodes does
    second = make_sac(seed=7, **settings)
    second.load_state_dict(state)
    for _ in range(7):
        left, right = first.update(replay), second.update(replay)
        assert {name: float(value) for name, value in left.items()} == {
            name: float(value) for name, value in right.items()
        }
    assert first.updates == second.updates == 13
    for name, part in first.stateful().items():
        if isinstance(part, nn.Module):
            other = second.stateful()[name]
            assert isinstance(other, nn.Module)
            assert torch.equal(_flat(part), _flat(other)), name


def _flat(module: nn.Module) -> Tensor:
    values = [value.flatten() for value in module.state_dict().values()]
    return torch.cat([torch.zeros(1), *values])


def test_equal_seeds_give_equal_updates(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    results: list[Tensor] = []
    for seed in (3, 3, 4):
        algorithm = make_sac(seed=seed)
        algorithm.update(replay)
        results.append(
            torch.cat((parameters_of(algorithm.actor), parameters_of(algorithm.encoder)))
        )
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_a_policys_networks_load_alone(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    first, second = make_sac(), make_sac(seed=1)
    first.task.rotation.copy_(torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))
    first.update(replay)
    second.load_networks(_saved(first))
    for name in ("average", "task"):
        mine, theirs = first.stateful()[name], second.stateful()[name]
        assert isinstance(mine, nn.Module)
        assert isinstance(theirs, nn.Module)
        assert torch.equal(_flat(mine), _flat(theirs))
    with pytest.raises(RuntimeError, match="size mismatch"):
        make_sac(hidden=(8, 8)).load_networks(_saved(first))


# Learning -----------------------------------------------------------------------------------------


def test_the_critic_learns_a_known_value(make_sac: MakeSac, make_episodes: MakeEpisodes) -> None:
    # Every arrival is at the goal and ends the episode, so Q = 0 for every action.
    episodes = make_episodes(40, steps=STEPS)
    episodes.observation[..., :3] = torch.tensor([0.0, 0.0, 0.02])
    held = EpisodeReplay(40)
    held.add(replace(episodes, goal=torch.zeros_like(episodes.goal)))
    algorithm = make_sac(ends=True, hindsight_share=0.0, learning_rate=3e-3)
    losses = [float(algorithm.update(held)["critic/loss"]) for _ in range(150)]
    assert losses[-1] < 0.02 * losses[0]
