"""Hidden quantities of a world, as an encoder estimates them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Array
from skill_robots.worlds.world import Quantity, World

RESETS = 64
"""Resets of all scenes over which mean and spread are measured."""

CONSTANT = 1e-6
"""Standard deviation below which a quantity counts as constant, and has the spread 1."""


@dataclass(frozen=True, kw_only=True)
class HiddenQuantities:
    """The quantities ``(K,)``; those whose range is positive are estimated by their logarithm."""

    quantities: tuple[Quantity, ...]

    @property
    def logged(self) -> tuple[bool, ...]:
        """Whether each quantity is a positive one, such as a mass."""
        return tuple(one.low is not None and one.low > 0.0 for one in self.quantities)

    def truth(self, hidden: Array) -> Array:
        """``(n, K)`` raw -> ``(n, K)``, logarithms of the positive quantities."""
        positive = np.array(self.logged, dtype=np.bool_)
        return np.where(positive, np.log(np.where(positive, hidden, 1.0)), hidden)

    def moments(self, world: World) -> tuple[list[float], list[float]]:
        """Returns mean and standard deviation ``(K,)`` over the contexts of training.

        Args:
            world: Scenes whose generators advance.
        """
        drawn: list[Array] = []
        for _ in range(RESETS):
            world.reset()
            drawn.append(self.truth(world.hidden()))
        values = np.concatenate(drawn)
        std = values.std(axis=0)
        return values.mean(axis=0).tolist(), np.where(std < CONSTANT, 1.0, std).tolist()
