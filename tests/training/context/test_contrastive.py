"""Contrastive losses against numbers worked out by hand, loops in numpy, and their bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from skill_training.context.contrastive import (
    TEMPERATURE,
    info_nce_loss,
    pairwise_sigmoid_loss,
    return_gap_weight,
    sance_loss,
)

EAST, WEST, NORTH = (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0)


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _f(query: Tensor, key: Tensor) -> float:
    """exp(cos / 0.1)."""
    q, k = query.numpy(), key.numpy()
    return math.exp(float(q @ k) / (np.linalg.norm(q) * np.linalg.norm(k)) / TEMPERATURE)


def _log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


# SaNCE --------------------------------------------------------------------------------------------


def test_sance_by_hand() -> None:
    # cos 1 with the positive, 0 with one negative and 1 with the other: K = 3.
    # log(3 e^10 / (e^10 + e^0 + e^10)) = log(3 / (2 + e^-10)).
    query = torch.tensor([[EAST]])
    loss = sance_loss(query, 2 * query, torch.tensor([[NORTH, EAST]]))
    assert float(loss) == pytest.approx(-math.log(3 / (2 + math.exp(-10))), abs=1e-6)


def test_sance_is_the_papers_formula() -> None:
    query, positive, negative = _random(3, 4, 6), _random(3, 4, 6, seed=1), _random(3, 5, 6, seed=2)
    terms = []
    for group in range(3):
        for i in range(4):
            right = _f(query[group, i], positive[group, i])
            wrong = sum(_f(query[group, i], negative[group, k]) for k in range(5))
            terms.append(math.log(6 * right / (right + wrong)))
    assert float(sance_loss(query, positive, negative)) == pytest.approx(-np.mean(terms), rel=1e-9)


@pytest.mark.parametrize("k", [2, 16, 64, 256])
def test_sance_is_at_most_log_k(k: int) -> None:
    query = torch.tensor([[EAST, EAST]], dtype=torch.float64)
    best = sance_loss(query, query, torch.tensor([[WEST] * (k - 1)], dtype=torch.float64))
    assert -float(best) == pytest.approx(math.log(k), abs=1e-6)
    for seed in range(20):
        drawn = [_random(2, 3, 6, seed=seed), _random(2, 3, 6, seed=100 + seed)]
        loss = sance_loss(*drawn, _random(2, k - 1, 6, seed=200 + seed))
        assert -float(loss) < math.log(k)


def test_sance_is_zero_for_equal_contexts() -> None:
    same = torch.ones(2, 3, 4)
    assert float(sance_loss(same, same, torch.ones(2, 7, 4))) == pytest.approx(0.0, abs=1e-6)


def test_sance_keeps_groups_apart() -> None:
    query, positive, negative = _random(2, 3, 4), _random(2, 3, 4, seed=1), _random(2, 3, 4, seed=2)
    apart = [sance_loss(query[[m]], positive[[m]], negative[[m]]) for m in range(2)]
    torch.testing.assert_close(sance_loss(query, positive, negative), torch.stack(apart).mean())


# InfoNCE ------------------------------------------------------------------------------------------


def test_info_nce_by_hand() -> None:
    # Two pairs of different tasks. The first query: cos 1 with its own key, 0 with the other's.
    # The second: 0 with its own, 1 with the other's.
    query, key = torch.tensor([EAST, EAST]), torch.tensor([EAST, NORTH])
    loss = info_nce_loss(query, key, torch.tensor([0, 1]))
    first, second = -math.log1p(math.exp(-10)), -math.log1p(math.exp(10))
    assert float(loss) == pytest.approx(-(first + second) / 2, rel=1e-6)


def test_info_nce_is_its_formula() -> None:
    query, key = _random(6, 5), _random(6, 5, seed=1)
    task = torch.tensor([0, 1, 0, 2, 1, 0])
    terms = []
    for i in range(6):
        right = _f(query[i], key[i])
        wrong = sum(_f(query[i], key[j]) for j in range(6) if task[j] != task[i])
        terms.append(math.log(right / (right + wrong)))
    assert float(info_nce_loss(query, key, task)) == pytest.approx(-np.mean(terms), rel=1e-9)


def test_info_nce_ignores_other_keys_of_the_same_task() -> None:
    query, key, task = _random(4, 5), _random(4, 5, seed=1), torch.tensor([0, 0, 1, 2])

    def pull_on_first(keys: Tensor) -> Tensor:
        """The gradient of the first query, of task 0, which depends on every relevant key."""
        held = query.clone().requires_grad_()
        return torch.autograd.grad(info_nce_loss(held, keys, task), held)[0][0]

    before = pull_on_first(key)
    for other, counts in ((1, False), (2, True), (3, True)):
        changed = key.clone()
        changed[other] = _random(5, seed=9)
        assert torch.equal(pull_on_first(changed), before) is not counts


# The release's pairwise form ----------------------------------------------------------------------


def test_pairwise_sigmoid_by_hand() -> None:
    # cos 1 with the positive, 0 with the negative: -log sigmoid(10) - log(1 - 1/2).
    loss = pairwise_sigmoid_loss(
        torch.tensor([[EAST]]), torch.tensor([[EAST]]), torch.tensor([[NORTH]])
    )
    assert float(loss) == pytest.approx(math.log1p(math.exp(-10)) + math.log(2), rel=1e-6)


def test_pairwise_sigmoid_is_its_formula() -> None:
    query, positive, negative = _random(2, 3, 4), _random(2, 3, 4, seed=1), _random(2, 5, 4, seed=2)
    right = [
        _log_sigmoid(math.log(_f(query[m, i], positive[m, j])))
        for m in range(2)
        for i in range(3)
        for j in range(3)
    ]
    wrong = [
        _log_sigmoid(-math.log(_f(query[m, i], negative[m, j])))
        for m in range(2)
        for i in range(3)
        for j in range(5)
    ]
    loss = pairwise_sigmoid_loss(query, positive, negative, weight=0.5)
    assert float(loss) == pytest.approx(-0.5 * (np.mean(right) + np.mean(wrong)), rel=1e-9)


def test_pairwise_sigmoid_has_no_log_k_ceiling() -> None:
    query = torch.tensor([[EAST]])
    one = pairwise_sigmoid_loss(query, query, torch.tensor([[WEST]]))
    many = pairwise_sigmoid_loss(query, query, torch.tensor([[WEST] * 255]))
    torch.testing.assert_close(one, many)
    assert float(one) == pytest.approx(2 * math.log1p(math.exp(-10)), rel=1e-3)


@pytest.mark.parametrize(
    ("good", "bad", "weight"),
    [((3.0, 5.0), (1.0, 1.0), 0.03), ((500.0,), (0.0,), 1.0), ((0.0,), (1.0,), 0.0)],
)
def test_return_gap_weight(good: tuple[float], bad: tuple[float], weight: float) -> None:
    assert float(return_gap_weight(torch.tensor(good), torch.tensor(bad), 0.01)) == pytest.approx(
        weight
    )


# All losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["sance", "nce", "sigmoid"])
def test_only_directions_count(loss: str) -> None:
    query, positive, negative = _random(1, 4, 5), _random(1, 4, 5, seed=1), _random(1, 4, 5, seed=2)
    stretch = torch.tensor([0.1, 1.0, 7.0, 30.0], dtype=torch.float64)[:, None]

    def value(q: Tensor, p: Tensor, n: Tensor) -> Tensor:
        if loss == "nce":
            return info_nce_loss(q[0], p[0], torch.arange(4))
        return (sance_loss if loss == "sance" else pairwise_sigmoid_loss)(q, p, n)

    torch.testing.assert_close(
        value(query, positive, negative),
        value(query * stretch, positive * stretch, negative * stretch),
    )
