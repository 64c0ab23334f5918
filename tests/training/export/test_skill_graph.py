"""The goal-to-skill rule of the exported graph, on numbers computed by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.support.discovery import algorithm_of, graph_of
from torch import Tensor

from skill_robots.observation import PUSH_OBSERVATION, layout
from skill_training.export.graph import TorchPolicy
from skill_training.export.skill_graph import GoalGraph, SkillGraph
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.manifest_parts import STOP_RADIUS_M

TinyConfig = Callable[..., SkillConfig]
CUBE = layout(PUSH_OBSERVATION)["cube_position"].start


@pytest.fixture
def graph(tiny_config: TinyConfig) -> GoalGraph:
    algorithm = algorithm_of(tiny_config())
    with torch.no_grad():
        # phi turns by 90 degrees: (x, y) -> (-y, x).
        algorithm.representation.map.coefficients.copy_(torch.tensor([0.0, 1.0]))
    built = graph_of(tiny_config(), algorithm)
    assert isinstance(built, GoalGraph)
    return built


def _run(
    graph: GoalGraph, cube: list[float], goal: list[float], use_goal: float
) -> tuple[Tensor, Tensor]:
    observation = torch.zeros(1, 28)
    observation[0, CUBE : CUBE + 2] = torch.tensor(cube)
    skill = torch.tensor([[0.6, 0.8]])
    with torch.no_grad():
        return graph(
            observation,
            torch.zeros(1, 3),
            skill,
            torch.tensor([goal]),
            torch.tensor([[use_goal]]),
        )


def test_a_goal_becomes_the_unit_vector_towards_it(graph: GoalGraph) -> None:
    _, skill = _run(graph, [0.10, 0.05], [0.13, 0.09], 1.0)
    torch.testing.assert_close(skill, torch.tensor([[-0.8, 0.6]]))


def test_without_use_goal_the_given_skill_runs(graph: GoalGraph) -> None:
    action, skill = _run(graph, [0.1, 0.0], [0.1, 0.0], 0.0)
    assert skill.tolist() == [pytest.approx([0.6, 0.8])]
    assert action.abs().min() > 0.0


def test_at_the_goal_the_action_is_zero_and_all_outputs_are_finite(graph: GoalGraph) -> None:
    action, skill = _run(graph, [0.1, -0.1], [0.1, -0.1], 1.0)
    assert action.tolist() == [[0.0, 0.0, 0.0]]
    assert skill.tolist() == [[0.0, 0.0]]


def test_the_action_is_zero_only_within_the_stop_radius(graph: GoalGraph) -> None:
    inside, _ = _run(graph, [0.0, 0.0], [0.999 * STOP_RADIUS_M, 0.0], 1.0)
    outside, _ = _run(graph, [0.0, 0.0], [1.001 * STOP_RADIUS_M, 0.0], 1.0)
    assert inside.tolist() == [[0.0, 0.0, 0.0]]
    assert outside.abs().min() > 0.0


def test_each_row_of_a_batch_follows_its_own_command(graph: GoalGraph) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = (
        torch.randn(8, 28, generator=generator),
        torch.zeros(8, 3),
        torch.randn(8, 2, generator=generator),
        torch.randn(8, 2, generator=generator),
        torch.tensor([[0.0], [1.0]] * 4),
    )
    with torch.no_grad():
        together = graph(*inputs)
        rows = [graph(*(value[i : i + 1] for value in inputs)) for i in range(8)]
    for k in range(2):
        torch.testing.assert_close(together[k], torch.cat([row[k] for row in rows]))


def test_a_torch_policy_equals_the_graph(graph: GoalGraph) -> None:
    policy = TorchPolicy(graph, action_size=3, skill_size=2, goal_size=2)
    policy.reset(2)
    observation = np.full((2, 28), 0.3)
    goal = np.array([[0.3, 0.3], [0.0, 0.0]])
    actions = policy.act(observation, goal=goal)
    assert actions.shape == (2, 3)
    assert actions.dtype == np.float64
    assert not actions[0].any()
    assert actions[1].all()
    assert policy.act(observation, skill=np.ones((2, 2))).all()


def test_a_representation_of_another_field_takes_no_goal(tiny_config: TinyConfig) -> None:
    from dataclasses import replace

    config = tiny_config()
    seen = replace(
        config.algorithm.representation,
        inputs=("end_effector_position.0", "end_effector_position.1"),
    )
    config = replace(config, algorithm=replace(config.algorithm, representation=seen))
    graph = graph_of(config)
    assert isinstance(graph, SkillGraph)
    policy = TorchPolicy(graph, action_size=3, skill_size=2)
    with pytest.raises(ValueError, match="takes no goal"):
        policy.act(np.zeros((1, 28)), goal=np.zeros((1, 2)))
