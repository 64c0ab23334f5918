"""Tasks: features of a goal, rewards and hindsight goals."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from skill_training.data.episodes import Episodes


class GoalTask(nn.Module, ABC):
    """Goal features for the networks, rewards, and the goal that an observation achieves.

    Shapes: ``n`` samples, ``O`` observation, ``G`` goal, ``F`` goal features.
    """

    feature_size: int
    stops = False
    """Whether :meth:`moves` can be 0. The episodes of training go on then, with another policy, so
    an exported policy that has stopped keeps its recurrent state: it would see observations that
    its encoder never saw."""

    @abstractmethod
    def features(self, observation: Tensor, goal: Tensor) -> Tensor:
        """``(n, O)`` raw, ``(n, G)`` raw -> ``(n, F)`` of order one."""

    @abstractmethod
    def reward(self, next_observation: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the reward ``(n,)`` of an arrival, and 1.0 if the arrival ends the episode."""

    def rewards(
        self, episodes: Episodes, rows: Tensor, times: Tensor, goal: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns the rewards of arrivals in replay, and 1.0 for those that end the episode.

        Args:
            episodes: The episodes.
            rows: ``(n,)`` episode of each row.
            times: ``(n, N)`` places of the arrivals in ``episodes.observation``, at least 1.
            goal: ``(n, G)`` goal of each row, which may be a hindsight goal.

        Returns:
            Two tensors ``(n, N)``.
        """
        arrivals = episodes.observation[rows[:, None], times]
        goals = goal[:, None].expand(-1, times.shape[1], -1)
        reward, end = self.reward(arrivals.flatten(0, 1), goals.flatten(0, 1))
        return reward.unflatten(0, times.shape), end.unflatten(0, times.shape)

    def ended(self, episodes: Episodes) -> Tensor | None:
        """Returns ``(B, T)`` bool: the episode had ended before the step; None if it never does."""
        del episodes
        return None

    def steps(self, episodes: Episodes) -> Tensor:
        """Returns ``(B,)`` int64: the number of steps until the end of each episode."""
        ended = self.ended(episodes)
        if ended is None:
            return episodes.counted
        return episodes.counted.minimum((~ended).sum(1))

    def moves(self, observation: Tensor, goal: Tensor) -> Tensor:
        """Returns the factor on an exported policy's actions, ``(n, 1)``: 1, or 0 to stop."""
        return torch.ones_like(observation[..., :1])

    @abstractmethod
    def achieved(self, observation: Tensor) -> Tensor:
        """Returns the goal ``(..., G)`` that an observation ``(..., O)`` achieves."""


class WorldTask(GoalTask):
    """The task of a world: its own rewards, which the episodes hold, and no goal."""

    feature_size = 0

    def features(self, observation: Tensor, goal: Tensor) -> Tensor:
        """Returns ``(n, 0)``."""
        del goal
        return observation[..., :0]

    def reward(self, next_observation: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """Is not used: the reward of a world is no function of observation and goal."""
        raise NotImplementedError("the rewards of a world are in the episodes")

    def rewards(
        self, episodes: Episodes, rows: Tensor, times: Tensor, goal: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns the rewards that the world gave, and its terminals.

        Raises:
            ValueError: the episodes hold no rewards.
        """
        del goal
        if episodes.reward is None:
            raise ValueError("these episodes hold no rewards of a world")
        reward = episodes.reward[rows[:, None], times - 1]
        if episodes.terminal is None:
            return reward, torch.zeros_like(reward)
        last = times == episodes.counted[rows][:, None]
        return reward, (last & episodes.terminal[rows][:, None]).to(reward.dtype)

    def achieved(self, observation: Tensor) -> Tensor:
        """Returns ``(..., 0)``."""
        return observation[..., :0]
