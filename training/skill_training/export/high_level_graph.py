"""Graph of a hierarchical policy: a high level picks skills, and a low level executes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from skill_training.export.graph import PolicyGraph
from skill_training.nets.actor import TanhGaussianActor
from skill_training.nets.one_hot import OneHotActor

STATES = ("held_skill", "steps_left")
"""Recurrent states: the skill in execution ``(n, Z)``, and the control steps for which it is still
held ``(n, 1)``, 0 at the start of an episode."""


class HighLevelGraph(PolicyGraph):
    """A policy that takes a goal.

    Args:
        high: Actor of the high level. Its observation is the policy's, then the way from the
            coordinates to the goal.
        low: Actor of the skills.
        places: Observation entries that are the coordinates.
        hold_steps: Control steps for which a skill is held.
    """

    input_names = ("observation", "previous_action", "goal", *STATES)
    output_names = ("action", *(f"next_{state}" for state in STATES))
    places: Tensor

    def __init__(
        self,
        high: TanhGaussianActor | OneHotActor,
        low: TanhGaussianActor,
        places: Sequence[int],
        hold_steps: int,
    ) -> None:
        super().__init__()
        self.high = high
        self.low = low
        self._hold_steps = hold_steps
        self.register_buffer("places", torch.tensor(places), persistent=False)

    def for_shipping(self) -> Self:
        """Returns a copy on the CPU, with the high level in float64.

        A choice near zero has a direction that rounding to float32 would change, differently in
        each runtime.
        """
        shipped = super().for_shipping()
        shipped.high.double()
        return shipped

    def forward(
        self,
        observation: Tensor,
        previous_action: Tensor,
        goal: Tensor,
        held_skill: Tensor,
        steps_left: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One policy step; a new skill is chosen if the held one has no steps left.

        Args:
            observation: ``(n, O)``, raw units.
            previous_action: ``(n, A)``, not used.
            goal: ``(n, G)``, in the unit of the coordinates. A goal that changes has an effect at
                the next choice.
            held_skill: ``(n, Z)``.
            steps_left: ``(n, 1)``.

        Returns:
            Action ``(n, A)`` in [-1, 1], and the next states.
        """
        del previous_action
        offset = goal - observation.index_select(-1, self.places)
        is_due = steps_left < 0.5
        chosen = self._choose(torch.cat((observation, offset), dim=-1))
        skill = torch.where(is_due, chosen.to(held_skill.dtype), held_skill)
        left = torch.where(is_due, float(self._hold_steps), steps_left) - 1.0
        return self.low.mode(observation, skill), skill, left

    def _choose(self, observation: Tensor) -> Tensor:
        observation = observation.to(self.high.normalizer.scale.dtype)
        if isinstance(self.high, OneHotActor):
            return self.high.mode(observation)
        return functional.normalize(self.high.mode(observation, observation[..., :0]), dim=-1)
