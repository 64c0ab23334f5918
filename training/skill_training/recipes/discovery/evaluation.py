"""Evaluation during training: rollouts and metrics of ``skill-eval`` on the torch policy."""

from __future__ import annotations

import torch

from skill_robots.tasks.tabletop.metrics import goal_metrics, skill_metrics
from skill_robots.tasks.tabletop.rollouts import (
    evaluation_goals,
    evaluation_skills,
    goal_rollouts,
    skill_rollouts,
)
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_training.device import exact_matmul
from skill_training.export.graph import TorchPolicy
from skill_training.export.skill_graph import GoalGraph
from skill_training.nets.representation import StateRepresentation
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.policy import OBSERVATION, Graph

EVALUATION_SEED = 0
"""The default seed of ``skill-eval``, for the same starts and contexts."""

FINAL_EPISODES = 4
"""Episodes per skill in the final evaluation; the default of ``skill-eval``."""

PROBE_POINTS = 256
"""Number of random inputs at which the Jacobian of an 'mlp' representation is averaged."""


def nominal_task(task: TabletopConfig) -> TabletopConfig:
    """Returns the default task of ``skill-eval``: the trained masses and frictions only."""
    return TabletopConfig(mass=task.mass, friction=task.friction)


class Evaluator:
    """Evaluates a policy that shares its networks with the algorithm in training.

    The evaluator has its own scenes and generators, so that it does not change the run.
    """

    def __init__(
        self, config: SkillConfig, graph: Graph, representation: StateRepresentation
    ) -> None:
        self._task = nominal_task(config.task)
        self._skills = config.run.eval_skills
        self._goals = config.run.final_eval_goals if isinstance(graph, GoalGraph) else 0
        self._representation = representation
        self._policy = TorchPolicy(
            graph,
            action_size=Tabletop.action_size,
            skill_size=representation.size,
            goal_size=len(representation.indices),
        )

    def quick(self) -> dict[str, float]:
        """Returns skill metrics from one episode per skill, and phi's singular-value ratio."""
        return self._evaluate(episodes=1)

    def full(self) -> dict[str, float]:
        """Returns the metrics of ``skill-eval`` with its defaults, and goal metrics if possible."""
        with exact_matmul():
            return self._full()

    def _full(self) -> dict[str, float]:
        metrics = self._evaluate(FINAL_EPISODES)
        if self._goals:
            goals = evaluation_goals(self._goals, EVALUATION_SEED)
            metrics |= goal_metrics(
                goal_rollouts(
                    self._policy,
                    self._task,
                    goals=goals,
                    seed=EVALUATION_SEED,
                    observation_names=OBSERVATION,
                )
            )
        return metrics

    def _evaluate(self, episodes: int) -> dict[str, float]:
        skills = evaluation_skills(
            "sphere", self._representation.size, self._skills, EVALUATION_SEED
        )
        rollouts = skill_rollouts(
            self._policy,
            self._task,
            skills=skills,
            episodes=episodes,
            seed=EVALUATION_SEED,
            observation_names=OBSERVATION,
        )
        ratio = singular_value_ratio(self._representation)
        return skill_metrics(rollouts) | {"phi_singular_value_ratio": ratio}


def singular_value_ratio(representation: StateRepresentation) -> float:
    """Returns phi's singular-value ratio; an MLP is averaged over uniform random inputs.

    The random inputs are within the typical range of each entry.
    """
    indices, scale = representation.indices, representation.scale
    generator = torch.Generator().manual_seed(0)
    spread = 2.0 * torch.rand(PROBE_POINTS, len(indices), generator=generator) - 1.0
    size = int(indices.max()) + 1
    observation = torch.zeros(PROBE_POINTS, size, device=scale.device)
    observation[:, indices] = spread.to(scale.device) * scale
    return representation.singular_value_ratio(observation)
