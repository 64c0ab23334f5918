"""The contrastive term of a gradient step: choice of trajectories, loss and weight.

Differences from the SaMI release (there -> here), with the reason:
    - Weight about .004 (SaTESAC, SaCCM on Panda) and .01 (CCM) -> 1 (``weight``).
    - Loss of pairwise sigmoids -> the paper's K-sample form; ``loss`` selects it.
    - Positive key: momentum embedding of the same trajectories at all steps -> of another good
      trajectory of the group at the same step, which excludes agreement within one trajectory. The
      pairwise form keeps the release's pairs of a trajectory with itself, at the same step.
    - Weights of the returns' gap in the pairwise form: .1 in the release's MuJoCo runs -> .01
      everywhere (``gap_coefficient``). Its weighted InfoNCE is left out.
    - Negatives of CCM from one other task -> from all other tasks.
    - Positives of SaCCM drawn with replacement -> without, so that there may be fewer of them.
    - Trajectories of the whole buffer -> of the newest episodes (``pool``).

A trajectory is an entry of the replay. In ``skill-train context`` that is a window of an episode:
two windows of one episode may be a positive pair, a window is ranked by its own rewards, and
``EARLIEST`` leaves out the beginning of a window. Trajectories are ranked by their reward per step,
as in the release.
"""

from __future__ import annotations

from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from skill_training.config import Weight
from skill_training.context.advantage import advantages
from skill_training.context.contrastive import (
    info_nce_loss,
    pairwise_sigmoid_loss,
    return_gap_weight,
    sance_loss,
)
from skill_training.context.sampling import SAMPLINGS, Pairs, Ranked
from skill_training.data.episodes import EpisodeReplay, Episodes

TIMES = 4
"""Number of steps at which contexts are contrasted. The steps are the same for all trajectories of
a batch, so that the time since whole episodes began cannot distinguish contexts."""

EARLIEST = 0.2
"""Share at the beginning of a trajectory that is not contrasted: on the table the end effector
still approaches the cube then."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ContrastiveConfig:
    """Settings of the contrastive term."""

    sampling: Literal["tesac", "ccm", "satesac", "saccm", "cross"] = "ccm"
    """Method. tesac: no contrastive term. ccm: pairs of one task, with other tasks as negatives.
    satesac: the better against the worse half of one task. saccm: good trajectories of one task
    against bad ones of all tasks. cross: good trajectories of one task against its bad ones and the
    good ones of other tasks."""

    loss: Literal["nce", "sigmoid"] = "nce"
    """nce: InfoNCE for pairs, SaNCE in its K-sample form for ranked trajectories. sigmoid: the
    pairwise form of the authors' release."""

    batch: Annotated[int, Field(ge=4)] = 32
    """Number of trajectories in one contrastive step, positives and negatives together."""

    pool: Annotated[int, Field(ge=4)] = 1000
    """Number of newest trajectories from which these are drawn."""

    weight: Weight = 1.0
    """Weight of the term in the encoder's loss."""

    gap_coefficient: Annotated[float, Field(ge=0)] = 0.01
    """Factor on the return gap, which weights the sigmoid loss of ranked trajectories."""

    rank: Literal["return", "advantage"] = "return"
    """Quantity that makes a trajectory good: its return per step. advantage: that minus the part of
    it that a regression on the start and the goal explains."""

    optimizer_steps: Literal["joint", "separate"] = "joint"
    """joint: one step of the encoder on the sum of the losses. separate: as in the authors'
    release, a step on the contrastive loss and then one on the critic's, which under Adam moves
    the encoder farther than a method without contrastive term."""


@plain_dataclass(frozen=True, kw_only=True)
class Contrasted:
    """Trajectories drawn for one step."""

    config: ContrastiveConfig
    sample: Ranked | Pairs
    episodes: Episodes
    """The episodes at ``sample.episodes``, in that order."""
    ranks: Tensor
    """``(E,)`` mean reward or advantage of each, by which they are good or bad."""

    @property
    def queries(self) -> Episodes:
        """The ``Q`` episodes whose contexts get the gradient, the first ones."""
        sample = self.sample
        if isinstance(sample, Ranked):
            return self.episodes.take(sample.places[0].flatten())
        return self.episodes.take(torch.arange(len(sample.query)))

    @property
    def keys(self) -> Episodes:
        """The ``E`` episodes whose momentum contexts are positives and negatives."""
        if isinstance(self.sample, Ranked):
            return self.episodes
        return self.episodes.take(torch.arange(len(self.sample.query), len(self.episodes)))

    def loss(self, queries: Tensor, keys: Tensor, generator: torch.Generator) -> Tensor:
        """Returns the loss of contexts ``(Q, T + 1, C)`` and momentum keys ``(E, T + 1, C)``."""
        last = queries.shape[1] - 1
        first = round(EARLIEST * last)
        times = torch.randint(first, last + 1, (TIMES,), generator=generator)
        counted = self.episodes.counted
        if isinstance(self.sample, Ranked):
            of_queries, of_keys = counted[self.sample.places[0].flatten()], counted
        else:
            of_queries, of_keys = counted.split(len(self.sample.query))
        terms = [
            self._at(_until(queries, of_queries, time), _until(keys, of_keys, time))
            for time in times.tolist()
        ]
        return torch.stack(terms).mean()

    def _at(self, context: Tensor, key: Tensor) -> Tensor:
        if isinstance(self.sample, Pairs):
            return self._pairs(self.sample, context, key)
        good, bad = self.sample.places
        query = context.unflatten(0, good.shape)
        positive, negative = key[good], key[bad]
        if self.config.loss == "sigmoid":
            rank = self.ranks
            gap = return_gap_weight(rank[good], rank[bad], self.config.gap_coefficient)
            return pairwise_sigmoid_loss(query, positive, negative, gap)
        # The positive of a query is another good trajectory of its task.
        return sance_loss(query, positive.roll(1, dims=1), negative)

    def _pairs(self, sample: Pairs, context: Tensor, key: Tensor) -> Tensor:
        task = sample.task.to(context.device)
        if self.config.loss == "nce":
            return info_nce_loss(context, key, task)
        terms = [
            pairwise_sigmoid_loss(context[None, mine], key[None, mine], key[None, ~mine])
            for mine in (task == name for name in task.unique())
        ]
        return torch.stack(terms).mean()


def _until(contexts: Tensor, counted: Tensor, time: int) -> Tensor:
    """Returns the contexts ``(E, C)`` at a time, or at the end of an episode that ends earlier."""
    rows = torch.arange(len(contexts), device=contexts.device)
    return contexts[rows, counted.clamp_max(time)]


def describe(config: ContrastiveConfig) -> str:
    """Returns a description of the term for a card, one clause."""
    if config.sampling == "tesac" or config.weight == 0:
        return "no contrastive term"
    ranked = config.sampling in ("satesac", "saccm", "cross")
    loss = "pairwise sigmoids" if config.loss == "sigmoid" else "SaNCE" if ranked else "InfoNCE"
    return (
        f"contrastive term {config.sampling}, {loss}, {config.batch} trajectories, weight "
        f"{config.weight:g}"
    )


class ContrastiveTerm:
    """Draws trajectories from a replay with the sampling of a method."""

    def __init__(self, config: ContrastiveConfig) -> None:
        self.config = config
        self._sampling = SAMPLINGS[config.sampling]

    def draw(self, replay: EpisodeReplay, generator: torch.Generator) -> Contrasted | None:
        """Returns trajectories for one step, or None if the method or the replay has none."""
        if self.config.sampling == "tesac" or self.config.weight == 0:
            return None
        places, task, scores = replay.newest(self.config.pool)
        if self.config.rank == "advantage":
            scores = advantages(replay.starts(places), scores)
        sample = self._sampling.draw(task, scores, self.config.batch, generator)
        if sample is None:
            return None
        episodes = replay.at(places[sample.episodes])
        ranks = scores[sample.episodes].to(episodes.returns.device)
        return Contrasted(config=self.config, sample=sample, episodes=episodes, ranks=ranks)
