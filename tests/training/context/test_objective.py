"""The contrastive term: compared contexts and keys, and their times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from skill_training.context.contrastive import (
    info_nce_loss,
    pairwise_sigmoid_loss,
    return_gap_weight,
    sance_loss,
)
from skill_training.context.objective import Contrasted, ContrastiveConfig, ContrastiveTerm
from skill_training.context.sampling import Pairs, Ranked
from skill_training.data.episodes import EpisodeReplay, Episodes

MakeEpisodes = Callable[..., Episodes]
STEPS = 10


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _steady(count: int, seed: int) -> Tensor:
    """Contexts that are constant over an episode, so that the drawn times have no effect."""
    drawn = torch.randn(count, 1, 4, generator=_generator(seed))
    return drawn.expand(-1, STEPS + 1, -1)


def _contrasted(
    sample: Ranked | Pairs, episodes: Episodes, loss: str, coefficient: float = 0.01
) -> Contrasted:
    config = ContrastiveConfig(loss=loss, gap_coefficient=coefficient)
    return Contrasted(
        config=config, sample=sample, episodes=episodes, ranks=episodes.returns / episodes.counted
    )


@pytest.fixture
def ranked() -> Ranked:
    """Two groups of three good and two bad trajectories."""
    return Ranked(
        positive=torch.tensor([[9, 8, 7], [4, 3, 2]]), negative=torch.tensor([[6, 5], [1, 0]])
    )


@pytest.fixture
def pairs() -> Pairs:
    return Pairs(
        query=torch.tensor([0, 2, 4]), key=torch.tensor([1, 3, 5]), task=torch.tensor([7, 7, 8])
    )


def test_ranked_queries_are_compared_to_good_and_bad_trajectories_of_their_group(
    ranked: Ranked, make_episodes: MakeEpisodes
) -> None:
    contexts, keys = _steady(6, 1), _steady(10, 2)
    contrasted = _contrasted(ranked, make_episodes(10), "nce")
    # Rows in the order of ``ranked.episodes``: 0-2 and 3-5 good, 6-7 and 8-9 bad.
    terms = [
        sance_loss(contexts[[[query]], 0], keys[[[positive]], 0], keys[[negatives], 0])
        for query, positive, negatives in (
            (0, 2, [6, 7]),
            (1, 0, [6, 7]),
            (2, 1, [6, 7]),
            (3, 5, [8, 9]),
            (4, 3, [8, 9]),
            (5, 4, [8, 9]),
        )
    ]
    torch.testing.assert_close(
        contrasted.loss(contexts, keys, _generator()), torch.stack(terms).mean()
    )


def test_the_release_form_is_weighted_by_the_return_gap(
    ranked: Ranked, make_episodes: MakeEpisodes
) -> None:
    contexts, keys = _steady(6, 1), _steady(10, 2)
    episodes = make_episodes(10).take(ranked.episodes)
    # The weight uses mean rewards; a return is their sum over the steps.
    episodes = replace(episodes, returns=episodes.returns * episodes.action.shape[1])
    contrasted = _contrasted(ranked, episodes, "sigmoid", coefficient=0.1)
    good, bad = torch.tensor([9.0, 8, 7, 4, 3, 2]), torch.tensor([6.0, 5, 1, 0])
    weight = return_gap_weight(good, bad, 0.1)
    assert float(weight) == pytest.approx(0.25)
    query, positive, negative = (
        contexts[:, 0].reshape(2, 3, 4),
        keys[:6, 0].reshape(2, 3, 4),
        keys[6:, 0].reshape(2, 2, 4),
    )
    torch.testing.assert_close(
        contrasted.loss(contexts, keys, _generator()),
        pairwise_sigmoid_loss(query, positive, negative, 0.25),
    )


def test_pairs_are_compared_to_their_own_key_and_to_other_tasks(
    pairs: Pairs, make_episodes: MakeEpisodes
) -> None:
    contexts, keys = _steady(3, 1), _steady(3, 2)
    query, key = contexts[:, 0], keys[:, 0]
    nce = _contrasted(pairs, make_episodes(6), "nce").loss(contexts, keys, _generator())
    torch.testing.assert_close(nce, info_nce_loss(query, key, pairs.task))
    sigmoid = _contrasted(pairs, make_episodes(6), "sigmoid").loss(contexts, keys, _generator())
    terms = [
        pairwise_sigmoid_loss(query[None, :2], key[None, :2], key[None, 2:]),
        pairwise_sigmoid_loss(query[None, 2:], key[None, 2:], key[None, :2]),
    ]
    torch.testing.assert_close(sigmoid, torch.stack(terms).mean())


def test_only_queries_and_keys_are_unrolled(
    ranked: Ranked, pairs: Pairs, make_episodes: MakeEpisodes
) -> None:
    two = _contrasted(pairs, make_episodes(6), "nce")
    assert two.queries.returns.tolist() == make_episodes(6).returns[:3].tolist()
    assert two.keys.returns.tolist() == make_episodes(6).returns[3:].tolist()
    groups = _contrasted(ranked, make_episodes(10), "nce")
    assert groups.queries.returns.tolist() == make_episodes(10).returns[:6].tolist()
    assert len(groups.keys) == 10


def test_the_first_fifth_of_an_episode_is_left_out(
    ranked: Ranked, make_episodes: MakeEpisodes
) -> None:
    contexts, keys = _steady(6, 1).clone(), _steady(10, 2).clone()
    contexts[:, :2], keys[:, :2] = torch.nan, torch.nan
    contrasted = _contrasted(ranked, make_episodes(10), "nce")
    for seed in range(20):
        assert bool(contrasted.loss(contexts, keys, _generator(seed)).isfinite())


def test_all_contexts_of_a_batch_are_at_the_same_step(
    pairs: Pairs, make_episodes: MakeEpisodes
) -> None:
    # Contexts that depend on the step only: equal at equal steps, orthogonal otherwise. The
    # comparison is at equal steps, so the loss is that of equal contexts.
    clock = torch.eye(STEPS + 1).expand(3, -1, -1)
    loss = _contrasted(pairs, make_episodes(6), "nce").loss(clock, clock, _generator())
    same = torch.ones(3, 4)
    torch.testing.assert_close(loss, info_nce_loss(same, same, pairs.task))


# Drawing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", ["ccm", "satesac", "saccm"])
def test_the_episodes_drawn_are_those_of_the_sample(
    sampling: str, make_episodes: MakeEpisodes
) -> None:
    replay = EpisodeReplay(20)
    for first in range(0, 36, 12):  # overwrites the oldest, so indices differ from numbers
        replay.add(make_episodes(12, first=first))
    term = ContrastiveTerm(ContrastiveConfig(sampling=sampling, batch=8, pool=16))
    generator = _generator()
    newest = replay.newest(16)[2]
    for _ in range(10):
        drawn = term.draw(replay, generator)
        assert drawn is not None
        scores = drawn.episodes.returns / drawn.episodes.counted
        assert torch.equal(scores, newest[drawn.sample.episodes])
        assert float(drawn.episodes.returns.min()) >= 36 - 16
        if isinstance(drawn.sample, Ranked):
            half = drawn.sample.positive.numel()
            good, bad = drawn.episodes.returns[:half], drawn.episodes.returns[half:]
            assert drawn.sample.positive.shape[0] > 1 or float(good.min()) > float(bad.max())


@pytest.mark.parametrize("config", [{"sampling": "tesac"}, {"sampling": "ccm", "weight": 0.0}])
def test_without_a_term_no_trajectories_are_drawn(
    config: dict[str, object], make_episodes: MakeEpisodes
) -> None:
    replay = EpisodeReplay(20)
    replay.add(make_episodes(20))
    generator = _generator()
    before = generator.get_state()
    assert ContrastiveTerm(ContrastiveConfig(**config)).draw(replay, generator) is None
    assert torch.equal(before, generator.get_state())


@pytest.mark.parametrize("sampling", ["ccm", "satesac", "saccm"])
def test_an_empty_replay_gives_no_trajectories(sampling: str) -> None:
    term = ContrastiveTerm(ContrastiveConfig(sampling=sampling))
    assert term.draw(EpisodeReplay(20), _generator()) is None
