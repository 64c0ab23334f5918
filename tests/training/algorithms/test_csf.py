"""CSF's losses by hand, and the fixed point of its representation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from skill_training.algorithms.actor_critic import Loss, descend
from skill_training.algorithms.csf import Csf, CsfConfig
from skill_training.algorithms.skills import sample_skills
from skill_training.data.replay import Batch
from skill_training.nets.inputs import NetworkInputs
from skill_training.nets.representation import RepresentationConfig

INPUTS = NetworkInputs(scale=(1.0, 1.0, 1.0), seen=(0, 1), seen_scale=(1.0, 1.0))


def make(representation: RepresentationConfig | None = None, **settings: float) -> Csf:
    config = CsfConfig(
        hidden=(4,), representation=representation or RepresentationConfig(), **settings
    )
    return Csf(config, inputs=INPUTS, action_size=3)


def batch(skill: Tensor) -> Batch:
    n = len(skill)
    return Batch(
        observation=torch.zeros(n, 3),
        action=torch.zeros(n, 3),
        next_observation=torch.zeros(n, 3),
        skill=skill,
    )


class Fixed(nn.Module):
    """Returns the same twin features for every input."""

    def __init__(self, output: list[Any]) -> None:
        super().__init__()
        self.output = nn.Parameter(torch.tensor(output))

    def forward(self, *_: Tensor) -> Tensor:
        return self.output


def test_representation_loss_by_hand() -> None:
    csf = make(contrast_weight=5.0)
    step = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    skill = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    negatives = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    loss, metrics = csf.representation_loss(step, skill, negatives)
    contrast = math.log(math.cosh(1.0)) / 2  # the second step is at right angles to both
    assert loss.item() == pytest.approx(5.0 * contrast - 0.5)
    assert metrics["representation/alignment"].item() == 0.5
    assert metrics["representation/contrast"].item() == pytest.approx(contrast)
    assert metrics["representation/step_norm"].item() == 1.5


def test_one_negative_equal_to_the_skill_cancels_the_alignment() -> None:
    csf = make(contrast_weight=1.0)
    step, skill = torch.randn(8, 2), torch.tensor([[0.6, 0.8]])
    loss, _ = csf.representation_loss(step, skill.expand(8, 2), skill)
    assert loss.item() == pytest.approx(0.0, abs=1e-6)


def test_target_takes_the_whole_vector_of_the_smaller_twin_sample_by_sample() -> None:
    csf: Any = make(discount=0.99)
    csf.target_critic = Fixed(
        [
            [[1.0, 10.0], [3.0, 4.0]],
            [[2.0, -10.0], [-5.0, 3.0]],
        ]
    )
    skill = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    step = torch.tensor([[0.5, 0.0], [0.0, 0.5]])
    target = csf.successor_target(batch(skill), step, torch.zeros(2, 3))
    # Along their skills: 1 < 2, the first twin; 4 > 3, the second.
    expected = torch.tensor([[0.5 + 0.99, 9.9], [-4.95, 0.5 + 2.97]])
    torch.testing.assert_close(target, expected)
    assert not target.requires_grad


def test_successor_loss_is_the_sum_of_two_mean_squares() -> None:
    csf: Any = make()
    csf.critic = Fixed([[[1.0, 0.0]], [[0.0, 2.0]]])
    skill = torch.tensor([[0.6, 0.8]])
    loss, metrics = csf.successor_loss(batch(skill), torch.zeros(1, 2))
    assert loss.item() == pytest.approx(0.5 + 2.0)
    assert metrics["critic/value"].item() == pytest.approx((0.6 + 1.6) / 2)
    (gradient,) = torch.autograd.grad(loss, [csf.critic.output])
    torch.testing.assert_close(gradient, torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]]]))


def test_values_are_successor_features_along_the_skill() -> None:
    csf: Any = make()
    csf.critic = Fixed([[[1.0, 2.0]], [[-3.0, 0.5]]])
    values = csf.twin_values(torch.zeros(1, 3), torch.zeros(1, 3), torch.tensor([[2.0, 4.0]]))
    assert values.tolist() == [[10.0], [-4.0]]


@pytest.mark.parametrize("form", ["rotation", "linear", "mlp"])
def test_steps_that_follow_the_skill_grow_to_the_length_where_contrast_balances(form: str) -> None:
    """With negatives on a circle the contrast is 5 log I0(|d|): at rest where I1/I0 = 1/5."""
    csf = make(RepresentationConfig(form=form, learning_rate=0.02), negatives=512)
    generator = torch.Generator().manual_seed(0)
    for _ in range(400):
        skill = sample_skills(256, 2, generator)
        after = torch.cat((0.1 * skill, torch.zeros(256, 1)), -1)
        step = csf.representation.step(torch.zeros(256, 3), after)
        loss, _ = csf.representation_loss(step, skill, sample_skills(512, 2, generator))
        descend(loss, csf.representation_optimizer)
    skill = sample_skills(2000, 2, generator)
    after = torch.cat((0.1 * skill, torch.zeros(2000, 1)), -1)
    length = csf.representation.step(torch.zeros(2000, 3), after).norm(dim=-1).mean().item()
    at = torch.tensor(0.4085, dtype=torch.float64)
    assert float(torch.special.i1(at) / torch.special.i0(at)) == pytest.approx(0.2, abs=2e-4)
    assert length == pytest.approx(0.4085, abs=0.03)


def test_negatives_are_drawn_at_each_update() -> None:
    csf = make(negatives=16)
    seen: list[Tensor] = []
    original = csf.representation_loss

    def watch(step: Tensor, skill: Tensor, negatives: Tensor) -> Loss:
        seen.append(negatives)
        return original(step, skill, negatives)

    csf.representation_loss = watch
    skill = sample_skills(8, 2, torch.Generator().manual_seed(0))
    csf.update(batch(skill))
    csf.update(batch(skill))
    assert [tuple(negatives.shape) for negatives in seen] == [(16, 2), (16, 2)]
    assert not torch.equal(seen[0], seen[1])
