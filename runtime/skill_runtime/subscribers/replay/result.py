"""The outcome of a replay."""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 1e-6
"""Largest difference of an action, whose range is -1 to 1, that counts as equal. On the machine of
the recording a replay is equal to the last bit; another processor may round differently."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A step whose action differs."""

    step: int
    """Number of the policy step."""
    time: float
    """Server time [s]."""
    index: int
    """Entry of the action with the largest difference."""
    recorded: float
    replayed: float

    @property
    def size(self) -> float:
        """The largest difference of an entry."""
        return abs(self.recorded - self.replayed)


@dataclass(kw_only=True)
class ReplayResult:
    """The outcome of a replay."""

    replayed: int = 0
    """Steps that were repeated."""
    unknown: int = 0
    """Steps that were not, because earlier steps on which they depend were not recorded."""
    lost: int = 0
    """Steps that are missing in the recording."""
    resets: int = 0
    """Resets of the policy, which forget its recurrent state and its previous action."""
    different: int = 0
    """Steps whose action differs by more than the tolerance."""
    largest: float = 0.0
    """Largest difference of an entry; NaN if one is."""
    first: Difference | None = None
    """The first of the steps that differ."""
