"""SAC with a context: its targets, who learns from what, and going on exactly."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from skill_training.algorithms.context_sac import ENCODER_GRADIENT_NORM, ContextSac
from skill_training.algorithms.transitions import Transitions
from skill_training.context.objective import ContrastiveConfig
from skill_training.data.episodes import EpisodeReplay, Episodes

MakeEpisodes = Callable[..., Episodes]
MakeSac = Callable[..., ContextSac]

STEPS = 10


@pytest.fixture
def replay(make_episodes: MakeEpisodes) -> EpisodeReplay:
    held = EpisodeReplay(40)
    held.add(make_episodes(40, steps=STEPS))
    return held


def _seen(algorithm: ContextSac, replay: EpisodeReplay, updates: int = 1) -> list[Transitions]:
    """What the critic is given in these updates."""
    seen: list[Transitions] = []
    judge = algorithm.critic_loss

    def watched(batch: Transitions) -> Any:  # noqa: ANN401  whatever the algorithm's own returns
        seen.append(batch)
        return judge(batch)

    algorithm.critic_loss = watched
    for _ in range(updates):
        algorithm.update(replay)
    algorithm.critic_loss = judge
    return seen


def _where(batch: Transitions) -> tuple[Tensor, Tensor]:
    """Episode and step of each transition; see ``make_episodes``."""
    return batch.observation[:, 6].long(), batch.observation[:, 7].long()


def _copy(module: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten().clone() for parameter in module.parameters()])


# Transitions --------------------------------------------------------------------------------------


def test_contexts_are_those_of_the_step_and_next_ones_the_slow_encoders(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac(batch_size=200)
    algorithm.momentum.encoder.output.bias.add_(0.5)  # tell the slow copy from the encoder
    before = make_sac()
    (batch,) = _seen(algorithm, replay)
    episode, step = _where(batch)
    held = replay.at(episode)
    inputs = (held.observation, held.previous_action, (held.hidden, held.cell))
    rows = torch.arange(200)
    with torch.no_grad():
        contexts = before.encoder(*inputs)[0]
    torch.testing.assert_close(batch.context, contexts[rows, step])
    torch.testing.assert_close(batch.next_context, contexts[rows, step + batch.steps] + 0.5)
    assert not batch.next_context.requires_grad


@pytest.mark.parametrize("sampling", ["ccm", "satesac", "saccm"])
def test_release_fault_1_every_episode_is_unrolled_by_itself(
    sampling: str, make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac(contrastive=ContrastiveConfig(sampling=sampling, batch=8))
    given: list[tuple[Tensor, Tensor]] = []
    algorithm.encoder.register_forward_pre_hook(lambda _, inputs: given.append(inputs[:2]))
    algorithm.update(replay)
    ((observation, previous),) = given
    assert len(observation) > 6  # contrasted ones beside those of the batch
    # Observations and actions tell episode and step: what was done one step before, in the same
    # episode, and nothing before the first observation.
    assert not previous[:, 0].any()
    assert torch.equal(previous[:, 1:, 0], observation[:, 1:, 6])
    assert torch.equal(previous[:, 1:, 1], observation[:, 1:, 7] - 1)


# What stands in the place of a context ------------------------------------------------------------


@pytest.mark.parametrize("knowledge", ["told", "untold"])
def test_told_and_untold_contexts(knowledge: str, make_sac: MakeSac, replay: EpisodeReplay) -> None:
    algorithm = make_sac(knowledge=knowledge, batch_size=100)
    encoder = _copy(algorithm.encoder)
    (batch,) = _seen(algorithm, replay)
    episode, _ = _where(batch)
    expected = torch.zeros(100, 4)
    if knowledge == "told":
        truth = replay.at(episode).truth[:, 0]
        expected[:, 0] = (truth[:, 0] - 0.5) / 2.0
        expected[:, 1] = (truth[:, 1] + 1.0) / 0.5
    torch.testing.assert_close(batch.context, expected)
    torch.testing.assert_close(batch.next_context, expected)
    assert torch.equal(_copy(algorithm.encoder), encoder)


# Targets ------------------------------------------------------------------------------------------


def _transitions(*, there: list[list[bool]], steps: list[int]) -> Transitions:
    """Arrivals whose cube is at the goal, the origin, where ``there`` says so."""
    n, window = len(there), len(there[0])
    generator = torch.Generator().manual_seed(3)
    arrivals = torch.randn(n, window, 8, generator=generator)
    arrivals[..., 2] = 0.02
    for i in range(n):
        for k in range(window):
            arrivals[i, k, :2] = 0.01 if there[i][k] else 0.2 + 0.1 * k
        arrivals[i, steps[i] :] = arrivals[i, steps[i] - 1]  # as sampled at an episode's edge
    return Transitions(
        observation=torch.randn(n, 8, generator=generator),
        action=torch.rand(n, 3, generator=generator),
        goal=torch.zeros(n, 2),
        arrivals=arrivals,
        steps=torch.tensor(steps),
        context=torch.randn(n, 4, generator=generator),
        next_context=torch.randn(n, 4, generator=generator),
        imitate=torch.zeros(n, dtype=torch.bool),
    )


NO, YES = False, True
CASES = {
    "on the way": ([NO, NO, NO], 3),
    "ends at once": ([YES, NO, NO], 3),
    "ends inside": ([NO, YES, NO], 3),
    "ends at the last": ([NO, NO, YES], 3),
    "ends twice": ([NO, YES, YES], 3),
    "edge after two": ([NO, NO, NO], 2),
    "edge after one": ([NO, NO, NO], 1),
    "ends at the edge": ([NO, YES, YES], 2),
}


def test_the_soft_target_is_the_loop(make_sac: MakeSac) -> None:
    algorithm = make_sac(ends=True, discount=0.9, return_steps=3)
    batch = _transitions(
        there=[there for there, _ in CASES.values()], steps=[steps for _, steps in CASES.values()]
    )
    noise = torch.Generator()
    noise.set_state(algorithm.generator.get_state())
    target = algorithm.soft_target(batch)
    last = batch.arrivals[:, -1]
    with torch.no_grad():
        command = algorithm.command(last, batch.goal, batch.next_context)
        action, log_prob = algorithm.actor.sample(last, command, noise)
        values = algorithm.target_critic(last, action, command).amin(0) - 0.01 * log_prob
    for row, name in enumerate(CASES):
        expected, ended = 0.0, False
        for k in range(int(batch.steps[row])):
            reward, end = algorithm.task.reward(batch.arrivals[[row], k], batch.goal[[row]])
            expected += 0.9**k * float(reward)
            ended = bool(end)
            if ended:
                break
        if not ended:
            expected += 0.9 ** int(batch.steps[row]) * float(values[row])
        assert float(target[row]) == pytest.approx(expected, abs=1e-5), name


def test_release_fault_6_a_time_limit_is_not_a_terminal(make_sac: MakeSac) -> None:
    algorithm = make_sac(ends=True, discount=0.9, return_steps=3)
    batch = _transitions(
        there=[there for there, _ in CASES.values()], steps=[steps for _, steps in CASES.values()]
    )
    state = algorithm.generator.get_state()
    before = algorithm.soft_target(batch)
    with torch.no_grad():
        algorithm.target_critic.twins.biases[-1].add_(1.0)  # everything is worth one more
    algorithm.generator.set_state(state)
    gained = dict(zip(CASES, (algorithm.soft_target(batch) - before).tolist(), strict=True))
    assert gained["edge after one"] == pytest.approx(0.9, abs=1e-5)
    assert gained["edge after two"] == pytest.approx(0.81, abs=1e-5)
    assert gained["on the way"] == pytest.approx(0.729, abs=1e-5)
    ended = [gained[name] for name in CASES if name.startswith("ends")]
    assert ended == pytest.approx([0.0] * 5, abs=1e-6)


def test_the_last_step_of_an_episode_bootstraps_from_its_last_observation(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac(batch_size=500, return_steps=3)
    (batch,) = _seen(algorithm, replay)
    edge = _where(batch)[1] == STEPS - 1
    assert bool(edge.any())
    assert batch.steps[edge].unique().tolist() == [1]
    assert batch.arrivals[edge, -1, 7].unique().tolist() == [STEPS]


def test_the_critics_loss_by_hand(make_sac: MakeSac) -> None:
    algorithm = make_sac(ends=True)
    batch = _transitions(there=[[NO], [NO], [YES]], steps=[1, 1, 1])
    state = algorithm.generator.get_state()
    target = algorithm.soft_target(batch)
    algorithm.generator.set_state(state)
    loss, metrics = algorithm.critic_loss(batch)
    command = algorithm.command(batch.observation, batch.goal, batch.context)
    with torch.no_grad():
        values = algorithm.critic(batch.observation, batch.action, command)
    expected = sum(0.5 * np.mean((values[i] - target).numpy() ** 2) for i in range(2))
    assert loss.item() == pytest.approx(float(expected), rel=1e-5)
    assert float(metrics["critic/loss"]) == pytest.approx(float(expected), rel=1e-5)


def test_the_actors_loss_by_hand(make_sac: MakeSac) -> None:
    algorithm = make_sac(initial_entropy_coefficient=0.2)
    batch = _transitions(there=[[NO], [NO]], steps=[1, 1])
    command = algorithm.command(batch.observation, batch.goal, batch.context)
    with torch.no_grad():
        action, log_prob = algorithm.actor.sample(batch.observation, command)
        values = algorithm.critic(batch.observation, action, command).amin(0)
    loss, _ = algorithm.actor_loss(batch, action, log_prob)
    assert loss.item() == pytest.approx(float((0.2 * log_prob - values).mean()), abs=1e-5)


def test_the_entropy_coefficient_has_a_floor(make_sac: MakeSac) -> None:
    batch = _transitions(there=[[NO], [NO]], steps=[1, 1])
    action, log_prob = torch.zeros(2, 3), torch.tensor([1.0, 3.0])
    low, high = (
        make_sac(initial_entropy_coefficient=0.01, entropy_floor=floor).actor_loss(
            batch, action, log_prob
        )[0]
        for floor in (0.0, 0.5)
    )
    assert float((high - low).detach()) == pytest.approx((0.5 - 0.01) * 2.0, abs=1e-5)


def test_the_entropy_coefficient_rises_only_while_entropy_is_short(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    # No policy on [-1, 1] has more than log 2 per entry; this one starts with more than -5.
    for target, rises in ((1.0, True), (-5.0, False)):
        algorithm = make_sac(target_entropy_per_action=target)
        metrics = [algorithm.update(replay)["actor/entropy_coefficient"] for _ in range(5)]
        steps = np.diff([0.01, *map(float, metrics)])
        assert bool((steps > 0).all() if rises else (steps < 0).all())


def test_the_entropy_coefficient_does_not_wind_up_below_its_floor(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac(
        target_entropy_per_action=-5.0, entropy_floor=0.0099, initial_entropy_coefficient=0.01
    )
    for _ in range(60):
        algorithm.update(replay)
    assert float(algorithm.entropy_coefficient().detach()) == pytest.approx(0.0099)
    algorithm.target_entropy = 3.0
    # Adam has to forget where it was going; what it has gone beyond the floor would cost more.
    for _ in range(20):
        algorithm.update(replay)
    assert float(algorithm.entropy_coefficient().detach()) > 0.0099


# Who learns from what -----------------------------------------------------------------------------


def test_the_critics_loss_trains_the_encoder_and_the_actors_does_not(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac()
    weights = list(algorithm.encoder.parameters())
    graphs: list[tuple[Tensor, ...]] = []
    judge = algorithm.critic_loss

    def watched(batch: Transitions) -> Any:  # noqa: ANN401  whatever the algorithm's own returns
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


def test_how_much_of_the_critics_gradient_reaches_the_encoder(
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


def test_the_encoder_learns_once_a_block_and_its_slow_copy_follows(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac(updates_per_block=3)
    slow, encoder = _copy(algorithm.momentum), _copy(algorithm.encoder)
    for update in range(7):
        algorithm.update(replay)
        now = _copy(algorithm.encoder)
        assert torch.equal(now, encoder) is (update % 3 != 0)
        if update % 3 == 0:
            slow = slow + 0.05 * (now - slow)
        torch.testing.assert_close(_copy(algorithm.momentum), slow)
        encoder = now


def test_keys_carry_no_gradient(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    algorithm = make_sac(contrastive=ContrastiveConfig(sampling="saccm", batch=8))
    metrics = algorithm.update(replay)
    assert "context/contrastive_loss" in metrics
    assert all(parameter.grad is None for parameter in algorithm.momentum.parameters())
    assert all(parameter.grad is None for parameter in algorithm.target_critic.parameters())


@pytest.mark.parametrize("sampling", ["ccm", "satesac", "saccm"])
@pytest.mark.parametrize("loss", ["nce", "sigmoid"])
def test_the_contrastive_term_moves_the_encoder_alone(
    sampling: str, loss: str, make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    def encoder_and_critic(**settings: object) -> tuple[Tensor, Tensor]:
        term = ContrastiveConfig(sampling=sampling, loss=loss, batch=8, **settings)
        algorithm = make_sac(contrastive=term)
        algorithm.update(replay)
        return _copy(algorithm.encoder), _copy(algorithm.critic)

    with_term = encoder_and_critic()
    heavier = encoder_and_critic(weight=50.0)
    # The same draws, another weight: the critic cannot tell.
    assert torch.equal(with_term[1], heavier[1])
    assert not torch.equal(with_term[0], heavier[0])


@pytest.mark.parametrize("supervised", [False, True])
def test_the_estimation_head_changes_the_encoder_only_where_supervised(
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
        encoder, critic, actor, head = map(_copy, parts)
        return encoder, critic, actor, head

    one, other = trained(0.0), trained(1.0)
    assert not torch.equal(one[3], other[3])
    unmoved = [torch.equal(a, b) for a, b in zip(one[:3], other[:3], strict=True)]
    assert unmoved == [not supervised] * 3


def test_the_head_learns_what_the_context_tells(
    make_sac: MakeSac, make_episodes: MakeEpisodes
) -> None:
    episodes = make_episodes(40, steps=STEPS)
    truth = episodes.truth.clone()
    truth[..., 0] = (episodes.hidden[:, :1] > 0) * 4.0  # legible in the state at the start
    held = EpisodeReplay(40)
    held.add(replace(episodes, truth=truth))
    algorithm = make_sac(updates_per_block=1)
    losses = [float(algorithm.update(held)["context/estimation_loss"]) for _ in range(150)]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_a_frozen_actor_waits_for_its_critic(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    algorithm = make_sac(actor_frozen_updates=3)
    actor = _copy(algorithm.actor)
    for update in range(5):
        metrics = algorithm.update(replay)
        assert torch.equal(_copy(algorithm.actor), actor) is (update < 3)
        assert ("actor/entropy" in metrics) is (update >= 3)


def test_the_target_critic_moves_by_its_share(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    algorithm = make_sac(target_rate=0.25)
    slow = _copy(algorithm.target_critic)
    for _ in range(3):
        algorithm.update(replay)
        slow = slow + 0.25 * (_copy(algorithm.critic) - slow)
        torch.testing.assert_close(_copy(algorithm.target_critic), slow)


def test_the_policy_that_is_shipped_is_a_running_average(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac(average_rate=0.25)
    names = ("actor", "encoder", "head")

    def learned() -> list[Tensor]:
        return [_copy(getattr(algorithm, name)) for name in names]

    average = learned()
    for _ in range(3):
        algorithm.update(replay)
        average = [
            slow + 0.25 * (fast - slow) for slow, fast in zip(average, learned(), strict=True)
        ]
        for name, slow in zip(names, average, strict=True):
            torch.testing.assert_close(_copy(getattr(algorithm.average, name)), slow)
    assert not any(parameter.requires_grad for parameter in algorithm.average.parameters())
    algorithm.restart_average()
    for name, fast in zip(names, learned(), strict=True):
        torch.testing.assert_close(_copy(getattr(algorithm.average, name)), fast)


@torch.no_grad()
def test_exploration_is_the_learners_and_the_mode_the_averages(make_sac: MakeSac) -> None:
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
def test_imitation_is_the_loop(filtered: bool, make_sac: MakeSac) -> None:
    algorithm = make_sac(imitation_weight=2.0, imitation_filter=filtered)
    n = 40
    batch = _transitions(there=[[NO]] * n, steps=[1] * n)
    batch = replace(batch, imitate=torch.arange(n) % 3 == 0)
    command = algorithm.command(batch.observation, batch.goal, batch.context)
    with torch.no_grad():
        mode = algorithm.actor.mode(batch.observation, command)
        shown = algorithm.critic(batch.observation, batch.action, command).amin(0)
        own = algorithm.critic(batch.observation, mode, command).amin(0)
    total, used = 0.0, 0
    for i in range(n):
        if batch.imitate[i] and (shown[i] > own[i] or not filtered):
            total += float((mode[i] - batch.action[i]).square().sum())
            used += 1
    shown_count = int(batch.imitate.sum())
    assert 0 < used <= shown_count
    assert filtered is (used < shown_count)  # the filter has something to do here
    loss, metrics = algorithm.actor_loss(batch, mode, torch.zeros(n))
    assert float(metrics["actor/imitation"]) == pytest.approx(total / shown_count, rel=1e-5)
    assert loss.item() == pytest.approx(float(-own.mean()) + 2.0 * total / shown_count, abs=1e-4)


def test_only_demonstrated_actions_under_their_own_goal_are_imitated(
    make_sac: MakeSac, make_episodes: MakeEpisodes, replay: EpisodeReplay
) -> None:
    shown = make_episodes(10, steps=STEPS, first=100)
    shown.demonstrated[:, ::2] = True
    replay.keep_demonstrations(shown)
    algorithm = make_sac(
        demonstration_share=0.5, imitation_weight=1.0, hindsight_share=0.4, batch_size=3000
    )
    (batch,) = _seen(algorithm, replay)
    episode, step = _where(batch)
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


def test_imitation_trains_the_encoder_where_something_is_shown(
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
            critic_gradient=0.0,  # which is the critic's affair alone
        )
        algorithm.update(held)
        return _copy(algorithm.encoder)

    for demonstrated in (False, True):
        unmoved = torch.equal(
            encoder(0.0, demonstrated=demonstrated), encoder(1.0, demonstrated=demonstrated)
        )
        assert unmoved is not demonstrated


def test_without_demonstrations_it_learns_from_the_rest(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac(demonstration_share=0.5, imitation_weight=1.0)
    (batch,) = _seen(algorithm, replay)
    assert not batch.imitate.any()
    assert bool(algorithm.update(replay)["actor/imitation"] == 0)


# State --------------------------------------------------------------------------------------------


def _saved(algorithm: ContextSac) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(algorithm.state_dict(), buffer)
    buffer.seek(0)
    loaded: dict[str, Any] = torch.load(buffer, weights_only=True)
    return loaded


@pytest.mark.parametrize("sampling", ["tesac", "ccm", "satesac", "saccm"])
def test_a_state_goes_on_bit_for_bit_also_out_of_a_block(
    sampling: str, make_sac: MakeSac, make_episodes: MakeEpisodes, replay: EpisodeReplay
) -> None:
    shown = make_episodes(8, steps=STEPS, first=200)
    shown.demonstrated[:] = True
    replay.keep_demonstrations(shown)
    settings: dict[str, object] = {
        "contrastive": ContrastiveConfig(sampling=sampling, batch=8),
        "updates_per_block": 4,
        "demonstration_share": 0.3,
        "imitation_weight": 0.5,
        "actor_frozen_updates": 8,
    }
    first = make_sac(**settings)
    for _ in range(6):  # in the middle of the second block
        first.update(replay)
    state = _saved(first)
    first.end_block()  # as the next round of episodes does
    second = make_sac(seed=7, **settings)
    second.load_state_dict(state)
    for _ in range(7):
        left, right = first.update(replay), second.update(replay)
        assert {name: float(value) for name, value in left.items()} == {
            name: float(value) for name, value in right.items()
        }
    assert first.updates == second.updates == 13
    for name, part in first.stateful().items():
        if isinstance(part, nn.Module):
            other = second.stateful()[name]
            assert isinstance(other, nn.Module)
            assert torch.equal(_flat(part), _flat(other)), name


def _flat(module: nn.Module) -> Tensor:
    values = [value.flatten() for value in module.state_dict().values()]
    return torch.cat([torch.zeros(1), *values])


def test_seeds(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    results: list[Tensor] = []
    for seed in (3, 3, 4):
        algorithm = make_sac(seed=seed)
        algorithm.update(replay)
        results.append(torch.cat((_copy(algorithm.actor), _copy(algorithm.encoder))))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_a_policys_networks_load_alone(make_sac: MakeSac, replay: EpisodeReplay) -> None:
    first, second = make_sac(), make_sac(seed=1)
    first.task.rotation.copy_(torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))
    first.update(replay)
    second.load_networks(_saved(first))
    for name in ("average", "task"):
        mine, theirs = first.stateful()[name], second.stateful()[name]
        assert isinstance(mine, nn.Module)
        assert isinstance(theirs, nn.Module)
        assert torch.equal(_flat(mine), _flat(theirs))
    with pytest.raises(RuntimeError, match="size mismatch"):
        make_sac(hidden=(8, 8)).load_networks(_saved(first))


# Learning something -------------------------------------------------------------------------------


def test_the_critic_learns_a_known_value(make_sac: MakeSac, make_episodes: MakeEpisodes) -> None:
    # Every arrival is at the goal, every episode ends there: Q = 0 whatever was done before.
    episodes = make_episodes(40, steps=STEPS)
    episodes.observation[..., :3] = torch.tensor([0.0, 0.0, 0.02])
    held = EpisodeReplay(40)
    held.add(replace(episodes, goal=torch.zeros_like(episodes.goal)))
    algorithm = make_sac(ends=True, hindsight_share=0.0, learning_rate=3e-3)
    losses = [float(algorithm.update(held)["critic/loss"]) for _ in range(150)]
    assert losses[-1] < 0.02 * losses[0]
