"""Replay of a high level's choices, with their rewards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skill_training.data.replay import Flags, ReplayBuffer, Rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """Transitions of a high level, float32."""

    observation: Tensor
    """``(n, O)``, raw."""
    choice: Tensor
    """``(n, Z)``: the output of the actor that was executed."""
    reward: Tensor
    """``(n,)``: sum over the control steps of the choice."""
    next_observation: Tensor
    """``(n, O)``, raw."""
    terminal: Tensor
    """``(n,)``: 1 if the task ended with the choice, else 0."""


class ChoiceReplay:
    """The newest ``capacity`` choices, sampled uniformly.

    Args:
        capacity: Maximum number of choices.
        observation_size: O.
        choice_size: Z.
        device: Device of the numbers.
    """

    def __init__(
        self,
        capacity: int,
        *,
        observation_size: int,
        choice_size: int,
        device: torch.device | str = "cpu",
    ) -> None:
        # A high level has no skill of its own; the column of the skill holds the reward.
        self._rows = ReplayBuffer(
            capacity,
            observation_size=observation_size,
            action_size=choice_size,
            skill_size=1,
            terminals=True,
            device=device,
        )

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self, observation: Rows, choice: Rows, reward: Rows, next_observation: Rows, terminal: Flags
    ) -> None:
        """Appends choices and overwrites the oldest; arguments as in :class:`Choices`."""
        self._rows.add(observation, choice, next_observation, reward[:, None], terminal)

    def sample(self, n: int, generator: torch.Generator) -> Choices:
        """Draws ``n`` choices with replacement.

        Raises:
            ValueError: the replay is empty.
        """
        batch = self._rows.sample(n, generator)
        assert batch.terminal is not None
        return Choices(
            observation=batch.observation,
            choice=batch.action,
            reward=batch.skill[:, 0],
            next_observation=batch.next_observation,
            terminal=batch.terminal,
        )

    def state_dict(self) -> dict[str, Any]:
        """Returns a copy of the choices and their places."""
        return self._rows.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`.

        Raises:
            ValueError: the state comes from a replay of another width or capacity.
        """
        self._rows.load_state_dict(state)
