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


class RestAtGoal(GoalTask):
    """Bring the cube to rest at a point of the table, soon.

    Features: the direction to the goal, turned as the skills of the policy that the actor starts
    from and shrunk within 5 cm; then the whole way, for judging when to brake.

    Args:
        rotation: ``(2, 2)`` from a direction on the table to the skill that pushes there.
        cube: Index of the cube's x in the observation; y follows.
    """

    feature_size = 4
    rotation: Tensor

    SHRINK_M = 0.05
    WAY_SCALE_M = 0.15
    NEAR_M = 0.025
    FAR_M = 0.4

    def __init__(self, rotation: Tensor, cube: int) -> None:
        super().__init__()
        self.register_buffer("rotation", rotation.float())
        self._cube = cube

    def features(self, observation: Tensor, goal: Tensor) -> Tensor:
        """``(n, 4)``."""
        way = goal - self.achieved(observation)
        distance = torch.linalg.vector_norm(way, dim=-1, keepdim=True)
        direction = (way / distance.clamp_min(self.SHRINK_M)) @ self.rotation.T
        return torch.cat((direction, way / self.WAY_SCALE_M), dim=-1)

    def reward(self, next_observation: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """``0.1 exp(-(d / 2.5 cm)^2) - 0.1 min(d, 0.4 m) / 0.15 m``; nothing ends an episode."""
        distance = torch.linalg.vector_norm(goal - self.achieved(next_observation), dim=-1)
        near = (-(distance / self.NEAR_M).square()).exp()
        far = distance.clamp_max(self.FAR_M) / self.WAY_SCALE_M
        return 0.1 * (near - far), torch.zeros_like(distance)

    def achieved(self, observation: Tensor) -> Tensor:
        """The cube's place on the table, ``(..., 2)`` [m]."""
        return observation[..., self._cube : self._cube + 2]


class BringToGoal(GoalTask):
    """The skill-aware benchmark: bring the cube within 5 cm of the goal, which ends the episode.

    What the policy would do from there it never learns: so it rests (:meth:`moves`).

    The published reward is minus the distance. Alone it taught nothing here within minutes: until
    the cube is touched it does not change. So the hand's distance from the cube costs too, and
    every step that the cube is not there yet.

    Features: the way to the goal, and its direction, shrunk within 5 cm.

    Args:
        cube: Index of the cube's x in the observation; y and z follow.
        cube_from_hand: Index of the way from hand to cube, three entries.
        rest_height: Of the cube's centre and of the goal [m].
        success_radius: How near the cube must come [m].
    """

    feature_size = 4

    SHRINK_M = 0.05
    WAY_SCALE_M = 0.15

    def __init__(
        self, cube: int, cube_from_hand: int, *, rest_height: float, success_radius: float
    ) -> None:
        super().__init__()
        self._cube, self._reach = cube, slice(cube_from_hand, cube_from_hand + 3)
        self._rest_height, self._radius = rest_height, success_radius

    def features(self, observation: Tensor, goal: Tensor) -> Tensor:
        """``(n, 4)``."""
        way = goal - self.achieved(observation)
        distance = torch.linalg.vector_norm(way, dim=-1, keepdim=True)
        return torch.cat((way / distance.clamp_min(self.SHRINK_M), way / self.WAY_SCALE_M), dim=-1)

    def reward(self, next_observation: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """``-0.1 (1 + d / 0.15 m + 0.3 h / 0.15 m)``, d the cube's, h the hand's way; 0 there."""
        distance = self._distance(next_observation, goal)
        reach = torch.linalg.vector_norm(next_observation[..., self._reach], dim=-1)
        end = (distance < self._radius).float()
        cost = 1.0 + (distance + 0.3 * reach) / self.WAY_SCALE_M
        return -0.1 * cost * (1.0 - end), end

    def moves(self, observation: Tensor, goal: Tensor) -> Tensor:
        """``(n, 1)``: 0 where the cube is at the goal."""
        return (self._distance(observation, goal) >= self._radius).float()[..., None]

    def achieved(self, observation: Tensor) -> Tensor:
        """The cube's place on the table, ``(..., 2)`` [m]."""
        return observation[..., self._cube : self._cube + 2]

    def _distance(self, observation: Tensor, goal: Tensor) -> Tensor:
        """From the cube to the goal, in space."""
        cube = observation[..., self._cube : self._cube + 3]
        way = torch.cat((goal - cube[..., :2], self._rest_height - cube[..., 2:]), dim=-1)
        return torch.linalg.vector_norm(way, dim=-1)
