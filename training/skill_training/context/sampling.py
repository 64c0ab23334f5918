"""Sampling of contrasted trajectories, one class per published method.

A task is a set of episodes in one context. All samplings return indices into a pool of episodes
with known tasks and returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Groups of good and bad trajectories, for :func:`~.contrastive.sance_loss`."""

    positive: Tensor
    """``(M, P)`` indices of episodes."""
    negative: Tensor
    """``(M, Q)``; groups may share episodes."""

    @property
    def episodes(self) -> Tensor:
        """All indices in one vector, each once, positives first."""
        named, first, _ = self._distinct
        return named[first.argsort()]

    @cached_property
    def places(self) -> tuple[Tensor, Tensor]:
        """Places of ``positive`` and ``negative`` in :attr:`episodes`, in their shapes."""
        _, first, inverse = self._distinct
        places = first.argsort().argsort()[inverse]
        split = self.positive.numel()
        return places[:split].view_as(self.positive), places[split:].view_as(self.negative)

    @cached_property
    def _distinct(self) -> tuple[Tensor, Tensor, Tensor]:
        """Returns different indices, place of the first use of each, and the index of each use."""
        used = torch.cat((self.positive.flatten(), self.negative.flatten()))
        named, inverse = used.unique(return_inverse=True)
        first = torch.full_like(named, len(used))
        first.scatter_reduce_(0, inverse, torch.arange(len(used)), "amin")
        return named, first, inverse


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Two trajectories each of many tasks, for :func:`~.contrastive.info_nce_loss`."""

    query: Tensor
    """``(N,)`` indices of episodes."""
    key: Tensor
    """``(N,)`` other episodes of the same tasks."""
    task: Tensor
    """``(N,)``."""

    @property
    def episodes(self) -> Tensor:
        """All indices in one vector, queries first."""
        return torch.cat((self.query, self.key))


class Sampling(Protocol):
    """Draws the trajectories of one contrastive step."""

    def draw(
        self, task: Tensor, returns: Tensor, size: int, generator: torch.Generator
    ) -> Ranked | Pairs | None:
        """Draws about ``size`` trajectories.

        Args:
            task: ``(E,)`` task of each episode in the pool.
            returns: ``(E,)`` return of each episode in the pool.
            size: Number of trajectories, positives and negatives together.
            generator: Generator on the CPU, as are all indices.

        Returns:
            The trajectories, or None if the pool does not hold enough of them yet.
        """
        ...


class Tesac:
    """TESAC: no contrastive term."""

    def draw(self, task: Tensor, returns: Tensor, size: int, generator: torch.Generator) -> None:
        """Returns None."""


class Ccm:
    """CCM: pairs of trajectories of the same task, with the other tasks as negatives.

    Returns are not used. The release takes one other task as negative; here every other task in the
    batch is negative, as InfoNCE states.
    """

    def draw(
        self, task: Tensor, returns: Tensor, size: int, generator: torch.Generator
    ) -> Pairs | None:
        """Draws ``size / 2`` pairs; tasks are drawn in proportion to their episodes."""
        del returns
        order = torch.randperm(len(task), generator=generator)
        order = order[torch.sort(task[order], stable=True).indices]
        # Neighbours of the same task in the shuffled order are a random pair of that task.
        first, second = order[:-1:2], order[1::2]
        paired = task[first] == task[second]
        first, second = first[paired], second[paired]
        chosen = torch.randperm(len(first), generator=generator)[: size // 2]
        tasks = task[first[chosen]]
        if len(tasks.unique()) < 2:
            return None
        return Pairs(query=first[chosen], key=second[chosen], task=tasks)


class SaTesac:
    """SaTESAC (SaSAC in the release): the better against the worse half of one task.

    If tasks have few episodes each, the batch consists of groups from several tasks. Trajectories
    of different tasks are never contrasted.
    """

    def draw(
        self, task: Tensor, returns: Tensor, size: int, generator: torch.Generator
    ) -> Ranked | None:
        """Draws groups of equal size, each from one task, with ``size`` trajectories in total."""
        per_task = min(size, _typical_count(task)) // 2 * 2
        names, counts = task.unique(return_counts=True)
        names = names[counts >= per_task]
        if per_task < 4 or len(names) == 0:
            return None
        groups = max(1, size // per_task)
        chosen = names[torch.randint(len(names), (groups,), generator=generator)]
        good, bad = _halves(task, returns, chosen, per_task, generator)
        return Ranked(positive=good, negative=bad)


class Cross:
    """Good trajectories of one task against its bad ones and the good ones of other tasks.

    The bad ones of the task tell good from bad behaviour, those of other tasks tell the tasks
    apart. A batch has as many tasks as possible, with four trajectories or more of each.
    """

    PER_TASK = 4

    def draw(
        self, task: Tensor, returns: Tensor, size: int, generator: torch.Generator
    ) -> Ranked | None:
        """Draws groups of different tasks, with ``size`` different trajectories in total."""
        names, counts = task.unique(return_counts=True)
        names, counts = names[counts >= self.PER_TASK], counts[counts >= self.PER_TASK]
        groups = min(len(names), size // self.PER_TASK)
        if groups < 2:
            return None
        chosen = names[torch.randperm(len(names), generator=generator)[:groups]]
        most = min(size // groups, int(counts.min())) // 2 * 2
        per_task = max(self.PER_TASK, most)
        good, bad = _halves(task, returns, chosen, per_task, generator)
        other = ~torch.eye(groups, dtype=torch.bool)
        others = good.expand(groups, *good.shape)[other].view(groups, -1)
        return Ranked(positive=good, negative=torch.cat((bad, others), dim=1))


class SaCcm:
    """SaCCM: bad trajectories of all tasks against good ones of one task.

    ``size`` trajectories over all tasks are ranked, and the lower half are negatives. The positives
    are trajectories of one random task that are better than the best negative. Only tasks with at
    least two such trajectories are drawn. If there is no such task, the step has no contrastive
    term (the release stops with an index error).
    """

    def draw(
        self, task: Tensor, returns: Tensor, size: int, generator: torch.Generator
    ) -> Ranked | None:
        """Draws one group of ``size / 2`` negatives and at most as many positives."""
        if len(task) < size or size < 4:
            return None
        drawn = torch.randperm(len(task), generator=generator)[:size]
        negative = drawn[returns[drawn].argsort()][: size // 2]
        good = returns > returns[negative].max()
        names, counts = task[good].unique(return_counts=True)
        names = names[counts >= 2]
        if len(names) == 0:
            return None
        name = names[torch.randint(len(names), (1,), generator=generator)]
        candidates = torch.nonzero(good & (task == name)).squeeze(-1)
        count = min(size // 2, len(candidates))
        positive = candidates[torch.randperm(len(candidates), generator=generator)[:count]]
        return Ranked(positive=positive[None], negative=negative[None])


SAMPLINGS: dict[str, Sampling] = {
    "tesac": Tesac(),
    "ccm": Ccm(),
    "satesac": SaTesac(),
    "saccm": SaCcm(),
    "cross": Cross(),
}
"""Every sampling by the name of its method."""


def _typical_count(task: Tensor) -> int:
    """Returns the median number of episodes per task."""
    return int(task.unique(return_counts=True)[1].median())


def _halves(
    task: Tensor, returns: Tensor, names: Tensor, per_task: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draws trajectories of each task.

    Returns:
        The better and the worse half of each, ``(M, per_task / 2)`` indices each.
    """
    rows = torch.stack([_draw(task == name, per_task, generator) for name in names.tolist()])
    rows = rows.gather(1, returns[rows].argsort(dim=1, descending=True))
    half = per_task // 2
    return rows[:, :half], rows[:, half:]


def _draw(member: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draws ``(count,)`` different indices at which ``member`` is true."""
    indices = torch.nonzero(member).squeeze(-1)
    return indices[torch.randperm(len(indices), generator=generator)[:count]]
