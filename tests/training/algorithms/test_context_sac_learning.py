"""ContextSac: which loss trains which network, and the imitation loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.support.context_sac import (
    NO,
    STEPS,
    MakeEpisodes,
    MakeSac,
    critic_batches,
    episode_and_step,
    parameters_of,
    transitions,
)
from torch import Tensor

from skill_training.algorithms.context_sac import ENCODER_GRADIENT_NORM, ContextSac
from skill_training.algorithms.imitation import labelled_steps
from skill_training.algorithms.transitions import Transitions
from skill_training.context.objective import ContrastiveConfig
from skill_training.data.episodes import EpisodeReplay

# Gradients ----------------------------------------------------------------------------------------


def test_the_critics_loss_trains_the_encoder_and_the_actors_does_not(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac()
    weights = list(algorithm.encoder.parameters())
    graphs: list[tuple[Tensor, ...]] = []
    judge = algorithm.critic_loss

    def watched(batch: Transitions) -> Any:  # noqa: ANN401  as the algorithm's own
        loss, metrics = judge(batch)
        command = algorithm.command(batch.observation, batch.goal, batch.context.detach())
        action, log_prob = algorithm.actor.sample(batch.observation, command)
        actors, _ = algorithm.actor_loss(batch, action, log_prob)
        options: dict[str, bool] = {"retain_graph": True, "allow_unused": True}
        graphs.extend(torch.autograd.grad(one, weights, **options) for one in (loss, actors))
        return loss, metrics

    algorithm.critic_loss = watched
    algorithm.update(replay)
    by_critic, by_actor = graphs
    assert all(bool(gradient.abs().max() > 0) for gradient in by_critic)
    assert all(gradient is None for gradient in by_actor)


def test_critic_gradient_scales_the_gradient_of_the_encoder(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    def gradient(share: float) -> Tensor:
        algorithm = make_sac(critic_gradient=share, contrastive=ContrastiveConfig(sampling="tesac"))
        algorithm.update(replay)
        return torch.cat([weight.grad.flatten() for weight in algorithm.encoder.parameters()])

    whole = gradient(1.0)
    assert float(whole.norm()) < 10.0  # not clipped
    torch.testing.assert_close(gradient(0.25), 0.25 * whole, rtol=1e-3, atol=1e-7)
    assert not gradient(0.0).any()


def test_the_encoders_gradient_is_clipped(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    def gradient(weight: float) -> tuple[float, Tensor]:
        term = ContrastiveConfig(sampling="saccm", batch=8, weight=weight)
        algorithm = make_sac(contrastive=term, actor_frozen_updates=1)
        algorithm.update(replay)
        parts = (algorithm.encoder, algorithm.critic)
        encoder, critic = (
            torch.cat([weight.grad.flatten() for weight in part.parameters()]) for part in parts
        )
        return float(encoder.norm()), critic

    usual, strong = gradient(1.0), gradient(1e4)
    assert usual[0] < ENCODER_GRADIENT_NORM
    assert strong[0] == pytest.approx(ENCODER_GRADIENT_NORM, rel=1e-4)
    assert torch.equal(usual[1], strong[1])


def test_the_encoder_learns_once_per_block_and_its_momentum_copy_follows(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac(updates_per_block=3)
    slow, encoder = parameters_of(algorithm.momentum), parameters_of(algorithm.encoder)
    for update in range(7):
        algorithm.update(replay)
        now = parameters_of(algorithm.encoder)
        assert torch.equal(now, encoder) is (update % 3 != 0)
        if update % 3 == 0:
            slow = slow + 0.05 * (now - slow)
        torch.testing.assert_close(parameters_of(algorithm.momentum), slow)
        encoder = now


def test_keys_carry_no_gradient(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    algorithm = make_sac(contrastive=ContrastiveConfig(sampling="saccm", batch=8))
    metrics = algorithm.update(replay)
    assert "context/contrastive_loss" in metrics
    assert all(parameter.grad is None for parameter in algorithm.momentum.parameters())
    assert all(parameter.grad is None for parameter in algorithm.target_critic.parameters())


@pytest.mark.parametrize("sampling", ["ccm", "satesac", "saccm", "cross"])
@pytest.mark.parametrize("loss", ["nce", "sigmoid"])
def test_the_contrastive_term_moves_only_the_encoder(
    sampling: str, loss: str, make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    def encoder_and_critic(**settings: object) -> tuple[Tensor, Tensor]:
        term = ContrastiveConfig(sampling=sampling, loss=loss, batch=8, **settings)
        algorithm = make_sac(contrastive=term)
        algorithm.update(replay)
        return parameters_of(algorithm.encoder), parameters_of(algorithm.critic)

    with_term = encoder_and_critic()
    heavier = encoder_and_critic(weight=50.0)
    # With the same draws and another weight the critic is equal.
    assert torch.equal(with_term[1], heavier[1])
    assert not torch.equal(with_term[0], heavier[0])


@pytest.mark.parametrize("supervised", [False, True])
def test_the_estimation_head_changes_the_encoder_only_if_supervised(
    supervised: bool, make_sac: MakeSac, make_episodes: MakeEpisodes
) -> None:
    def trained(shift: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        episodes = make_episodes(40, steps=STEPS)
        held = EpisodeReplay(40)
        held.add(replace(episodes, truth=episodes.truth + shift))
        algorithm = make_sac(supervised=supervised)
        for _ in range(6):
            algorithm.update(held)
        parts = (algorithm.encoder, algorithm.critic, algorithm.actor, algorithm.head)
        encoder, critic, actor, head = map(parameters_of, parts)
        return encoder, critic, actor, head

    one, other = trained(0.0), trained(1.0)
    assert not torch.equal(one[3], other[3])
    unmoved = [torch.equal(a, b) for a, b in zip(one[:3], other[:3], strict=True)]
    assert unmoved == [not supervised] * 3


def test_the_head_learns_a_quantity_that_is_in_the_context(
    make_sac: MakeSac, make_episodes: MakeEpisodes
) -> None:
    episodes = make_episodes(40, steps=STEPS)
    truth = episodes.truth.clone()
    truth[..., 0] = (episodes.hidden[:, :1] > 0) * 4.0  # a function of the initial state
    held = EpisodeReplay(40)
    held.add(replace(episodes, truth=truth))
    algorithm = make_sac(updates_per_block=1)
    losses = [float(algorithm.update(held)["context/estimation_loss"]) for _ in range(150)]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_the_head_does_not_learn_behind_the_end_of_an_episode(
    make_sac: MakeSac, make_episodes: MakeEpisodes
) -> None:
    algorithm = make_sac(ends=True)
    episodes = make_episodes(6, steps=STEPS)
    episodes.observation[..., 2] = 0.02  # the height of a cube at rest
    contexts = algorithm.encoder(*episodes.encoder_inputs)[0].detach()
    far = replace(episodes, goal=episodes.goal + 10.0)
    there = replace(episodes, goal=episodes.observation[:, 5:6, :2].expand(-1, STEPS, -1))
    end = algorithm.task.steps(there)
    assert (algorithm.task.steps(far) == STEPS).all()
    assert (end <= 5).all()
    changed = contexts.clone()
    changed[torch.arange(STEPS + 1) > end[:, None]] += 3.0
    unmoved = [algorithm.estimation_loss(there, each) for each in (contexts, changed)]
    moved = [algorithm.estimation_loss(far, each) for each in (contexts, changed)]
    assert unmoved[0] == unmoved[1]
    assert moved[0] != moved[1]


def test_a_frozen_actor_does_not_change(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    algorithm = make_sac(actor_frozen_updates=3)
    actor = parameters_of(algorithm.actor)
    for update in range(5):
        metrics = algorithm.update(replay)
        assert torch.equal(parameters_of(algorithm.actor), actor) is (update < 3)
        assert ("actor/entropy" in metrics) is (update >= 3)


def test_the_target_critic_moves_by_its_share(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    algorithm = make_sac(target_rate=0.25)
    slow = parameters_of(algorithm.target_critic)
    for _ in range(3):
        algorithm.update(replay)
        slow = slow + 0.25 * (parameters_of(algorithm.critic) - slow)
        torch.testing.assert_close(parameters_of(algorithm.target_critic), slow)


def test_the_exported_policy_is_a_running_average(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    algorithm = make_sac(average_rate=0.25)
    names = ("actor", "encoder", "head")

    def learned() -> list[Tensor]:
        return [parameters_of(getattr(algorithm, name)) for name in names]

    average = learned()
    for _ in range(3):
        algorithm.update(replay)
        average = [
            slow + 0.25 * (fast - slow) for slow, fast in zip(average, learned(), strict=True)
        ]
        for name, slow in zip(names, average, strict=True):
            torch.testing.assert_close(parameters_of(getattr(algorithm.average, name)), slow)
    assert not any(parameter.requires_grad for parameter in algorithm.average.parameters())
    algorithm.restart_average()
    for name, fast in zip(names, learned(), strict=True):
        torch.testing.assert_close(parameters_of(getattr(algorithm.average, name)), fast)


@torch.no_grad()
def test_exploration_uses_the_actor_and_the_mode_uses_the_average(make_sac: MakeSac) -> None:
    algorithm = make_sac()
    given = (torch.randn(50, 8), torch.randn(50, 2), torch.randn(50, 4))
    mode = algorithm.act(*given, deterministic=True)
    command = algorithm.command(*given)
    torch.testing.assert_close(mode, algorithm.average.actor.mode(given[0], command))
    algorithm.actor.body[-1].bias[:3] += 20.0
    assert torch.equal(algorithm.act(*given, deterministic=True), mode)
    assert float(algorithm.act(*given).min()) > 0.99


# Imitation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("filtered", [False, True])
def test_the_imitation_loss_equals_a_loop(filtered: bool, make_sac: MakeSac) -> None:
    algorithm = make_sac(imitation_weight=2.0, imitation_filter=filtered)
    n = 40
    batch = transitions(there=[[NO]] * n, steps=[1] * n)
    batch = replace(batch, imitate=torch.arange(n) % 3 == 0)
    command = algorithm.command(batch.observation, batch.goal, batch.context)
    with torch.no_grad():
        mode = algorithm.actor.mode(batch.observation, command)
        shown = algorithm.critic(batch.observation, batch.label, command).amin(0)
        own = algorithm.critic(batch.observation, mode, command).amin(0)
    total, used = 0.0, 0
    for i in range(n):
        if batch.imitate[i] and (shown[i] > own[i] or not filtered):
            total += float((mode[i] - batch.label[i]).square().sum())
            used += 1
    shown_count = int(batch.imitate.sum())
    assert 0 < used <= shown_count
    assert filtered is (used < shown_count)  # the filter removes some transitions
    loss, metrics = algorithm.actor_loss(batch, mode, torch.zeros(n))
    assert float(metrics["actor/imitation"]) == pytest.approx(total / shown_count, rel=1e-5)
    assert loss.item() == pytest.approx(float(-own.mean()) + 2.0 * total / shown_count, abs=1e-4)


def test_all_labelled_steps_of_a_block_are_imitated_by_the_encoder(
    make_episodes: MakeEpisodes,
) -> None:
    shown = make_episodes(5, steps=STEPS)
    shown.demonstrated[1, 3:] = True
    shown.demonstrated[4, 0] = True
    contexts = torch.randn(5, STEPS + 1, 4)
    steps = labelled_steps(replace(shown, label=-shown.action), contexts)
    rows, times = shown.demonstrated.nonzero().unbind(1)
    assert len(rows) == STEPS - 3 + 1
    assert torch.equal(steps.observation, shown.observation[rows, times])
    assert torch.equal(steps.goal, shown.goal[rows, times])
    assert torch.equal(steps.label, -shown.action[rows, times])
    assert torch.equal(steps.context, contexts[rows, times])
    assert torch.equal(labelled_steps(shown, contexts).label, shown.action[rows, times])


def test_only_demonstrated_actions_with_their_own_goal_are_imitated(
    make_sac: MakeSac, make_episodes: MakeEpisodes, replay: EpisodeReplay
) -> None:
    shown = make_episodes(10, steps=STEPS, first=100)
    shown.demonstrated[:, ::2] = True
    replay.keep_demonstrations(shown)
    algorithm = make_sac(
        demonstration_share=0.5, imitation_weight=1.0, hindsight_share=0.4, batch_size=3000
    )
    (batch,) = critic_batches(algorithm, replay)
    episode, step = episode_and_step(batch)
    demonstration = episode >= 100
    assert float(demonstration.float().mean()) == pytest.approx(0.5, abs=0.05)
    original = torch.where(
        demonstration[:, None],
        shown.take((episode - 100).clamp_min(0)).goal[torch.arange(3000), step],
        batch.goal,
    )
    meant = (original == batch.goal).all(1)
    assert torch.equal(batch.imitate, demonstration & (step % 2 == 0) & meant)
    assert 0.1 < float(batch.imitate.float().mean()) < 0.2


def test_imitation_trains_the_encoder_if_there_are_demonstrations(
    make_sac: MakeSac, make_episodes: MakeEpisodes
) -> None:
    def encoder(weight: float, *, demonstrated: bool) -> Tensor:
        shown = make_episodes(10, steps=STEPS, first=100)
        shown.demonstrated[:] = demonstrated
        held = EpisodeReplay(40)
        held.keep_demonstrations(shown)
        algorithm = make_sac(
            imitation_weight=weight,
            imitation_filter=False,
            demonstration_share=1.0,
            critic_gradient=0.0,  # no gradient of the critic
        )
        algorithm.update(held)
        return parameters_of(algorithm.encoder)

    for demonstrated in (False, True):
        unmoved = torch.equal(
            encoder(0.0, demonstrated=demonstrated), encoder(1.0, demonstrated=demonstrated)
        )
        assert unmoved is not demonstrated


def test_without_demonstrations_all_episodes_are_collected_ones(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac(demonstration_share=0.5, imitation_weight=1.0)
    (batch,) = critic_batches(algorithm, replay)
    assert not batch.imitate.any()
    assert bool(algorithm.update(replay)["actor/imitation"] == 0)


# A forward model, and the release's two steps -----------------------------------------------------


def test_a_forward_model_trains_the_encoder_and_itself(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    def learned(weight: float) -> tuple[ContextSac, Tensor, Tensor]:
        term = ContrastiveConfig(sampling="tesac")
        algorithm = make_sac(contrastive=term, forward_model_weight=weight)
        algorithm.update(replay)
        return algorithm, parameters_of(algorithm.encoder), parameters_of(algorithm.critic)

    alone, weak, strong = learned(0.0), learned(1.0), learned(50.0)
    assert alone[0].forward_model is None
    assert not torch.equal(weak[1], strong[1])
    assert torch.equal(weak[2], strong[2])  # with the same draws and another weight
    model = weak[0].forward_model
    assert model is not None
    before = parameters_of(model)
    metrics = weak[0].update(replay)
    assert "context/forward_model_loss" not in metrics  # within a block the encoder rests
    for _ in range(3):
        metrics = weak[0].update(replay)
    assert not torch.equal(parameters_of(model), before)
    assert set(weak[0].stateful()) - set(alone[0].stateful()) == {
        "forward_model",
        "forward_model_optimizer",
    }


def test_a_forward_model_needs_the_typical_changes(make_sac: MakeSac) -> None:
    with pytest.raises(ValueError, match="8 typical changes"):
        make_sac(forward_model_weight=1.0, step_scale=())


def test_separate_steps_move_the_encoder_twice(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    def learned(steps: str, weight: float) -> tuple[Tensor, int]:
        term = ContrastiveConfig(
            sampling="saccm", batch=8, weight=weight, optimizer_steps=steps, rank="advantage"
        )
        algorithm = make_sac(contrastive=term)
        algorithm.update(replay)
        first = next(algorithm.encoder.parameters())
        return parameters_of(algorithm.encoder), int(
            algorithm.encoder_optimizer.state[first]["step"]
        )

    joint, separate = learned("joint", 1.0), learned("separate", 1.0)
    assert (joint[1], separate[1]) == (1, 2)
    assert not torch.equal(joint[0], separate[0])
    # A tiny gradient of its own still makes Adam take a whole step.
    assert not torch.allclose(learned("separate", 1e-6)[0], learned("joint", 1e-6)[0], atol=1e-5)


def test_learning_rates_fall_to_half_in_their_half_life(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    """After 6 of 3 steps each: a quarter, of all networks."""
    algorithm = make_sac(learning_rate=0.008, actor_learning_rate=0.004, learning_rate_half_life=3)
    for _ in range(6):
        algorithm.update(replay)
    assert algorithm.critic_optimizer.param_groups[0]["lr"] == pytest.approx(0.002)
    assert algorithm.actor_optimizer.param_groups[0]["lr"] == pytest.approx(0.001)
    continued = make_sac(learning_rate_half_life=3)
    continued.load_state_dict(algorithm.state_dict())
    assert continued.encoder_optimizer.param_groups[0]["lr"] == pytest.approx(
        algorithm.encoder_optimizer.param_groups[0]["lr"]
    )
