"""The context encoder: single steps equal an unroll, and the momentum copy follows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from skill_training.nets.encoder import ContextEncoder, EncoderConfig, MomentumEncoder

SCALE = (0.5, 2.0, 1.0, 0.1)
ACTIONS = 3


def _encoder(seed: int = 0) -> ContextEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = EncoderConfig(size=5, hidden=16)
        return ContextEncoder(config, scale=SCALE, action_size=ACTIONS)


def _inputs(episodes: int, steps: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    observation = torch.randn(episodes, steps, len(SCALE), generator=generator)
    return observation, torch.randn(episodes, steps, ACTIONS, generator=generator)


@torch.no_grad()
def test_a_policy_that_has_stopped_keeps_context_and_state() -> None:
    encoder = _encoder()
    observation, action = _inputs(2, 2)
    before_context, before = encoder.step(observation[:, 0], action[:, 0], encoder.initial_state(2))
    after_context, after = encoder.step(observation[:, 1], action[:, 1], before)
    context, state = encoder.held(after, before, torch.tensor([[0.0], [1.0]]))
    torch.testing.assert_close(context[0], before_context[0])
    torch.testing.assert_close(context[1], after_context[1])
    for part, old, new in zip(state, before, after, strict=True):
        assert torch.equal(part[0], old[0])
        assert torch.equal(part[1], new[1])


@torch.no_grad()
def test_step_by_step_equals_an_unroll() -> None:
    encoder = _encoder()
    observation, action = _inputs(7, 100)
    contexts, last = encoder(observation, action, encoder.initial_state(7))
    assert contexts.shape == (7, 100, 5)
    state = encoder.initial_state(7)
    for t in range(100):
        context, state = encoder.step(observation[:, t], action[:, t], state)
        torch.testing.assert_close(context, contexts[:, t], rtol=0, atol=1e-6)
    torch.testing.assert_close(state, last, rtol=0, atol=1e-6)


@torch.no_grad()
def test_two_unrolls_with_a_carried_state_equal_one_long_unroll() -> None:
    encoder = _encoder()
    observation, action = _inputs(3, 50)
    whole, end = encoder(observation, action, encoder.initial_state(3))
    first, state = encoder(observation[:, :20], action[:, :20], encoder.initial_state(3))
    second, last = encoder(observation[:, 20:], action[:, 20:], state)
    torch.testing.assert_close(torch.cat((first, second), dim=1), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(last, end, rtol=0, atol=1e-6)


@torch.no_grad()
def test_a_context_depends_on_the_past_only() -> None:
    encoder = _encoder()
    observation, action = _inputs(1, 30)
    before = encoder(observation, action, encoder.initial_state(1))[0]
    observation[:, 20] += 1.0
    after = encoder(observation, action, encoder.initial_state(1))[0]
    assert torch.equal(before[:, :20], after[:, :20])
    assert not torch.equal(before[:, 20:].sum(-1), after[:, 20:].sum(-1))
    assert float((before[:, 25] - after[:, 25]).abs().max()) > 0


def test_the_network_is_that_of_the_release() -> None:
    encoder = _encoder()
    shapes = {name: tuple(value.shape) for name, value in encoder.named_parameters()}
    assert shapes == {
        "lstm.weight_ih_l0": (4 * 16, len(SCALE) + ACTIONS),
        "lstm.weight_hh_l0": (4 * 16, 16),
        "output.weight": (5, 16),
        "output.bias": (5,),
    }
    default = EncoderConfig()
    assert (default.size, default.hidden) == (6, 128)
    assert (default.learning_rate, default.momentum_rate) == (1e-3, 0.05)


@torch.no_grad()
def test_raw_units_are_normalised_inside() -> None:
    encoder = _encoder()
    observation, action = _inputs(2, 1)
    state = encoder.initial_state(2)
    given = encoder.step(observation[:, 0], action[:, 0], state)[0]
    encoder.normalizer.scale.mul_(3.0)
    torch.testing.assert_close(given, encoder.step(3 * observation[:, 0], action[:, 0], state)[0])


def test_the_momentum_copy_moves_by_its_share() -> None:
    online, start = _encoder(0), _encoder(0)
    momentum = MomentumEncoder(online, rate=0.05)
    for mine, theirs in zip(momentum.encoder.parameters(), start.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    target = _encoder(1)
    momentum.follow(target)
    momentum.follow(target)
    left = 0.95**2
    for slow, first, fast in zip(
        momentum.encoder.parameters(), start.parameters(), target.parameters(), strict=True
    ):
        torch.testing.assert_close(slow, left * first + (1 - left) * fast)


def test_the_momentum_copy_is_separate_and_without_gradient() -> None:
    online = _encoder()
    momentum = MomentumEncoder(online, rate=0.05)
    observation, action = _inputs(2, 5)
    keys = momentum(observation, action, online.initial_state(2))
    assert not keys.requires_grad
    assert not any(parameter.requires_grad for parameter in momentum.parameters())
    with torch.no_grad():
        online.output.bias += 1.0
    assert torch.equal(momentum(observation, action, online.initial_state(2)), keys)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"hidden": 0}, {"momentum_rate": 0.0}])
def test_impossible_sizes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EncoderConfig(**wrong)
