"""Graphs with a context equal the algorithm and export to one file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from skill_training.algorithms.context_sac import ContextSac
from skill_training.export.context_graph import ContextFreeGraph, ContextGraph
from skill_training.export.graph import TorchPolicy

MakeSac = Callable[..., ContextSac]
STATES = {"lstm_h": (8,), "lstm_c": (8,)}


@pytest.fixture
def algorithm(make_sac: MakeSac) -> ContextSac:
    """An algorithm whose networks in training differ from the exported ones."""
    built = make_sac()
    for part in (built.actor, built.encoder, built.head):
        for weight in part.parameters():
            torch.nn.init.constant_(weight, 0.3)
    return built


@torch.no_grad()
def test_the_graph_reproduces_an_episode_of_the_algorithm(algorithm: ContextSac) -> None:
    generator = torch.Generator().manual_seed(0)
    observation = torch.randn(5, 40, 8, generator=generator)
    goal = torch.randn(5, 2, generator=generator)
    policy = TorchPolicy(ContextGraph(algorithm), action_size=3, goal_size=2, states=STATES)
    policy.reset(5)
    actions, contexts, estimates = [], [], []
    for t in range(40):
        actions.append(
            torch.from_numpy(policy.act(observation[:, t].double().numpy(), goal=goal.numpy()))
        )
        contexts.append(policy.outputs["context"])
        estimates.append(policy.outputs["estimate"])
    taken = torch.stack(actions, 1).float()
    previous = torch.cat((torch.zeros(5, 1, 3), taken[:, :-1]), dim=1)
    average = algorithm.average
    unrolled, _ = average.encoder(observation, previous, average.encoder.initial_state(5))
    torch.testing.assert_close(torch.stack(contexts, 1), unrolled, rtol=0, atol=1e-5)
    for t in range(40):
        mode = algorithm.act(observation[:, t], goal, unrolled[:, t], deterministic=True)
        torch.testing.assert_close(taken[:, t], mode, rtol=0, atol=1e-5)
    # Estimates are physical quantities: log mass is 0.5 +- 2, log friction -1 +- 0.5.
    scale, middle = torch.tensor([2.0, 0.5]), torch.tensor([0.5, -1.0])
    expected = (average.head(unrolled) * scale + middle).exp()
    torch.testing.assert_close(torch.stack(estimates, 1), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_an_unidentified_quantity_is_not_an_output(algorithm: ContextSac) -> None:
    whole, friction, none = (ContextGraph(algorithm, kept) for kept in ((0, 1), (1,), ()))
    inputs = (torch.randn(3, 8), torch.randn(3, 3), torch.randn(3, 2), *torch.randn(2, 3, 8))
    action, context, estimate, *states = whole(*inputs)
    assert friction.output_names == whole.output_names
    torch.testing.assert_close(friction(*inputs)[2], estimate[:, 1:])
    assert "estimate" not in none.output_names
    assert len(none(*inputs)) == len(none.output_names)
    torch.testing.assert_close(none(*inputs), (action, context, *states))


@torch.no_grad()
def test_a_context_free_graph_has_a_context_of_zeros(algorithm: ContextSac) -> None:
    observation, goal = torch.randn(6, 8), torch.randn(6, 2)
    (action,) = ContextFreeGraph(algorithm)(observation, torch.randn(6, 3), goal)
    expected = algorithm.act(observation, goal, torch.zeros(6, 4), deterministic=True)
    torch.testing.assert_close(action, expected)


def test_reset_clears_the_states(algorithm: ContextSac) -> None:
    policy = TorchPolicy(ContextGraph(algorithm), action_size=3, goal_size=2, states=STATES)
    random = np.random.default_rng(0)
    observation, goal = random.normal(size=(2, 8)), random.normal(size=(2, 2))
    policy.reset(2)
    first = policy.act(observation, goal=goal)
    assert not np.array_equal(policy.act(observation, goal=goal), first)
    policy.reset(2)
    np.testing.assert_array_equal(policy.act(observation, goal=goal), first)
