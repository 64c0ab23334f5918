"""Lipschitz-constrained skill discovery (LSD), a baseline.

Park, Choi, Kim, Lee, Kim, "Lipschitz-constrained Unsupervised Skill Discovery", ICLR 2022.

As METRA, with another constraint: phi may not step further than the state does, |d| <= |s' - s|.

Differences from the paper, with the reason:
    - Spectral normalisation of phi's layers -> METRA's dual variable on the same inequality, as in
      METRA's public code, so that phi can have every form.
    - Distance of raw states -> of the entries that phi sees, as phi's input is scaled: raw states
      have different units.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from skill_training.algorithms.metra import Metra, MetraConfig
from skill_training.data.replay import Batch
from skill_training.nets.representation import StateRepresentation


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class LsdConfig(MetraConfig):
    """Settings of LSD."""

    name: ClassVar[str] = "lsd"


class Lsd(Metra):
    """METRA's algorithm with the distance of states in place of that of time."""

    representation: StateRepresentation

    def squared_distance(self, batch: Batch) -> Tensor:
        """|s' - s|^2 of phi's scaled inputs, ``(n,)``."""
        _, change = self.representation.scaled_change(batch.observation, batch.next_observation)
        return change.square().sum(-1)
