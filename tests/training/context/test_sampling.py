"""Sampling of contrasted trajectories: the properties of each published method."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from skill_training.context.sampling import (
    SAMPLINGS,
    Ccm,
    Cross,
    Pairs,
    Ranked,
    SaCcm,
    SaTesac,
    Tesac,
)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _pool(seed: int, tasks: int = 5, episodes: int = 80) -> tuple[Tensor, Tensor]:
    generator = _generator(seed)
    task = torch.randint(tasks, (episodes,), generator=generator) * 10 + 3
    return task, torch.randn(episodes, generator=generator)


def test_tesac_draws_no_trajectories() -> None:
    assert Tesac().draw(*_pool(0), 16, _generator()) is None


def test_every_method_has_its_sampling() -> None:
    assert {name: type(one) for name, one in SAMPLINGS.items()} == {
        "tesac": Tesac,
        "ccm": Ccm,
        "satesac": SaTesac,
        "saccm": SaCcm,
        "cross": Cross,
    }


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), tasks=st.integers(2, 12), size=st.sampled_from([4, 16, 64]))
def test_ccm_pairs_share_a_task_and_are_two_episodes(seed: int, tasks: int, size: int) -> None:
    task, returns = _pool(seed, tasks)
    sample = Ccm().draw(task, returns, size, _generator(seed))
    if sample is None:
        return
    assert isinstance(sample, Pairs)
    assert torch.equal(task[sample.query], sample.task)
    assert torch.equal(task[sample.key], sample.task)
    assert len(sample.task.unique()) >= 2
    assert len(sample.query) <= size // 2
    both = sample.episodes.tolist()
    assert len(set(both)) == len(both)


def test_ccm_fills_its_batch_and_reaches_every_task() -> None:
    task, returns = _pool(0)
    generator, met = _generator(), set[int]()
    for _ in range(20):
        sample = Ccm().draw(task, returns, 32, generator)
        assert sample is not None
        assert len(sample.query) == 16
        met |= set(sample.task.tolist())
    assert met == set(task.tolist())


def test_ccm_needs_two_tasks() -> None:
    returns = torch.zeros(8)
    assert Ccm().draw(torch.zeros(8, dtype=torch.int64), returns, 8, _generator()) is None
    assert Ccm().draw(torch.arange(8), returns, 8, _generator()) is None
    assert Ccm().draw(torch.zeros(0, dtype=torch.int64), returns[:0], 8, _generator()) is None


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), tasks=st.integers(1, 12), size=st.sampled_from([4, 16, 64]))
def test_satesac_never_mixes_tasks_and_ranks_within_one(seed: int, tasks: int, size: int) -> None:
    task, returns = _pool(seed, tasks)
    sample = SaTesac().draw(task, returns, size, _generator(seed))
    assert isinstance(sample, Ranked)
    assert sample.positive.shape == sample.negative.shape
    assert sample.episodes.numel() <= size
    for good, bad in zip(sample.positive, sample.negative, strict=True):
        group = torch.cat((good, bad))
        assert len(task[group].unique()) == 1
        assert len(group.unique()) == len(group)
        assert returns[good].min() >= returns[bad].max()


def test_satesac_takes_several_tasks_if_each_has_few_episodes() -> None:
    task = torch.arange(10).repeat_interleave(4)
    returns = torch.arange(40.0)
    sample = SaTesac().draw(task, returns, 16, _generator())
    assert sample is not None
    assert sample.positive.shape == (4, 2)
    # Returns rise with the index: of four episodes of a task the last two are the better ones.
    assert bool((sample.positive % 4 >= 2).all())
    assert bool((sample.negative % 4 < 2).all())


def test_satesac_needs_four_episodes_of_a_task() -> None:
    assert SaTesac().draw(torch.arange(20), torch.zeros(20), 16, _generator()) is None
    one = torch.zeros(3, dtype=torch.int64)
    assert SaTesac().draw(one, torch.zeros(3), 16, _generator()) is None
    assert SaTesac().draw(one[:0], torch.zeros(0), 16, _generator()) is None


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), tasks=st.integers(1, 8), size=st.sampled_from([4, 16, 64]))
def test_saccm_positives_are_of_one_task_and_beat_every_negative(
    seed: int, tasks: int, size: int
) -> None:
    task, returns = _pool(seed, tasks)
    sample = SaCcm().draw(task, returns, size, _generator(seed))
    assert isinstance(sample, Ranked)
    assert sample.negative.shape == (1, size // 2)
    assert 2 <= sample.positive.shape[1] <= size // 2
    assert len(task[sample.positive].unique()) == 1
    assert returns[sample.positive].min() > returns[sample.negative].max()
    every = sample.episodes.tolist()
    assert len(set(every)) == len(every)


def test_saccm_negatives_are_of_all_tasks() -> None:
    task, returns = _pool(0)
    generator = _generator()
    met = set[int]()
    for _ in range(20):
        sample = SaCcm().draw(task, returns, 32, generator)
        assert sample is not None
        met |= set(task[sample.negative].flatten().tolist())
    assert met == set(task.tolist())


def test_release_fault_3_no_task_better_than_the_best_negative_is_no_error() -> None:
    task = torch.arange(8) % 4
    assert SaCcm().draw(task, torch.zeros(8), 8, _generator()) is None  # all alike
    # One better episode per task is not a pair of positives.
    few = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    assert SaCcm().draw(task, few, 8, _generator()) is None
    assert SaCcm().draw(task[:5], torch.arange(5.0), 8, _generator()) is None  # not enough yet


def test_release_fault_3_tasks_without_good_trajectories_are_skipped() -> None:
    task = torch.tensor([0] * 12 + [1] * 4)
    returns = torch.tensor([0.0] * 12 + [1.0] * 4)  # only task 1 has good trajectories
    generator = _generator()
    for _ in range(10):
        sample = SaCcm().draw(task, returns, 16, generator)
        assert sample is not None
        assert set(task[sample.positive].flatten().tolist()) == {1}


@pytest.mark.parametrize("name", ["ccm", "satesac", "saccm"])
def test_a_seed_repeats_a_draw(name: str) -> None:
    draws = [SAMPLINGS[name].draw(*_pool(0), 16, _generator(seed)) for seed in (1, 1, 2)]
    first, again, other = (None if one is None else one.episodes for one in draws)
    assert first is not None
    assert again is not None
    assert other is not None
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# Good ones of other tasks as negatives ------------------------------------------------------------


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), tasks=st.integers(2, 12), size=st.sampled_from([8, 16, 64]))
def test_cross_negatives_are_bad_of_the_task_or_good_of_another(
    seed: int, tasks: int, size: int
) -> None:
    task, returns = _pool(seed, tasks)
    sample = Cross().draw(task, returns, size, _generator(seed))
    if sample is None:
        return
    names = task[sample.positive]
    groups, good = sample.positive.shape
    assert (names == names[:, :1]).all()
    assert len(set(names[:, 0].tolist())) == groups
    for group in range(groups):
        own = task[sample.negative[group]] == names[group, 0]
        assert int(own.sum()) == good
        worst = returns[sample.positive[group]].min()
        assert (returns[sample.negative[group][own]] <= worst).all()
        others = set(sample.negative[group][~own].tolist())
        everywhere = set(sample.positive.flatten().tolist())
        assert others == everywhere - set(sample.positive[group].tolist())
    assert len(sample.episodes) <= size


def test_cross_needs_two_tasks_with_four_trajectories() -> None:
    returns = torch.arange(12.0)
    alone = torch.tensor([1] * 4 + [2] * 3 + [3] * 3 + [4] * 2)
    assert Cross().draw(alone, returns, 8, _generator()) is None
    both = torch.tensor([1] * 4 + [2] * 4 + [3] * 4)
    sample = Cross().draw(both, returns, 8, _generator())
    assert sample is not None
    assert sample.positive.shape == (2, 2)
    assert sample.negative.shape == (2, 4)


def test_ranked_places_lead_back_to_the_indices() -> None:
    sample = Ranked(
        positive=torch.tensor([[9, 4], [7, 2]]), negative=torch.tensor([[1, 7, 2], [1, 9, 4]])
    )
    assert sample.episodes.tolist() == [9, 4, 7, 2, 1]
    good, bad = sample.places
    assert sample.episodes[good].tolist() == sample.positive.tolist()
    assert sample.episodes[bad].tolist() == sample.negative.tolist()
