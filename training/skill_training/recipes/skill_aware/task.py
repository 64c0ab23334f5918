"""The task of the skill-aware benchmark: features of a goal, and reward."""

from __future__ import annotations

import torch
from torch import Tensor

from skill_robots.observation import layout
from skill_robots.tasks.skill_aware.benchmark import SUCCESS_RADIUS_M
from skill_robots.tasks.skill_aware.scenes import CUBE_REST_HEIGHT_M, OBSERVATION
from skill_training.data.episodes import Episodes
from skill_training.data.goal_task import GoalTask


class BringToGoal(GoalTask):
    """The skill-aware benchmark: bring the cube within 5 cm of the goal.

    The episode ends there, at any speed of the cube or only below ``end_speed``. There are no
    training targets after the end, so the policy stops there (:meth:`moves`). A cube that is faster
    costs again if it slides on, so the policy learns to keep it at the goal.

    The published reward is minus the cube's distance from the goal. It is constant until the first
    contact, and runs of minutes did not learn from it. The reward here adds a cost for the end
    effector's distance from the cube and a cost per step. Both distances count up to 40 cm: a light
    cube on a slippery table flies far off, and such returns would dominate the critic's loss.

    Features: the direction to the goal, scaled down within 5 cm, and the offset to the goal.

    Args:
        cube: Index of the cube's x in the observation; y and z follow.
        cube_velocity: Index of the cube's velocity along x; y and z follow.
        cube_from_end_effector: Index of the offset from end effector to cube, three entries.
        rest_height: Height of the cube's centre at rest, and of the goal [m].
        success_radius: Distance to the goal that counts as success [m].
        end_speed: The episode ends if the cube is at the goal and slower than this [m/s]. None: at
            any speed.
    """

    feature_size = 4
    stops = True

    SHRINK_M = 0.05
    OFFSET_SCALE_M = 0.15
    FAR_M = 0.4

    def __init__(
        self,
        *,
        cube: int,
        cube_velocity: int,
        cube_from_end_effector: int,
        rest_height: float,
        success_radius: float,
        end_speed: float | None = None,
    ) -> None:
        super().__init__()
        self._cube, self._velocity = cube, slice(cube_velocity, cube_velocity + 3)
        self._reach = slice(cube_from_end_effector, cube_from_end_effector + 3)
        self._end_speed = end_speed
        self._rest_height, self._radius = rest_height, success_radius

    @classmethod
    def of_benchmark(cls, *, end_speed: float | None = None) -> BringToGoal:
        """Returns the task for the observation and the success of the benchmark."""
        place = layout(OBSERVATION)
        return cls(
            cube=place["cube_position"].start,
            cube_velocity=place["cube_velocity"].start,
            cube_from_end_effector=place["cube_from_end_effector"].start,
            rest_height=CUBE_REST_HEIGHT_M,
            success_radius=SUCCESS_RADIUS_M,
            end_speed=end_speed,
        )

    def features(self, observation: Tensor, goal: Tensor) -> Tensor:
        """``(n, 4)``."""
        offset = goal - self.achieved(observation)
        distance = torch.linalg.vector_norm(offset, dim=-1, keepdim=True)
        direction = offset / distance.clamp_min(self.SHRINK_M)
        return torch.cat((direction, offset / self.OFFSET_SCALE_M), dim=-1)

    def reward(self, next_observation: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """``-0.1 (1 + d / 0.15 m + 0.3 h / 0.15 m)``, or 0 at the goal.

        d is the distance from cube to goal, h the distance from end effector to cube, both at most
        0.4 m.
        """
        distance = self._distance(next_observation, goal)
        reach = torch.linalg.vector_norm(next_observation[..., self._reach], dim=-1)
        there = (distance < self._radius).float()
        end = there * self._is_slow(next_observation)
        distance, reach = distance.clamp_max(self.FAR_M), reach.clamp_max(self.FAR_M)
        cost = 1.0 + (distance + 0.3 * reach) / self.OFFSET_SCALE_M
        return -0.1 * cost * (1.0 - there), end

    def ended(self, episodes: Episodes) -> Tensor:
        """Returns ``(B, T)`` bool: the episode had ended before the step."""
        return self._is_end(episodes.observation[:, :-1], episodes.goal).cumsum(1) > 0

    def moves(self, observation: Tensor, goal: Tensor) -> Tensor:
        """Returns ``(n, 1)``: 0 if the cube is at the goal and that ends the episode, else 1."""
        return 1.0 - self._is_end(observation, goal).float()[..., None]

    def achieved(self, observation: Tensor) -> Tensor:
        """Returns the cube's position on the table, ``(..., 2)`` [m]."""
        return observation[..., self._cube : self._cube + 2]

    def _is_end(self, observation: Tensor, goal: Tensor) -> Tensor:
        return (self._distance(observation, goal) < self._radius) & self._is_slow(observation)

    def _is_slow(self, observation: Tensor) -> Tensor:
        if self._end_speed is None:
            return torch.ones_like(observation[..., 0], dtype=torch.bool)
        return torch.linalg.vector_norm(observation[..., self._velocity], dim=-1) < self._end_speed

    def _distance(self, observation: Tensor, goal: Tensor) -> Tensor:
        """Returns the distance from cube to goal in space."""
        cube = observation[..., self._cube : self._cube + 3]
        offset = torch.cat((goal - cube[..., :2], self._rest_height - cube[..., 2:]), dim=-1)
        return torch.linalg.vector_norm(offset, dim=-1)
