"""Hidden quantities of a world, as an encoder estimates them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skill_proto.arrays import Array
from skill_robots.worlds.world import Quantity, World

RESETS = 64
"""Resets of all scenes over which mean, spread and range are measured."""

CONSTANT = 1e-6
"""Standard deviation below which a quantity counts as constant, and has the spread 1."""


@dataclass(frozen=True, kw_only=True)
class HiddenQuantities:
    """The quantities ``(K,)``; those whose range is positive are estimated by their logarithm."""

    quantities: tuple[Quantity, ...]

    def state_dict(self) -> list[dict[str, Any]]:
        """Returns names, units and ranges."""
        return [vars(one).copy() for one in self.quantities]

    @classmethod
    def from_state_dict(cls, state: list[dict[str, Any]]) -> HiddenQuantities:
        """Restores the quantities of :meth:`state_dict`."""
        return cls(quantities=tuple(Quantity(**one) for one in state))

    @property
    def logged(self) -> tuple[bool, ...]:
        """Whether each quantity is a positive one, such as a mass."""
        return tuple(one.low is not None and one.low > 0.0 for one in self.quantities)

    def truth(self, hidden: Array) -> Array:
        """``(..., K)`` raw -> ``(..., K)``, logarithms of the positive quantities."""
        positive = np.array(self.logged, dtype=np.bool_)
        return np.where(positive, np.log(np.where(positive, hidden, 1.0)), hidden)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The hidden quantities of a world, from many of its episodes."""

    quantities: HiddenQuantities
    """With the drawn ranges of those whose range the world does not know."""
    mean: list[float]
    """``(K,)`` of the quantities as the encoder estimates them."""
    std: list[float]
    """``(K,)``; 1 for a constant quantity."""


def measure(world: World) -> Measured:
    """Draws many episodes of a world, whose generators advance."""
    drawn = _draws(world)
    low, high = drawn.min(axis=0).tolist(), drawn.max(axis=0).tolist()
    quantities = HiddenQuantities(
        quantities=tuple(
            replace(
                one,
                low=low[place] if one.low is None else one.low,
                high=high[place] if one.high is None else one.high,
            )
            for place, one in enumerate(world.spec.hidden)
        )
    )
    values = quantities.truth(drawn)
    std = values.std(axis=0)
    return Measured(
        quantities=quantities,
        mean=values.mean(axis=0).tolist(),
        std=np.where(std < CONSTANT, 1.0, std).tolist(),
    )


def _draws(world: World) -> Array:
    """Returns the hidden quantities of many episodes ``(N, K)``, raw."""
    drawn: list[Array] = []
    for _ in range(RESETS):
        world.reset()
        drawn.append(world.hidden().copy())
    return np.concatenate(drawn)
