"""Evaluation during training: rollouts and metrics of ``skill-eval`` on the torch policy."""

from __future__ import annotations

from dataclasses import replace

import torch

from skill_robots.tasks.tabletop import metrics as tabletop_metrics
from skill_robots.tasks.tabletop.rollouts import (
    evaluation_goals,
    evaluation_skills,
    goal_rollouts,
    skill_rollouts,
)
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.evaluation import evaluate_goals, evaluate_skills, exact
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.mujoco_world import BodyConfig
from skill_robots.worlds.registry import WorldConfig
from skill_robots.worlds.world import WorldSpec
from skill_training.device import exact_matmul
from skill_training.export.graph import TorchPolicy
from skill_training.export.skill_graph import GoalGraph
from skill_training.nets.pixels.representation import PixelRepresentation
from skill_training.nets.representation import StateRepresentation
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.policy import Graph

EVALUATION_SEED = 0
"""The default seed of ``skill-eval``, for the same starts and contexts."""

FINAL_EPISODES = 4
"""Episodes per skill in the final evaluation on the tabletop; the default of ``skill-eval``."""

PROBE_POINTS = 256
"""Number of random inputs at which the Jacobian of an 'mlp' representation is averaged."""


def nominal_task(task: TabletopConfig) -> TabletopConfig:
    """Returns the default task of ``skill-eval``: the trained masses and frictions only."""
    return TabletopConfig(mass=task.mass, friction=task.friction, gripper=task.gripper)


class Evaluator:
    """Evaluates a policy that shares its networks with the algorithm in training.

    The evaluator has its own scenes and generators, so that it does not change the run.
    """

    def __init__(
        self,
        config: SkillConfig,
        graph: Graph,
        representation: StateRepresentation | PixelRepresentation,
        spec: WorldSpec,
    ) -> None:
        self._task = config.task
        self._spec = spec
        self._goals = config.run.final_eval_goals if isinstance(graph, GoalGraph) else 0
        self._skills = evaluation_skills(
            config.algorithm.skills, representation.size, config.run.eval_skills, EVALUATION_SEED
        )
        self._representation = representation
        self._policy = TorchPolicy(
            graph,
            action_size=spec.action_size,
            skill_size=representation.size,
            goal_size=len(graph.places) if isinstance(graph, GoalGraph) else 0,
        )

    def quick(self) -> dict[str, float]:
        """Returns skill metrics from one episode per skill, and phi's singular-value ratio."""
        return self._skill_metrics(final=False) | self._phi_metrics()

    def full(self) -> dict[str, float]:
        """Returns the metrics of ``skill-eval`` with its defaults, and goal metrics if possible."""
        with exact_matmul():
            metrics = self._skill_metrics(final=True) | self._phi_metrics()
            return metrics | (self._goal_metrics() if self._goals else {})

    def _phi_metrics(self) -> dict[str, float]:
        """Returns phi's singular-value ratio, which a representation of frames does not have."""
        phi = self._representation
        if isinstance(phi, PixelRepresentation):
            return {}
        return {"phi_singular_value_ratio": singular_value_ratio(phi)}

    def _skill_metrics(self, *, final: bool) -> dict[str, float]:
        if not isinstance(self._task, TabletopConfig):
            task: WorldConfig = exact(self._task) if final else _quick(self._task)
            return evaluate_skills(self._policy, task, self._skills, EVALUATION_SEED)
        trajectories = skill_rollouts(
            self._policy,
            nominal_task(self._task),
            skills=self._skills,
            episodes=FINAL_EPISODES if final else 1,
            seed=EVALUATION_SEED,
            observation_names=tuple(field.name for field in self._spec.observation),
        )
        return tabletop_metrics.skill_metrics(trajectories)

    def _goal_metrics(self) -> dict[str, float]:
        if not isinstance(self._task, TabletopConfig):
            return evaluate_goals(self._policy, exact(self._task), self._goals, EVALUATION_SEED)
        trajectories = goal_rollouts(
            self._policy,
            nominal_task(self._task),
            goals=evaluation_goals(self._goals, EVALUATION_SEED),
            seed=EVALUATION_SEED,
            observation_names=tuple(field.name for field in self._spec.observation),
        )
        return tabletop_metrics.goal_metrics(trajectories)


def _quick(task: WorldConfig) -> WorldConfig:
    """Returns the world of an evaluation during training.

    It has no process for each scene, because there are as many scenes as skills. A body that lies
    on its back stays there, as in the final evaluation. The integrator is that of training, which
    is faster.
    """
    if isinstance(task, GymnasiumConfig):
        return replace(task, processes=False)
    return replace(task, restart_lying_after=None) if isinstance(task, BodyConfig) else task


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
    if representation.offset is not None:
        observation[:, indices] += representation.offset
    return representation.singular_value_ratio(observation)
