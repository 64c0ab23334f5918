"""ContextSac: its transitions, contexts, targets and losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.support.context_sac import (
    NO,
    STEPS,
    YES,
    MakeSac,
    critic_batches,
    episode_and_step,
    parameters_of,
    transitions,
)
from torch import Tensor

from skill_training.context.objective import ContrastiveConfig
from skill_training.data.episodes import EpisodeReplay

# Transitions --------------------------------------------------------------------------------------


def test_contexts_are_those_of_the_step_and_next_contexts_are_momentum_ones(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    algorithm = make_sac(batch_size=200)
    algorithm.momentum.encoder.output.bias.add_(
        0.5
    )  # so that the momentum copy differs from the encoder
    before = make_sac()
    (batch,) = critic_batches(algorithm, replay)
    episode, step = episode_and_step(batch)
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
    assert len(observation) > 6  # the contrasted episodes beside those of the batch
    # Observations and actions contain episode and step. The previous action must be of the same
    # episode one step before, and zero before the first observation.
    assert not previous[:, 0].any()
    assert torch.equal(previous[:, 1:, 0], observation[:, 1:, 6])
    assert torch.equal(previous[:, 1:, 1], observation[:, 1:, 7] - 1)


# Contexts without an encoder ----------------------------------------------------------------------


@pytest.mark.parametrize("knowledge", ["told", "untold"])
def test_true_and_zero_contexts(knowledge: str, make_sac: MakeSac, replay: EpisodeReplay) -> None:
    algorithm = make_sac(knowledge=knowledge, batch_size=100)
    encoder = parameters_of(algorithm.encoder)
    (batch,) = critic_batches(algorithm, replay)
    episode, _ = episode_and_step(batch)
    expected = torch.zeros(100, 4)
    if knowledge == "told":
        truth = replay.at(episode).truth[:, 0]
        expected[:, 0] = (truth[:, 0] - 0.5) / 2.0
        expected[:, 1] = (truth[:, 1] + 1.0) / 0.5
    torch.testing.assert_close(batch.context, expected)
    torch.testing.assert_close(batch.next_context, expected)
    assert torch.equal(parameters_of(algorithm.encoder), encoder)


# Targets and losses -------------------------------------------------------------------------------


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


def test_the_soft_target_equals_a_loop(make_sac: MakeSac) -> None:
    algorithm = make_sac(ends=True, discount=0.9, return_steps=3)
    batch = transitions(
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
    batch = transitions(
        there=[there for there, _ in CASES.values()], steps=[steps for _, steps in CASES.values()]
    )
    state = algorithm.generator.get_state()
    before = algorithm.soft_target(batch)
    with torch.no_grad():
        algorithm.target_critic.twins.biases[-1].add_(1.0)  # every value rises by one
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
    (batch,) = critic_batches(algorithm, replay)
    edge = episode_and_step(batch)[1] == STEPS - 1
    assert bool(edge.any())
    assert batch.steps[edge].unique().tolist() == [1]
    assert batch.arrivals[edge, -1, 7].unique().tolist() == [STEPS]


def test_the_critics_loss_by_hand(make_sac: MakeSac) -> None:
    algorithm = make_sac(ends=True)
    batch = transitions(there=[[NO], [NO], [YES]], steps=[1, 1, 1])
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
    batch = transitions(there=[[NO], [NO]], steps=[1, 1])
    command = algorithm.command(batch.observation, batch.goal, batch.context)
    with torch.no_grad():
        action, log_prob = algorithm.actor.sample(batch.observation, command)
        values = algorithm.critic(batch.observation, action, command).amin(0)
    loss, _ = algorithm.actor_loss(batch, action, log_prob)
    assert loss.item() == pytest.approx(float((0.2 * log_prob - values).mean()), abs=1e-5)


def test_the_entropy_coefficient_has_a_floor(make_sac: MakeSac) -> None:
    batch = transitions(there=[[NO], [NO]], steps=[1, 1])
    action, log_prob = torch.zeros(2, 3), torch.tensor([1.0, 3.0])
    low, high = (
        make_sac(initial_entropy_coefficient=0.01, entropy_floor=floor).actor_loss(
            batch, action, log_prob
        )[0]
        for floor in (0.0, 0.5)
    )
    assert float((high - low).detach()) == pytest.approx((0.5 - 0.01) * 2.0, abs=1e-5)


def test_the_entropy_coefficient_rises_only_while_entropy_is_too_low(
    make_sac: MakeSac, replay: EpisodeReplay
) -> None:
    # The entropy of a policy on [-1, 1] is at most log 2 per entry; this one starts above -5.
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
    # Adam needs a few steps to turn around; a coefficient far below the floor would need more.
    for _ in range(20):
        algorithm.update(replay)
    assert float(algorithm.entropy_coefficient().detach()) > 0.0099


def test_the_deterministic_policy_stops_where_the_exported_one_does(make_sac: MakeSac) -> None:
    algorithm = make_sac(ends=True)
    observation = torch.zeros(2, 8)
    observation[:, 2] = 0.02  # at rest on the table
    observation[1, 0] = 0.2
    goal, context = torch.zeros(2, 2), torch.zeros(2, 4)
    action = algorithm.act(observation, goal, context, deterministic=True)
    assert action[0].tolist() == [0.0, 0.0, 0.0]
    assert action[1].abs().min() > 0.0
