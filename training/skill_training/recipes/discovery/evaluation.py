"""Evaluation in training: the rollouts and metrics of ``skill-eval``, on the torch policy."""

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
"""The default of ``skill-eval``, so that both report on the same starts and contexts."""

FINAL_EPISODES = 4
"""Starts and contexts per skill in the final evaluation; the default of ``skill-eval``."""

PROBE_POINTS = 256


def nominal_task(task: TabletopConfig) -> TabletopConfig:
    """What ``skill-eval`` runs by default: the trained masses and frictions, all else nominal."""
    return TabletopConfig(mass=task.mass, friction=task.friction)


class Evaluator:
    """Scores a policy that shares its networks with the algorithm in training.

    Evaluation has scenes and generators of its own: it leaves no trace in the run it looks at.
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
        """Skill metrics from one episode per skill, and the singular-value ratio of phi."""
        return self._evaluate(episodes=1)

    def full(self) -> dict[str, float]:
        """The metrics of ``skill-eval`` with its defaults, goals included where there are any."""
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
    """Singular-value ratio of phi, for an MLP over points uniform in the inputs' typical range."""
    indices, scale = representation.indices, representation.scale
    generator = torch.Generator().manual_seed(0)
    spread = 2.0 * torch.rand(PROBE_POINTS, len(indices), generator=generator) - 1.0
    size = int(indices.max()) + 1
    observation = torch.zeros(PROBE_POINTS, size, device=scale.device)
    observation[:, indices] = spread.to(scale.device) * scale
    return representation.singular_value_ratio(observation)
