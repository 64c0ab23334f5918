"""task."""

from __future__ import annotations

import torch
from torch import Tensor

from skill_training.data.goal_task import GoalTask


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
