"""Interface of a goal-conditioned task: features, rewards and hindsight goals."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class GoalTask(nn.Module, ABC):
    """Goal features for the networks, rewards, and the goal that an observation achieves.

    Shapes: ``n`` samples, ``O`` observation, ``G`` goal, ``F`` goal features.
    """

    feature_size: int

    @abstractmethod
    def features(self, observation: Tensor, goal: Tensor) -> Tensor:
        """``(n, O)`` raw, ``(n, G)`` raw -> ``(n, F)`` of order one."""

    @abstractmethod
    def reward(self, next_observation: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the reward ``(n,)`` of an arrival, and 1.0 if the arrival ends the episode."""

    def moves(self, observation: Tensor, goal: Tensor) -> Tensor:
        """Returns the factor on an exported policy's actions, ``(n, 1)``: 1, or 0 to stop."""
        return torch.ones_like(observation[..., :1])

    @abstractmethod
    def achieved(self, observation: Tensor) -> Tensor:
        """Returns the goal ``(..., G)`` that an observation ``(..., O)`` achieves."""
