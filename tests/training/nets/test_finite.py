"""Checks that training stays finite: the first fault is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from skill_training.nets.finite import (
    LOSSES_PER_CHECK,
    LossCheck,
    NotFiniteError,
    check_action,
    check_parts,
)


def _scalars(**values: float) -> dict[str, torch.Tensor]:
    return {name.replace("_", "/"): torch.tensor(value) for name, value in values.items()}


def test_the_first_loss_that_is_not_finite_is_named_with_its_step() -> None:
    check = LossCheck()
    check.note(41, _scalars(actor_loss=1.0, critic_loss=2.0))
    check.note(42, _scalars(actor_loss=1.0, critic_loss=float("inf")))
    check.note(43, _scalars(actor_loss=float("nan")))
    with pytest.raises(NotFiniteError, match="critic/loss is inf at gradient step 42"):
        check.check()
    check.check()  # the noted losses are forgotten


def test_many_steps_are_checked_before_the_end_of_a_round() -> None:
    check = LossCheck()
    check.note(1, _scalars(loss=float("nan")))
    for step in range(2, LOSSES_PER_CHECK):
        check.note(step, _scalars(loss=0.0))
    with pytest.raises(NotFiniteError, match="loss is nan at gradient step 1"):
        check.note(LOSSES_PER_CHECK, _scalars(loss=0.0))


def test_finite_losses_pass() -> None:
    check = LossCheck()
    for step in range(3 * LOSSES_PER_CHECK):
        check.note(step, _scalars(loss=3e38, other=-3e38))
    check.check()


class _Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 2))
        self.register_buffer("ids", torch.arange(3))
        self.register_buffer("empty", torch.zeros(0))


def test_a_parameter_a_buffer_and_an_average_of_the_optimiser_are_named() -> None:
    network = _Counts()
    network.register_buffer("scale", torch.ones(3))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    parts = {"actor": network, "actor_optimizer": optimizer}
    check_parts(parts)
    network.weight.sum().backward()
    optimizer.step()
    check_parts(parts)
    # Adam's average of squares overflows before its parameters do, and then stops them silently.
    assert network.weight.grad is not None
    network.weight.grad.fill_(1e30)
    optimizer.step()
    assert network.weight.isfinite().all()
    with pytest.raises(NotFiniteError, match=r"actor_optimizer\.exp_avg_sq\[0\] is inf"):
        check_parts(parts)
    network.scale[1] = float("nan")
    with pytest.raises(NotFiniteError, match=r"actor\.scale is nan"):
        check_parts(parts)
    with torch.no_grad():
        network.weight[0, 1] = float("-inf")
    with pytest.raises(NotFiniteError, match=r"actor\.weight is inf"):
        check_parts({"actor": network})


def test_parts_without_numbers_pass() -> None:
    check_parts({})
    check_parts({"identity": nn.Identity()})


def test_an_action_is_returned_or_refused_with_its_cause() -> None:
    action, observation = np.array([[0.5, -1.0]]), np.zeros((1, 3))
    assert check_action(action, observation) is action
    action[0, 1] = np.nan
    with pytest.raises(NotFiniteError, match="an action of the policy is nan"):
        check_action(action, observation)
    observation[0, 2] = np.inf
    with pytest.raises(NotFiniteError, match="an observation is inf"):
        check_action(action, observation)
