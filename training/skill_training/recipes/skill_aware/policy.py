"""Policies for the evaluation of a run on the benchmark: with inferred, true or no context."""

from __future__ import annotations

import numpy as np
import torch

from skill_proto.arrays import Array
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.skill_aware.scenes import ACTION_SIZE
from skill_training.algorithms.context_sac import ContextSac
from skill_training.export.context_graph import ContextFreeGraph, ContextGraph
from skill_training.export.graph import TorchPolicy
from skill_training.nets.finite import check_action
from skill_training.recipes.skill_aware.world import log_truth


class TrueContextPolicy:
    """A policy that is given the true mass and friction once per episode.

    It is an upper bound for comparison: a served policy does not know them.
    """

    def __init__(self, algorithm: ContextSac) -> None:
        self._algorithm = algorithm
        self._context = torch.zeros(0)

    def reset(self, n: int) -> None:
        """Starts ``n`` episodes, before their true contexts are set."""
        size = self._algorithm.config.encoder.size
        self._context = torch.zeros(n, size, device=self._algorithm.device)

    def set_true_context(self, friction: Array, mass: Array) -> None:
        """Sets friction (label) and mass [kg] of every scene, each ``(n,)``."""
        self._context = self._algorithm.true_context(self._tensor(log_truth(friction, mass)))

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns deterministic actions ``(n, 4)``; see ``skill_robots.tasks.policy.Policy``.

        Raises:
            ValueError: no goal is given.
            NotFiniteError: an action is not finite.
        """
        if goal is None:
            raise ValueError("a policy of the benchmark needs a goal")
        given = self._tensor(observation), self._tensor(goal)
        action = self._algorithm.act(*given, self._context, deterministic=True)
        return check_action(action.cpu().numpy().astype(np.float64), observation)

    def _tensor(self, array: Array) -> torch.Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self._algorithm.device)


def evaluation_policy(algorithm: ContextSac) -> Policy:
    """Returns the policy of ``algorithm`` with the context that its knowledge setting allows."""
    knowledge = algorithm.config.knowledge
    if knowledge == "told":
        return TrueContextPolicy(algorithm)
    if knowledge == "untold":
        return TorchPolicy(ContextFreeGraph(algorithm), action_size=ACTION_SIZE, goal_size=2)
    graph = ContextGraph(algorithm)
    return TorchPolicy(graph, action_size=ACTION_SIZE, goal_size=2, states=graph.state_shapes)
