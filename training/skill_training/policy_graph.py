"""The policy as it is shipped: one module from raw observation and command to action.

The same module is evaluated during training and exported, so that what was measured is what is
served.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skill_training.networks import TanhGaussianActor
from skill_training.representation import StateRepresentation

Array = NDArray[np.float64]

NO_WAY_LEFT = 1e-6
"""Length in representation space below which the way to the goal has no direction; far inside
any stop radius."""


class SkillGraph(nn.Module):
    """A policy that takes a skill only."""

    input_names = ("observation", "previous_action", "skill")
    output_names = ("action", "skill_used")

    def __init__(self, actor: TanhGaussianActor) -> None:
        super().__init__()
        self.actor = actor

    def forward(
        self, observation: Tensor, previous_action: Tensor, skill: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One policy step.

        Args:
            observation: ``(n, O)``, raw units.
            previous_action: ``(n, A)``; part of the contract of every policy file, which a policy
                without memory does not look at.
            skill: ``(n, Z)``.

        Returns:
            Action ``(n, A)`` in [-1, 1] and the skill that was run ``(n, Z)``.
        """
        del previous_action
        # An output must not be the input itself: exporters drop or alias such a tensor.
        return self.actor.mode(observation, skill), skill.clone()


class GoalGraph(nn.Module):
    """A policy that takes a skill, or a goal that it turns into a skill at every step.

    Args:
        actor: The trained actor.
        representation: The trained representation; goals are given in the components it sees.
        stop_radius: Distance to the goal within which the action is zero, in the goal's unit.
    """

    input_names = ("observation", "previous_action", "skill", "goal", "use_goal")
    output_names = ("action", "skill_used")

    def __init__(
        self, actor: TanhGaussianActor, representation: StateRepresentation, stop_radius: float
    ) -> None:
        super().__init__()
        self.actor = actor
        self.representation = representation
        self._stop_radius = stop_radius

    def forward(
        self,
        observation: Tensor,
        previous_action: Tensor,
        skill: Tensor,
        goal: Tensor,
        use_goal: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """One policy step.

        With ``use_goal`` the skill is the unit vector from here to the goal in representation
        space, ``z = (phi(g) - phi(s)) / |phi(g) - phi(s)|`` (Park et al. 2024, METRA, zero-shot
        goal reaching); it is zero where there is no way left, and the action is zero within the
        stop radius.

        Args:
            observation: ``(n, O)``, raw units.
            previous_action: ``(n, A)``, as in :class:`SkillGraph`.
            skill: ``(n, Z)``.
            goal: ``(n, G)``, raw units.
            use_goal: ``(n, 1)``, 1 to go to the goal, 0 to run the skill.

        Returns:
            Action ``(n, A)`` in [-1, 1] and the skill that was run ``(n, Z)``.
        """
        del previous_action
        wanted = use_goal > 0.5
        here = observation.index_select(-1, self.representation.indices)
        precision = self.representation.scale.dtype
        phi_here = self.representation.embed(here.to(precision))
        way = self.representation.embed(goal.to(precision)) - phi_here
        length = torch.linalg.vector_norm(way, dim=-1, keepdim=True)
        towards = torch.where(length > NO_WAY_LEFT, way / length.clamp_min(NO_WAY_LEFT), 0.0)
        skill_used = torch.where(wanted, towards.to(skill.dtype), skill)
        action = self.actor.mode(observation, skill_used)
        distance = torch.linalg.vector_norm(goal - here, dim=-1, keepdim=True)
        arrived = wanted & (distance < self._stop_radius)
        return torch.where(arrived, 0.0, action), skill_used


Graph = SkillGraph | GoalGraph


class TorchPolicy:
    """A graph as a robots ``Policy``: float64 arrays in, float64 arrays out."""

    def __init__(self, graph: Graph, *, action_size: int, skill_size: int) -> None:
        self._graph = graph
        self._action_size = action_size
        self._skill_size = skill_size
        self._device = next(graph.parameters()).device

    def reset(self, n: int) -> None:
        """Nothing to forget: the policy has no memory."""

    @torch.no_grad()
    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Deterministic actions ``(n, A)``; see ``skill_robots.tasks.rollouts.Policy``.

        Raises:
            ValueError: a goal is given to a policy that takes none.
        """
        n = len(observation)
        inputs = [
            self._tensor(observation),
            self._tensor(np.zeros((n, self._action_size))),
            self._tensor(np.zeros((n, self._skill_size)) if skill is None else skill),
        ]
        if isinstance(self._graph, GoalGraph):
            size = len(self._graph.representation.indices)
            inputs.append(self._tensor(np.zeros((n, size)) if goal is None else goal))
            inputs.append(self._tensor(np.full((n, 1), float(goal is not None))))
        elif goal is not None:
            raise ValueError("this policy takes no goal")
        action: Tensor = self._graph(*inputs)[0]
        result: Array = action.cpu().numpy().astype(np.float64)
        return result

    def _tensor(self, array: Array) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self._device)
