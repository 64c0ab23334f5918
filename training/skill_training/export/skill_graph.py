"""Graphs of a skill policy, and of a skill policy that also takes goals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from skill_training.export.graph import PolicyGraph
from skill_training.nets.actor import TanhGaussianActor
from skill_training.nets.representation import StateRepresentation

MIN_OFFSET = 1e-6
"""Length in representation space below which the offset to the goal has no direction. It is far
smaller than any stop radius."""


class SkillGraph(PolicyGraph):
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
            previous_action: ``(n, A)``, an input of every policy file; a policy without recurrent
                state does not use it.
            skill: ``(n, Z)``.

        Returns:
            Action ``(n, A)`` in [-1, 1] and the skill ``(n, Z)``.
        """
        del previous_action
        # An output must not be the input tensor: exporters drop or alias such a tensor.
        return self.actor.mode(observation, skill), skill.clone()


class GoalGraph(PolicyGraph):
    """A policy that takes a skill, or a goal that it converts to a skill at every step.

    Args:
        actor: The trained actor.
        representation: The trained representation.
        places: Observation entries whose values a goal gives, all of them inputs of the
            representation.
        stop_radius: Distance to the goal within which the action is zero, in the goal's unit.
    """

    input_names = ("observation", "previous_action", "skill", "goal", "use_goal")
    output_names = ("action", "skill_used")
    places: Tensor
    spread: Tensor
    """``(G, k)``: 1 where an input of the representation is an entry of the goal."""

    def __init__(
        self,
        actor: TanhGaussianActor,
        representation: StateRepresentation,
        places: Sequence[int],
        stop_radius: float,
    ) -> None:
        super().__init__()
        self.actor = actor
        self.representation = representation
        self._stop_radius = stop_radius
        device = representation.indices.device
        self.register_buffer("places", torch.tensor(places, device=device), persistent=False)
        seen = representation.indices.tolist()
        #: Whether a goal gives all inputs of the representation, in their order.
        self._complete = seen == list(places)
        spread = torch.zeros(len(places), len(seen), device=device)
        for row, place in enumerate(places):
            spread[row, seen.index(place)] = 1.0
        self.register_buffer("spread", spread, persistent=False)

    def for_shipping(self) -> Self:
        """Returns a copy on the CPU, with phi in float64.

        Close to a goal the offset is a small difference of two embeddings. Rounding to float32
        would change its direction, differently in each runtime.
        """
        shipped = super().for_shipping()
        shipped.representation.double()
        return shipped

    def forward(
        self,
        observation: Tensor,
        previous_action: Tensor,
        skill: Tensor,
        goal: Tensor,
        use_goal: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """One policy step.

        With ``use_goal`` the skill is the unit vector to the goal in representation space,
        ``z = (phi(g) - phi(s)) / |phi(g) - phi(s)|`` (Park et al. 2024, METRA, zero-shot goal
        reaching). Inputs of phi that the goal does not give keep their present values. The skill is
        zero at the goal, and the action is zero within the stop radius.

        Args:
            observation: ``(n, O)``, raw units.
            previous_action: ``(n, A)``, as in :class:`SkillGraph`.
            skill: ``(n, Z)``.
            goal: ``(n, G)``, raw units.
            use_goal: ``(n, 1)``, 1 to use the goal, 0 to use the skill.

        Returns:
            Action ``(n, A)`` in [-1, 1] and the skill used ``(n, Z)``.
        """
        del previous_action
        to_goal = use_goal > 0.5
        seen = observation.index_select(-1, self.representation.indices)
        precision = self.representation.scale.dtype
        phi_here = self.representation.embed(seen.to(precision))
        offset = self.representation.embed(self._at_goal(seen, goal).to(precision)) - phi_here
        length = torch.linalg.vector_norm(offset, dim=-1, keepdim=True)
        towards = torch.where(length > MIN_OFFSET, offset / length.clamp_min(MIN_OFFSET), 0.0)
        skill_used = torch.where(to_goal, towards.to(skill.dtype), skill)
        action = self.actor.mode(observation, skill_used)
        here = observation.index_select(-1, self.places)
        distance = torch.linalg.vector_norm(goal - here, dim=-1, keepdim=True)
        arrived = to_goal & (distance < self._stop_radius)
        return torch.where(arrived, 0.0, action), skill_used

    def _at_goal(self, seen: Tensor, goal: Tensor) -> Tensor:
        """Returns phi's inputs ``(n, k)`` with those that the goal ``(n, G)`` gives replaced."""
        if self._complete:
            return goal
        spread = self.spread.to(goal.dtype)
        return seen * (1.0 - spread.sum(0)) + goal @ spread
