"""METRA's losses by hand, and its constraint."""

from __future__ import annotations

import math

import pytest
import torch

from skill_training.algorithms.actor_critic import descend
from skill_training.algorithms.metra import Metra, MetraConfig
from skill_training.algorithms.skills import sample_skills
from skill_training.data.replay import Batch
from skill_training.nets.inputs import NetworkInputs
from skill_training.nets.representation import RepresentationConfig

INPUTS = NetworkInputs(scale=(1.0, 1.0, 1.0), seen=(0, 1), seen_scale=(1.0, 1.0))


def make(representation: RepresentationConfig | None = None, **settings: float) -> Metra:
    config = MetraConfig(
        hidden=(4,), representation=representation or RepresentationConfig(), **settings
    )
    return Metra(config, inputs=INPUTS, action_size=3)


def test_constraint_uses_the_sum_of_squares_and_is_capped_by_the_slack() -> None:
    steps = torch.tensor([[3.0, 4.0], [0.9, 0.9], [0.6, 0.8], [0.0, 0.0]])
    # The mean of squares, .81, would count the second step as allowed.
    torch.testing.assert_close(
        make(slack=1e-3).constraint(steps), torch.tensor([-24.0, -0.62, 0.0, 1e-3])
    )


def test_representation_loss_by_hand() -> None:
    metra = make(initial_dual=30.0, slack=1e-3)
    step = torch.tensor([[2.0, 0.0], [0.0, 0.5]], requires_grad=True)
    skill = torch.tensor([[1.0, 0.0], [0.0, -1.0]])
    loss, metrics = metra.representation_loss(step, skill)
    alignment, constraint = (2.0 - 0.5) / 2, (-3.0 + 1e-3) / 2
    assert loss.item() == pytest.approx(-(alignment + 30.0 * constraint), rel=1e-5)
    assert metrics["representation/alignment"].item() == alignment
    assert metrics["representation/constraint"].item() == pytest.approx(constraint)
    loss.backward()
    # First step too long: -(z - 2 lambda d) / 2. Second within the slack: alignment only.
    assert step.grad is not None
    torch.testing.assert_close(step.grad, torch.tensor([[59.5, 0.0], [0.0, 0.5]]))
    assert metra.dual.log.grad is None


@pytest.mark.parametrize(("length", "rises"), [(2.0, True), (0.5, False)])
def test_dual_rises_while_the_constraint_is_violated(length: float, rises: bool) -> None:
    metra = make(initial_dual=30.0)
    step = torch.tensor([[length, 0.0]], requires_grad=True)
    loss, _ = metra.dual_loss(step)
    expected = math.log(30.0) * min(1e-3, 1 - length**2)
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    descend(loss, metra.dual_optimizer)
    assert (metra.dual().item() > 30.0) == rises
    assert step.grad is None


@pytest.mark.parametrize("form", ["rotation", "linear", "mlp"])
def test_steps_that_follow_the_skill_grow_to_length_one(form: str) -> None:
    metra = make(
        RepresentationConfig(form=form, learning_rate=0.02),
        learning_rate=0.02,
    )
    generator = torch.Generator().manual_seed(0)
    constraints: list[float] = []
    for index in range(1500):
        skill = sample_skills(256, 2, generator)
        after = torch.cat((0.1 * skill, torch.zeros(256, 1)), -1)
        step = metra.representation.step(torch.zeros(256, 3), after)
        loss, metrics = metra.representation_loss(step, skill)
        descend(loss, metra.representation_optimizer)
        descend(metra.dual_loss(step)[0], metra.dual_optimizer)
        if index >= 1000:
            constraints.append(metrics["representation/constraint"].item())
    assert sum(constraints) / len(constraints) == pytest.approx(0.0, abs=0.05)


def test_reward_uses_the_updated_representation() -> None:
    metra = make(RepresentationConfig(learning_rate=0.5))
    generator = torch.Generator().manual_seed(0)
    skill = sample_skills(16, 2, generator)
    before, after = (torch.randn(16, 3, generator=generator) for _ in range(2))
    old = metra.representation.step(before, after).detach()
    metrics = metra.update(
        Batch(observation=before, action=torch.zeros(16, 3), next_observation=after, skill=skill)
    )
    new = metra.representation.step(before, after).detach()
    assert not torch.allclose(old, new)
    torch.testing.assert_close(metrics["critic/reward"], (new * skill).sum(-1).mean())
