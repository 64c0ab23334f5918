"""The shared losses by hand, with networks replaced by fixed outputs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from skill_training.algorithms.actor_critic import adam, descend
from skill_training.algorithms.metra import Metra, MetraConfig
from skill_training.algorithms.sac import SacConfig
from skill_training.data.replay import Batch
from skill_training.nets.inputs import NetworkInputs

ALPHA = 0.5
INPUTS = NetworkInputs(scale=(1.0, 1.0, 1.0), seen=(0, 1), seen_scale=(1.0, 1.0))


class Fixed(nn.Module):
    """Returns the same output for every input."""

    def __init__(self, output: list[Any]) -> None:
        super().__init__()
        self.output = nn.Parameter(torch.tensor(output))

    def forward(self, *_: Tensor) -> Tensor:
        return self.output

    def sample(self, *_: Tensor) -> tuple[Tensor, Tensor]:
        """As an actor: an action, and the output as its log density."""
        return torch.zeros(len(self.output), 3), self.output


def make(**settings: float) -> Metra:
    config = MetraConfig(hidden=(4,), initial_entropy_coefficient=ALPHA, **settings)
    return Metra(config, inputs=INPUTS, action_size=3)


def batch(n: int) -> Batch:
    return Batch(
        observation=torch.zeros(n, 3),
        action=torch.zeros(n, 3),
        next_observation=torch.zeros(n, 3),
        skill=torch.zeros(n, 2),
    )


def test_soft_target_takes_the_smaller_twin_and_pays_for_entropy() -> None:
    sac: Any = make(discount=0.9)
    sac.target_critic = Fixed([[1.0, 5.0], [2.0, 3.0]])
    sac.actor = Fixed([-1.0, 2.0])
    target = sac.soft_target(batch(2), torch.tensor([10.0, 20.0]))
    # 10 + .9 (1 + .5), 20 + .9 (3 - 1)
    torch.testing.assert_close(target, torch.tensor([11.35, 21.8]))
    assert not target.requires_grad


def test_critic_loss_is_half_the_mean_square_summed_over_the_twins() -> None:
    sac: Any = make(discount=0.0)
    sac.critic = Fixed([[1.0, 2.0], [0.0, 5.0]])
    loss, metrics = sac.critic_loss(batch(2), torch.tensor([0.0, 4.0]))
    # 0.5 (1 + 4) / 2 + 0.5 (0 + 1) / 2
    assert loss.item() == pytest.approx(1.5)
    assert metrics["critic/value"].item() == 2.0
    assert metrics["critic/reward"].item() == 2.0
    (gradient,) = torch.autograd.grad(loss, [sac.critic.output])
    torch.testing.assert_close(gradient, torch.tensor([[0.5, -1.0], [0.0, 0.5]]))


def test_actor_loss_weighs_entropy_against_the_smaller_value() -> None:
    sac: Any = make()
    sac.critic = Fixed([[1.0, 4.0], [2.0, 3.0]])
    log_prob = torch.tensor([-1.0, -3.0], requires_grad=True)
    loss, metrics = sac.actor_loss(batch(2), torch.zeros(2, 3), log_prob)
    assert loss.item() == pytest.approx(ALPHA * -2.0 - 2.0)
    assert metrics["actor/entropy"].item() == 2.0
    assert metrics["actor/value"].item() == 2.0
    loss.backward()
    assert log_prob.grad is not None
    torch.testing.assert_close(log_prob.grad, torch.full((2,), ALPHA / 2))
    assert sac.entropy_coefficient.log.grad is None


@pytest.mark.parametrize(("log_prob", "rises"), [(-2.0, False), (1.6, True)])
def test_entropy_coefficient_rises_only_while_entropy_is_too_low(
    log_prob: float, rises: bool
) -> None:
    sac = make()  # target entropy -3 / 2: too low if the log density exceeds 1.5
    assert sac.target_entropy == -1.5
    loss, metrics = sac.entropy_loss(torch.full((4,), log_prob))
    assert loss.item() == pytest.approx(-math.log(ALPHA) * (log_prob - 1.5), rel=1e-5)
    assert metrics["actor/entropy_coefficient"].item() == pytest.approx(ALPHA)
    descend(loss, sac.entropy_optimizer)
    assert (sac.entropy_coefficient().item() > ALPHA) == rises


def test_target_moves_by_the_target_rate() -> None:
    sac = make(target_rate=0.25)
    with torch.no_grad():
        for online, slow in zip(
            sac.critic.parameters(), sac.target_critic.parameters(), strict=True
        ):
            online.fill_(4.0)
            slow.fill_(0.0)
    sac.update_target()
    assert all(set(slow.flatten().tolist()) == {1.0} for slow in sac.target_critic.parameters())


def test_target_starts_as_a_copy_and_is_never_trained() -> None:
    sac = make()
    for online, slow in zip(sac.critic.parameters(), sac.target_critic.parameters(), strict=True):
        assert torch.equal(online, slow)
        assert online is not slow
        assert not slow.requires_grad


def test_descend_touches_only_the_parameters_of_its_optimizer() -> None:
    ours, theirs = nn.Linear(2, 2), nn.Linear(2, 1)
    before = ours.weight.detach().clone()
    descend(theirs(ours(torch.ones(1, 2))).sum(), adam(ours, 0.1))
    assert theirs.weight.grad is None
    assert not torch.equal(ours.weight, before)


def test_act_is_repeatable_and_in_range() -> None:
    sac = make()
    observation, skill = torch.randn(64, 3), torch.randn(64, 2)
    mode = sac.act(observation, skill, deterministic=True)
    assert torch.equal(mode, sac.act(observation, skill, deterministic=True))
    sampled = sac.act(observation, skill)
    assert not torch.equal(sampled, mode)
    assert not sampled.requires_grad
    assert float(sampled.abs().max()) <= 1.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", math.inf),
        ("discount", 1.0),
        ("target_rate", 1.5),
        ("batch_size", 0),
        ("hidden", (0,)),
        ("initial_entropy_coefficient", -1.0),
        ("learning_speed", 1.0),
    ],
)
def test_config_errors_name_the_wrong_field(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        SacConfig(**{field: value})


def test_config_is_frozen() -> None:
    config: Any = SacConfig()
    with pytest.raises(AttributeError):
        config.discount = 0.5
