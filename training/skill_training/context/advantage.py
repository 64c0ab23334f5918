"""Returns without the luck of the start: the rank of a trajectory among those of its task."""

from __future__ import annotations

import torch
from torch import Tensor

RIDGE = 1e-3
"""Regularisation of the regression, per episode and standardised feature."""

MIN_STD = 1e-6
"""Standard deviation below which a feature is constant."""


def advantages(start: Tensor, returns: Tensor) -> Tensor:
    """Returns the residuals ``(E,)`` of a regression of the returns on start and goal.

    Features are the entries of ``start`` and their squares, standardised. The fit is by ridge
    regression. The advantage of reinforcement learning takes a learned value instead; the
    regression needs no critic, and thus holds for fixed data.

    Args:
        start: ``(E, F)`` first observation and goal of each episode, on the CPU.
        returns: ``(E,)`` their returns, on the CPU.
    """
    if len(start) < 2:
        return torch.zeros_like(returns)
    start = start.double()
    features = torch.cat((start, (start - start.mean(0)).square()), dim=-1)
    spread = features.std(0)
    features = (features - features.mean(0))[:, spread > MIN_STD] / spread[spread > MIN_STD]
    centred = (returns - returns.mean()).double()
    ridge = RIDGE * len(features) * torch.eye(features.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(features.T @ features + ridge, features.T @ centred)
    return (centred - features @ weights).to(returns.dtype)
