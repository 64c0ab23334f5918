"""The task of the goal stage: features of a goal, and reward."""

from __future__ import annotations

import torch
from torch import Tensor

from skill_training.data.goal_task import GoalTask


class RestAtGoal(GoalTask):
    """Bring the cube to rest at a point of the table within a few seconds.

    Features: the direction to the goal, rotated into the skill space of the initial actor and
    scaled down within 5 cm; then the offset to the goal, from which the policy can tell when to
    brake.

    Args:
        rotation: ``(2, 2)`` map from a direction on the table to the skill that pushes there.
        cube: Index of the cube's x in the observation; y follows.
    """

    feature_size = 4
    rotation: Tensor

    SHRINK_M = 0.05
    OFFSET_SCALE_M = 0.15
    NEAR_M = 0.025
    FAR_M = 0.4

    def __init__(self, rotation: Tensor, cube: int) -> None:
        super().__init__()
        self.register_buffer("rotation", rotation.float())
        self._cube = cube

    def features(self, observation: Tensor, goal: Tensor) -> Tensor:
        """``(n, 4)``."""
        offset = goal - self.achieved(observation)
        distance = torch.linalg.vector_norm(offset, dim=-1, keepdim=True)
        direction = (offset / distance.clamp_min(self.SHRINK_M)) @ self.rotation.T
        return torch.cat((direction, offset / self.OFFSET_SCALE_M), dim=-1)

    def reward(self, next_observation: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """``0.1 exp(-(d / 2.5 cm)^2) - 0.1 min(d, 0.4 m) / 0.15 m``; no step ends an episode."""
        distance = torch.linalg.vector_norm(goal - self.achieved(next_observation), dim=-1)
        near = (-(distance / self.NEAR_M).square()).exp()
        far = distance.clamp_max(self.FAR_M) / self.OFFSET_SCALE_M
        return 0.1 * (near - far), torch.zeros_like(distance)

    def achieved(self, observation: Tensor) -> Tensor:
        """Returns the cube's position on the table, ``(..., 2)`` [m]."""
        return observation[..., self._cube : self._cube + 2]
