"""What a goal-conditioned algorithm must know of its task: features, rewards, hindsight goals."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class GoalTask(nn.Module, ABC):
    """Goals as the networks see them, and what reaching one is worth.

    Shapes: ``n`` samples, ``O`` observation, ``G`` goal, ``F`` goal features.
    """

    feature_size: int

    @abstractmethod
    def features(self, observation: Tensor, goal: Tensor) -> Tensor:
        """``(n, O)`` raw, ``(n, G)`` raw -> ``(n, F)`` of order one."""

    @abstractmethod
    def reward(self, next_observation: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """Reward ``(n,)`` of arriving at an observation, and 1.0 where that ends the episode."""

    def moves(self, observation: Tensor, goal: Tensor) -> Tensor:
        """What a shipped policy's actions are multiplied by, ``(n, 1)``: 1, or 0 where it rests."""
        return torch.ones_like(observation[..., :1])

    @abstractmethod
    def achieved(self, observation: Tensor) -> Tensor:
        """The goal ``(..., G)`` that an observation ``(..., O)`` fulfils."""
