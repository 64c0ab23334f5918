"""The contrastive term of a gradient step: which trajectories, which loss, how much of it."""

from __future__ import annotations

from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from skill_training.context.contrastive import (
    info_nce_loss,
    pairwise_sigmoid_loss,
    return_gap_weight,
    sance_loss,
)
from skill_training.context.sampling import SAMPLINGS, Pairs, Ranked, SaCcm, SaTesac
from skill_training.data.episodes import EpisodeReplay, Episodes

TIMES = 4
"""Steps of each trajectory at which contexts are contrasted, the same in all of a batch: contexts
that know equally long are compared, and how long they know is nothing to tell them apart by."""

EARLIEST = 0.2
"""Share of an episode before which there is nothing to contrast: the hand is on its way."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ContrastiveConfig:
    """Which trajectories are contrasted, and how."""

    sampling: Literal["tesac", "ccm", "satesac", "saccm"] = "ccm"
    """tesac: none. ccm: two of one task, others' as negatives. satesac: the better against the
    worse half of one task. saccm: bad ones of all tasks against the good ones of one."""

    loss: Literal["nce", "sigmoid"] = "nce"
    """nce: InfoNCE for pairs, SaNCE's K-sample form for ranked trajectories. sigmoid: the pairwise
    form of the authors' release."""

    batch: Annotated[int, Field(ge=4)] = 32
    """Trajectories in one contrastive step, positives and negatives together."""

    pool: Annotated[int, Field(ge=4)] = 1000
    """Newest episodes to draw them from."""

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Of the term in the encoder's loss."""

    gap_coefficient: Annotated[float, Field(ge=0)] = 0.01
    """Of the return gap that weighs the sigmoid loss of ranked trajectories."""


@plain_dataclass(frozen=True, kw_only=True)
class Contrasted:
    """Trajectories drawn for one step."""

    config: ContrastiveConfig
    sample: Ranked | Pairs
    episodes: Episodes
    """Those of ``sample.episodes``, in that order."""

    @property
    def queries(self) -> Episodes:
        """Whose contexts are pulled, ``Q`` of them: the first; the others are only compared to."""
        return self.episodes.take(torch.arange(self._split))

    @property
    def keys(self) -> Episodes:
        """Whose contexts from the momentum encoder they are pulled to and pushed from, ``E``."""
        if isinstance(self.sample, Ranked):
            return self.episodes
        return self.episodes.take(torch.arange(self._split, len(self.episodes)))

    def loss(self, queries: Tensor, keys: Tensor, generator: torch.Generator) -> Tensor:
        """The loss of contexts ``(Q, T + 1, C)`` against momentum keys ``(E, T + 1, C)``."""
        last = queries.shape[1] - 1
        first = round(EARLIEST * last)
        times = torch.randint(first, last + 1, (TIMES,), generator=generator)
        terms = [self._at(queries[:, t], keys[:, t]) for t in times.tolist()]
        return torch.stack(terms).mean()

    @property
    def _split(self) -> int:
        sample = self.sample
        return len(sample.query) if isinstance(sample, Pairs) else sample.positive.numel()

    def _at(self, context: Tensor, key: Tensor) -> Tensor:
        if isinstance(self.sample, Pairs):
            return self._pairs(self.sample, context, key)
        groups, good = self.sample.positive.shape
        split = self._split
        query = context.unflatten(0, (groups, good))
        positive = key[:split].unflatten(0, (groups, good))
        negative = key[split:].unflatten(0, (groups, -1))
        if self.config.loss == "sigmoid":
            reward = self.episodes.returns / self.episodes.action.shape[1]
            gap = return_gap_weight(reward[:split], reward[split:], self.config.gap_coefficient)
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


def describe(config: ContrastiveConfig) -> str:
    """What a card says of the term, one clause."""
    if config.sampling == "tesac" or config.weight == 0:
        return "no contrastive term"
    ranked = isinstance(SAMPLINGS[config.sampling], SaTesac | SaCcm)
    loss = "pairwise sigmoids" if config.loss == "sigmoid" else "SaNCE" if ranked else "InfoNCE"
    return (
        f"contrastive term {config.sampling}, {loss}, {config.batch} trajectories, weight "
        f"{config.weight:g}"
    )


class ContrastiveTerm:
    """Draws trajectories from a replay as a method prescribes."""

    def __init__(self, config: ContrastiveConfig) -> None:
        self.config = config
        self._sampling = SAMPLINGS[config.sampling]

    def draw(self, replay: EpisodeReplay, generator: torch.Generator) -> Contrasted | None:
        """Trajectories for one step; None where the method or the replay has none."""
        if self.config.sampling == "tesac" or self.config.weight == 0:
            return None
        places, task, returns = replay.newest(self.config.pool)
        sample = self._sampling.draw(task, returns, self.config.batch, generator)
        if sample is None:
            return None
        return Contrasted(
            config=self.config, sample=sample, episodes=replay.at(places[sample.episodes])
        )
