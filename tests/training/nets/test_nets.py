"""The actor, the twin critics and their parts, against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, TanhTransform, TransformedDistribution

from skill_training.nets.actor import TanhGaussianActor, tanh_gaussian_log_prob
from skill_training.nets.critic import Critic, SuccessorFeatures, update_moving_average
from skill_training.nets.mlp import ObservationNormalizer, PositiveScalar, TwinMlp

SCALE = [0.5, 2.0, 4.0]


def make_actor() -> TanhGaussianActor:
    torch.manual_seed(0)
    return TanhGaussianActor(
        ObservationNormalizer(SCALE), skill_size=2, action_size=3, hidden=(8, 8)
    )


def test_normalizer_divides_each_entry_by_its_scale() -> None:
    normal = ObservationNormalizer(SCALE)(torch.tensor([[1.0, 1.0, -8.0]]))
    assert normal.tolist() == [[2.0, 0.5, -2.0]]


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_normalizer_refuses_a_scale_that_is_not_finite_and_positive(bad: float) -> None:
    with pytest.raises(ValueError, match="finite and > 0"):
        ObservationNormalizer([1.0, bad])


def test_twin_mlp_is_two_independent_networks() -> None:
    twins = TwinMlp(3, (4, 5), 2)
    inputs = torch.randn(7, 3)
    together = twins(inputs)
    assert together.shape == (2, 7, 2)
    for twin in range(2):
        features = inputs
        for layer in range(3):
            features = features @ twins.weights[layer][twin] + twins.biases[layer][twin]
            features = features.relu() if layer < 2 else features
        torch.testing.assert_close(together[twin], features)
    assert not torch.equal(twins.weights[0][0], twins.weights[0][1])
    assert float(twins.weights[1].detach().abs().max()) <= 1 / math.sqrt(4)


def test_critics_scale_the_raw_observation_and_return_the_documented_shapes() -> None:
    sizes = {"skill_size": 2, "action_size": 3, "hidden": (8,)}
    observation, action, skill = torch.randn(6, 3), torch.randn(6, 3), torch.randn(6, 2)
    normalizer = ObservationNormalizer(SCALE)
    critic = Critic(normalizer, **sizes)
    assert critic(observation, action, skill).shape == (2, 6)
    features = SuccessorFeatures(normalizer, **sizes)
    assert features(observation, action, skill).shape == (2, 6, 2)
    by_hand = torch.cat((observation / torch.tensor(SCALE), action, skill), -1)
    torch.testing.assert_close(features(observation, action, skill), features.twins(by_hand))


def test_log_prob_agrees_with_torch_distributions() -> None:
    mean = torch.tensor([[0.3, -0.7], [1.5, 0.0]])
    log_std = torch.tensor([[-1.0, 0.5], [0.0, -2.0]])
    noise = torch.tensor([[0.4, -1.1], [0.2, 2.0]])
    unsquashed = mean + log_std.exp() * noise
    reference = TransformedDistribution(
        Normal(mean, log_std.exp()), [TanhTransform(cache_size=1)], validate_args=False
    )
    expected = reference.log_prob(unsquashed.tanh()).sum(-1)
    torch.testing.assert_close(
        tanh_gaussian_log_prob(unsquashed, noise, log_std), expected, atol=1e-5, rtol=1e-5
    )


def test_log_prob_stays_finite_if_tanh_rounds_to_one() -> None:
    unsquashed = torch.tensor([[40.0, -40.0]], requires_grad=True)
    log_prob = tanh_gaussian_log_prob(unsquashed, torch.zeros(1, 2), torch.zeros(1, 2))
    log_prob.sum().backward()
    assert torch.isfinite(log_prob).all()
    assert unsquashed.grad is not None
    # d/du of -log(1 - tanh^2 u) is 2 tanh u.
    assert unsquashed.grad.tolist() == [[2.0, -2.0]]


def test_actor_samples_follow_its_own_density() -> None:
    actor = make_actor()
    observation, skill = torch.randn(1, 3).expand(50_000, 3), torch.ones(50_000, 2)
    action, log_prob = actor.sample(observation, skill, torch.Generator().manual_seed(1))
    mean, log_std = actor(observation[:1], skill[:1])
    unsquashed = action.atanh()
    torch.testing.assert_close(unsquashed.mean(0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(unsquashed.std(0), log_std[0].exp(), atol=0.03, rtol=0)
    reference = TransformedDistribution(
        Normal(mean, log_std.exp()), [TanhTransform()], validate_args=False
    )
    inside = action.abs().amax(-1) < 0.99
    torch.testing.assert_close(
        log_prob[inside], reference.log_prob(action[inside]).sum(-1), atol=2e-3, rtol=1e-3
    )


def test_actor_mode_is_the_squashed_mean_and_its_log_std_is_clipped() -> None:
    actor = make_actor()
    last = actor.body[-1]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(torch.tensor([0.1, -0.2, 3.0, -9.0, 0.5, 9.0]))
    mean, log_std = actor(torch.randn(4, 3), torch.randn(4, 2))
    torch.testing.assert_close(mean[0], torch.tensor([0.1, -0.2, 3.0]))
    torch.testing.assert_close(log_std[0], torch.tensor([-5.0, 0.5, 2.0]))
    torch.testing.assert_close(actor.mode(torch.randn(4, 3), torch.randn(4, 2)), mean.tanh())


def test_actor_gradient_reaches_its_weights_through_the_sample() -> None:
    actor = make_actor()
    action, _ = actor.sample(torch.randn(4, 3), torch.randn(4, 2))
    action.sum().backward()
    assert all(
        weight.grad is not None and float(weight.grad.abs().sum()) > 0
        for weight in actor.parameters()
    )


def test_positive_scalar_is_stored_by_its_logarithm() -> None:
    scalar = PositiveScalar(0.01)
    assert scalar().item() == pytest.approx(0.01)
    assert scalar.log.item() == pytest.approx(math.log(0.01))


def test_moving_average_moves_by_its_rate() -> None:
    target, online = nn.Linear(1, 1), nn.Linear(1, 1)
    nn.init.constant_(target.weight, 1.0)
    nn.init.constant_(online.weight, 3.0)
    update_moving_average(target, online, 0.25)
    assert target.weight.item() == 1.5
    assert online.weight.item() == 3.0
