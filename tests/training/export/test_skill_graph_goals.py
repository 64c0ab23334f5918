"""Goals of a policy whose representation sees more than the goal gives."""

from __future__ import annotations

import torch

from skill_training.export.skill_graph import GoalGraph
from skill_training.nets.actor import TanhGaussianActor
from skill_training.nets.mlp import ObservationNormalizer
from skill_training.nets.representation import RepresentationConfig, StateRepresentation


def graph(seen: tuple[int, ...], places: tuple[int, ...]) -> GoalGraph:
    torch.manual_seed(0)
    config = RepresentationConfig(inputs=("*",), form="linear")
    phi = StateRepresentation(config, indices=seen, scale=[1.0] * len(seen))
    actor = TanhGaussianActor(
        ObservationNormalizer([1.0] * 4), skill_size=2, action_size=2, hidden=(8,)
    )
    return GoalGraph(actor, phi, places, stop_radius=0.1)


def skill_used(policy: GoalGraph, observation: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    n = len(observation)
    unused = torch.zeros(n, 2)
    return policy(observation, unused, unused, goal, torch.ones(n, 1))[1]


def test_the_other_inputs_keep_their_present_values() -> None:
    """phi(goal) - phi(s) is the map of the difference in the entries that the goal gives."""
    policy = graph(seen=(3, 0, 2), places=(2, 3))
    observation, goal = torch.randn(5, 4), torch.randn(5, 2)
    weight = policy.representation.map.get_parameter("weight")
    # Columns of phi's inputs: entry 3 is the first, entry 2 the third.
    way = torch.stack([goal[:, 1] - observation[:, 3], goal[:, 0] - observation[:, 2]], dim=1)
    expected = way @ weight[:, [0, 2]].T
    expected = expected / expected.norm(dim=1, keepdim=True)
    torch.testing.assert_close(skill_used(policy, observation, goal), expected)


def test_a_goal_that_gives_all_inputs_is_phis_input() -> None:
    whole, spread = graph(seen=(2, 3), places=(2, 3)), graph(seen=(2, 3), places=(2, 3))
    spread._complete = False
    observation, goal = torch.randn(5, 4), torch.randn(5, 2)
    torch.testing.assert_close(
        skill_used(whole, observation, goal), skill_used(spread, observation, goal)
    )


def test_the_action_is_zero_near_the_goal_only() -> None:
    policy = graph(seen=(0, 1, 2, 3), places=(0, 1))
    observation = torch.randn(2, 4)
    goal = observation[:, :2] + torch.tensor([[0.05, 0.0], [0.2, 0.0]])
    unused = torch.zeros(2, 2)
    action, _ = policy(observation, unused, unused, goal, torch.ones(2, 1))
    assert (action[0] == 0).all()
    assert (action[1] != 0).any()
