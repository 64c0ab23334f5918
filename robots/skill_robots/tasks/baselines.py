"""Random policies: the baseline that a learned policy must exceed.

They ignore observation, skill and goal. The seed determines their actions.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from skill_proto.arrays import Array
from skill_robots.tasks.policy import Policy

BaselineName = Literal["iid", "constant", "ou", "still"]


class IidPolicy:
    """A new action, uniform in [-1, 1], at every step."""

    def __init__(self, action_size: int, seed: int = 0) -> None:
        self._size = action_size
        self._generator = np.random.default_rng(seed)

    def reset(self, n: int) -> None:
        """Accepts any ``n``: the policy has no state."""

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns ``(n, A)`` actions."""
        return self._generator.uniform(-1.0, 1.0, (len(observation), self._size))


class ConstantPolicy:
    """One action, uniform in [-1, 1], per episode."""

    def __init__(self, action_size: int, seed: int = 0) -> None:
        self._generator = np.random.default_rng(seed)
        self._action = np.zeros((0, action_size))

    def reset(self, n: int) -> None:
        """Draws the actions of ``n`` new episodes."""
        self._action = self._generator.uniform(-1.0, 1.0, (n, self._action.shape[1]))

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns ``(n, A)`` actions."""
        return self._action.copy()


class OrnsteinUhlenbeckPolicy:
    """Smooth exploration noise, clipped to [-1, 1].

    x' = x - theta x + sqrt(2 theta) sigma N(0, 1), the Euler step of the Ornstein-Uhlenbeck
    process (Uhlenbeck and Ornstein, Physical Review 36, 1930). Its stationary standard deviation
    is about ``sigma``, and an episode starts in the stationary distribution.
    """

    def __init__(
        self, action_size: int, seed: int = 0, *, theta: float = 0.1, sigma: float = 1.0
    ) -> None:
        self._generator = np.random.default_rng(seed)
        self._theta = theta
        self._sigma = sigma
        self._x = np.zeros((0, action_size))

    def reset(self, n: int) -> None:
        """Starts ``n`` new, independent processes."""
        self._x = self._sigma * self._generator.standard_normal((n, self._x.shape[1]))

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns ``(n, A)`` actions."""
        action = np.clip(self._x, -1.0, 1.0)
        kick = np.sqrt(2.0 * self._theta) * self._sigma
        noise = self._generator.standard_normal(self._x.shape)
        self._x = (1.0 - self._theta) * self._x + kick * noise
        return action


class StillPolicy:
    """Zero actions."""

    def __init__(self, action_size: int) -> None:
        self._size = action_size

    def reset(self, n: int) -> None:
        """Accepts any ``n``: the policy has no state."""

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns ``(n, A)`` zeros."""
        return np.zeros((len(observation), self._size))


def make_baseline(name: BaselineName, action_size: int, seed: int = 0) -> Policy:
    """Returns the policy of that name: ``ou`` is Ornstein-Uhlenbeck, ``still`` gives zeros."""
    if name == "iid":
        return IidPolicy(action_size, seed)
    if name == "constant":
        return ConstantPolicy(action_size, seed)
    if name == "ou":
        return OrnsteinUhlenbeckPolicy(action_size, seed)
    return StillPolicy(action_size)
