"""Contexts: the hidden quantities of an episode, and the sets from which they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from skill_proto.arrays import Array
from skill_robots.worlds.world import Split, check_split

Choices = tuple[tuple[float, ...], ...]
"""Alternatives for some of the quantities, each a row of values."""

Group = tuple[Choices, ...]
"""Every combination of one alternative from each of its choices."""


@dataclass(frozen=True, kw_only=True)
class ContextSets:
    """Contexts for training, and for two tests of growing difficulty.

    A draw takes one of the groups of a set, and then one alternative of each of its choices, all
    with equal probability: as SaMI's scenes do, each of which belongs to one group for the whole
    training and draws anew for each episode.
    """

    names: tuple[str, ...]
    """Names of the K quantities."""
    train: tuple[Group, ...]
    moderate: tuple[Group, ...]
    extreme: tuple[Group, ...]

    def groups(self, split: Split) -> tuple[Group, ...]:
        """Returns the groups of a set.

        Raises:
            WorldError: There is no such set.
        """
        sets = {"train": self.train, "moderate": self.moderate, "extreme": self.extreme}
        check_split(split)
        return sets[split]

    def cells(self, split: Split) -> Array:
        """Returns every context of a set once, ``(cells, K)``, in the order of the groups."""
        rows = [
            [value for part in parts for value in part]
            for group in self.groups(split)
            for parts in product(*group)
        ]
        return np.array(list(dict.fromkeys(map(tuple, rows))))

    def draw(self, split: Split, count: int, rng: np.random.Generator) -> Array:
        """Returns random contexts of a set ``(count, K)``."""
        groups = self.groups(split)
        return np.array([_draw(groups[rng.integers(len(groups))], rng) for _ in range(count)])


def values(*alternatives: float) -> Choices:
    """Returns the alternatives of one quantity."""
    return tuple((value,) for value in alternatives)


def squares(*sets: tuple[float, ...]) -> tuple[Group, ...]:
    """Returns a group of two quantities for each ordered pair of sets, both alike."""
    return tuple((values(*first), values(*second)) for first in sets for second in sets)


def flags(size: int, *sets: tuple[int, ...]) -> Choices:
    """Returns rows of ``size`` flags, each with ones at the places of one set."""
    return tuple(tuple(float(place in ones) for place in range(size)) for ones in sets)


def _draw(group: Group, rng: np.random.Generator) -> list[float]:
    return [value for choices in group for value in choices[rng.integers(len(choices))]]
