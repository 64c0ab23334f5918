"""Environments of a stranger, for the tests."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from numpy.typing import NDArray


class Point(gymnasium.Env[dict[str, Any], Any]):
    """A point on a line, pushed by its action; it ends beyond 1."""

    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012  as in Gymnasium

    def __init__(self, gain: float = 0.5) -> None:
        self.gain = gain
        self.observation_space = Dict(
            {
                "position": Box(-np.inf, np.inf, (1,)),
                "velocity": Box(-np.inf, np.inf, (1,)),
            }
        )
        self.action_space = Box(-2.0, 4.0, (1,))
        self.position = self.velocity = self.mass = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, Any]:
        """Starts within .1 of the origin, with a mass of 1 to 2."""
        super().reset(seed=seed, options=options)
        self.position = float(self.np_random.uniform(-0.1, 0.1))
        self.velocity = 0.0
        self.mass = float(self.np_random.uniform(1.0, 2.0))
        return self._observation(), {"mass": self.mass}

    def step(self, action: NDArray[np.float32]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Adds the action, times the gain, to the position."""
        self.velocity = self.gain * float(action[0])
        self.position += self.velocity
        return self._observation(), self.position, self.position > 1.0, False, {}

    def _observation(self) -> dict[str, Any]:
        return {
            "position": np.array([self.position], dtype=np.float32),
            "velocity": np.array([self.velocity], dtype=np.float32),
        }


def discrete() -> gymnasium.Env[Any, Any]:
    """An environment with discrete actions."""
    made: Any = Point()
    made.action_space = Discrete(3)
    return made


def counting() -> gymnasium.Env[Any, Any]:
    """An environment that observes an integer."""
    made: Any = Point()
    made.observation_space = Discrete(3)
    return made


def broken() -> gymnasium.Env[Any, Any]:
    """An environment that needs a licence."""
    raise RuntimeError("no licence")


def number() -> int:
    """A function that makes no environment."""
    return 3
