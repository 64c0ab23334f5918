"""Properties of every skill algorithm: gradients, exact continuation, devices."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import nn

from skill_training.algorithms.actor_critic import descend
from skill_training.algorithms.csf import Csf, CsfConfig
from skill_training.algorithms.metra import Metra, MetraConfig
from skill_training.algorithms.skills import sample_skills
from skill_training.data.replay import Batch
from skill_training.nets.inputs import NetworkInputs
from skill_training.nets.representation import RepresentationConfig

Algorithm = Csf | Metra

ALGORITHMS = pytest.mark.parametrize("kind", [Csf, Metra])
CONFIGS: dict[type[Algorithm], Any] = {Csf: CsfConfig, Metra: MetraConfig}
OBSERVATION = 7


def make(kind: type[Algorithm], *, form: str = "rotation", **arguments: object) -> Algorithm:
    representation = RepresentationConfig(form=form)
    return kind(
        CONFIGS[kind](hidden=(16, 16), representation=representation),
        inputs=NetworkInputs(scale=(0.5,) * OBSERVATION, seen=(4, 5), seen_scale=(0.5, 0.5)),
        action_size=3,
        **arguments,
    )


def make_batch(n: int = 32, seed: int = 0, device: str = "cpu") -> Batch:
    generator = torch.Generator().manual_seed(seed)
    observation = torch.randn(n, OBSERVATION, generator=generator)
    return Batch(
        observation=observation.to(device),
        action=(2 * torch.rand(n, 3, generator=generator) - 1).to(device),
        next_observation=(observation + 0.1).to(device),
        skill=sample_skills(n, 2, generator).to(device),
    )


def weights(algorithm: Algorithm) -> dict[str, list[torch.Tensor]]:
    return {
        name: [weight.detach().clone() for weight in part.parameters()]
        for name, part in algorithm.stateful().items()
        if isinstance(part, nn.Module)
    }


def changed(algorithm: Algorithm, before: dict[str, list[torch.Tensor]]) -> set[str]:
    return {
        name
        for name, now in weights(algorithm).items()
        if any(not torch.equal(old, new) for old, new in zip(before[name], now, strict=True))
    }


def representation_step(algorithm: Algorithm, batch: Batch) -> None:
    step = algorithm.representation.step(batch.observation, batch.next_observation)
    if isinstance(algorithm, Csf):
        negatives = sample_skills(8, 2, algorithm.generator)
        loss, _ = algorithm.representation_loss(step, batch.skill, negatives)
    else:
        loss, _ = algorithm.representation_loss(step, batch.skill)
    descend(loss, algorithm.representation_optimizer)


def critic_step(algorithm: Algorithm, batch: Batch) -> None:
    step = algorithm.representation.step(batch.observation, batch.next_observation)
    if isinstance(algorithm, Csf):
        action = algorithm.act(batch.next_observation, batch.skill)
        target = algorithm.successor_target(batch, step.detach(), action)
        loss, _ = algorithm.successor_loss(batch, target)
    else:
        loss, _ = algorithm.critic_loss(batch, (step * batch.skill).sum(-1).detach())
    descend(loss, algorithm.critic_optimizer)


@ALGORITHMS
@pytest.mark.parametrize("form", ["rotation", "linear", "mlp"])
def test_each_loss_moves_only_its_own_networks(kind: type[Algorithm], form: str) -> None:
    algorithm, batch = make(kind, form=form), make_batch()
    before = weights(algorithm)
    representation_step(algorithm, batch)
    assert changed(algorithm, before) == {"representation"}

    before = weights(algorithm)
    critic_step(algorithm, batch)
    assert changed(algorithm, before) == {"critic"}

    before = weights(algorithm)
    algorithm.update_actor(batch)
    assert changed(algorithm, before) == {"actor", "entropy_coefficient"}


@ALGORITHMS
def test_an_update_moves_all_networks_and_returns_finite_scalars(kind: type[Algorithm]) -> None:
    algorithm = make(kind)
    before = weights(algorithm)
    metrics = algorithm.update(make_batch())
    assert changed(algorithm, before) == set(before)
    assert all(
        value.shape == () and not value.requires_grad and bool(torch.isfinite(value))
        for value in metrics.values()
    )


@ALGORITHMS
def test_the_target_follows_the_updated_critic(kind: type[Algorithm]) -> None:
    algorithm = make(kind)
    old = weights(algorithm)["target_critic"]
    algorithm.update(make_batch())
    now = weights(algorithm)
    for before, online, target in zip(old, now["critic"], now["target_critic"], strict=True):
        torch.testing.assert_close(target, before + 0.005 * (online - before))


@ALGORITHMS
def test_state_survives_a_file_and_continues_exactly(kind: type[Algorithm]) -> None:
    algorithm = make(kind, form="mlp")
    for index in range(3):
        algorithm.update(make_batch(seed=index))
    file = io.BytesIO()
    torch.save(algorithm.state_dict(), file)
    file.seek(0)
    resumed = make(kind, form="mlp", seed=99)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for each in (algorithm, resumed):
        for index in range(3, 6):
            each.update(make_batch(seed=index))
    assert changed(resumed, weights(algorithm)) == set()
    batch = make_batch()
    assert torch.equal(
        algorithm.act(batch.observation, batch.skill), resumed.act(batch.observation, batch.skill)
    )


@ALGORITHMS
def test_the_seed_determines_all_draws_and_the_global_generator_is_unchanged(
    kind: type[Algorithm],
) -> None:
    untouched = torch.get_rng_state()
    first, again, other = make(kind, seed=1), make(kind, seed=1), make(kind, seed=2)
    for algorithm in (first, again, other):
        algorithm.update(make_batch())
    assert torch.equal(torch.get_rng_state(), untouched)
    assert changed(again, weights(first)) == set()
    assert {"actor", "critic"} <= changed(other, weights(first))


@ALGORITHMS
def test_a_state_without_a_part_is_refused(kind: type[Algorithm]) -> None:
    algorithm = make(kind)
    state = algorithm.state_dict()
    del state["target_critic"]
    with pytest.raises(KeyError, match="target_critic"):
        algorithm.load_state_dict(state)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@ALGORITHMS
@pytest.mark.parametrize("form", ["rotation", "linear", "mlp"])
def test_cuda_runs_the_same_update_as_the_cpu(kind: type[Algorithm], form: str) -> None:
    here, there = make(kind, form=form), make(kind, form=form, device="cuda")
    for name, parts in weights(there).items():
        for ours, theirs in zip(weights(here)[name], parts, strict=True):
            assert torch.equal(ours, theirs.cpu()), name
    for index in range(5):
        metrics = there.update(make_batch(seed=index, device="cuda"))
    assert all(bool(torch.isfinite(value)) for value in metrics.values())
    assert there.act(torch.zeros(2, OBSERVATION).cuda(), torch.ones(2, 2).cuda()).is_cuda
    assert there.representation.singular_values(make_batch(device="cuda").observation).is_cuda
    # The actor's mode has no noise, so it must agree across devices before any update.
    batch = make_batch()
    fresh = make(kind, form=form, device="cuda")
    torch.testing.assert_close(
        here.act(batch.observation, batch.skill, deterministic=True),
        fresh.act(batch.observation.cuda(), batch.skill.cuda(), deterministic=True).cpu(),
        atol=1e-4,
        rtol=1e-4,
    )


@ALGORITHMS
def test_learning_rates_fall_to_half_in_their_half_life(kind: type[Algorithm]) -> None:
    """After 30 of 10 steps each: an eighth. The rate of phi has its own start."""
    config = CONFIGS[kind](
        hidden=(16, 16), learning_rate=0.008, learning_rate_half_life=10,
        representation=RepresentationConfig(learning_rate=0.004),
    )  # fmt: skip
    algorithm = kind(
        config,
        inputs=NetworkInputs(scale=(0.5,) * OBSERVATION, seen=(4, 5), seen_scale=(0.5, 0.5)),
        action_size=3,
    )
    for _ in range(30):
        algorithm.decay_learning_rates()
    assert algorithm.critic_optimizer.param_groups[0]["lr"] == pytest.approx(0.001)
    assert algorithm.representation_optimizer.param_groups[0]["lr"] == pytest.approx(0.0005)
    continued = make(kind)
    continued.load_state_dict(algorithm.state_dict())
    assert continued.actor_optimizer.param_groups[0]["lr"] == pytest.approx(0.001)


@ALGORITHMS
def test_learning_rates_are_constant_by_default(kind: type[Algorithm]) -> None:
    algorithm = make(kind)
    algorithm.decay_learning_rates()
    assert algorithm.actor_optimizer.param_groups[0]["lr"] == 3e-4
