"""Advantages: the part of a return that start and goal do not explain."""

from __future__ import annotations

import pytest
import torch

from skill_training.context.advantage import advantages


def _starts(count: int) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(0))


def test_luck_of_the_start_is_removed() -> None:
    start = _starts(400)
    skill = torch.randn(400, generator=torch.Generator().manual_seed(1))
    luck = 5.0 * start[:, 0] - 3.0 * start[:, 1].square() + 7.0
    found = advantages(start, luck + skill)
    before = torch.corrcoef(torch.stack((luck + skill, skill)))[0, 1]
    after = torch.corrcoef(torch.stack((found, skill)))[0, 1]
    assert float(before) < 0.3
    assert float(after) > 0.98


def test_returns_that_the_start_does_not_explain_keep_their_order() -> None:
    returns = torch.arange(10.0)
    constant = torch.ones(10, 4)
    found = advantages(constant, returns)
    assert found.tolist() == pytest.approx((returns - 4.5).tolist())


def test_one_feature_by_hand() -> None:
    # Of start -1, 0, 1 (three times each) the square is 1, 0, 1: both standardised features are
    # orthogonal, and the returns 0, 1, 2 are explained by the first one.
    start = torch.tensor([-1.0, 0.0, 1.0] * 3)[:, None]
    found = advantages(start, torch.tensor([0.0, 1.0, 2.0] * 3))
    assert found.abs().max() < 0.01
