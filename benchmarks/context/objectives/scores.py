"""Probes of contexts: ridge regressions that are fitted on training tasks and scored on others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

RIDGE = 1e-2
"""Regularisation of a probe, per episode and standardised entry."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of some episodes, besides their contexts."""

    truth: Tensor
    """``(B,)`` the hidden quantity."""
    behaviour: Tensor
    """``(B,)`` behaviour of the episode, -1 or 1."""
    right: Tensor
    """``(B,)`` behaviour that its task asks for, -1 or 1."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores on held-out tasks."""

    r2: float
    """R2 of the hidden quantity from the context."""
    r2_given_behaviour: float
    """The same, if the probe also knows the behaviour of the episode."""
    accuracy: float
    """Share of episodes in which a probe of context and behaviour names the behaviour that the task
    asks for; chance is .5."""


def score(fitted: Tensor, train: Known, unseen: Tensor, held_out: Known) -> Scores:
    """Fits probes on contexts ``(B, C)`` of training tasks, and scores them on others."""
    mean, std = fitted.mean(0), fitted.std(0) + 1e-8
    plain = [(part - mean) / std for part in (fitted, unseen)]
    given = [
        torch.cat((part, known.behaviour[:, None], part * known.behaviour[:, None]), dim=1)
        for part, known in zip(plain, (train, held_out), strict=True)
    ]
    right = predict(given[0], train.right, given[1])
    return Scores(
        r2=r2(held_out.truth, predict(plain[0], train.truth, plain[1])),
        r2_given_behaviour=r2(held_out.truth, predict(given[0], train.truth, given[1])),
        accuracy=float((torch.sign(right) == held_out.right).double().mean()),
    )


def predict(inputs: Tensor, target: Tensor, others: Tensor) -> Tensor:
    """Returns the predictions ``(B',)`` of a ridge regression with a constant."""
    inputs, others = (
        torch.cat((part, torch.ones(len(part), 1)), dim=1).double() for part in (inputs, others)
    )
    penalty = RIDGE * len(inputs) * torch.eye(inputs.shape[1], dtype=torch.float64)
    penalty[-1, -1] = 0.0
    weights = torch.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ target.double())
    return others @ weights


def r2(truth: Tensor, estimate: Tensor) -> float:
    """Returns the explained share of the variance."""
    error = (truth - estimate).square().mean()
    return float(1.0 - error / truth.double().var(unbiased=False))
