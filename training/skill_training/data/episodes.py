"""Recurrent replay: episodes in raw units, over which an encoder is unrolled.

Shapes: ``B`` episodes of ``T`` steps, ``O`` observation, ``A`` action, ``G`` goal, ``K`` hidden
quantities (on the tabletop log mass and log friction), ``H`` hidden units of the encoder.

A long episode is stored as windows: each is an entry of its own, with the encoder's state and the
action before its first observation (Kapturowski et al. 2019, R2D2, "stored state").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from skill_training.data.allocation import allocated


@dataclass(frozen=True, kw_only=True, slots=True)
class Episodes:
    """Episodes of equal length, float32, with one observation more than actions."""

    observation: Tensor
    """``(B, T + 1, O)``, raw."""
    action: Tensor
    """``(B, T, A)`` in [-1, 1]."""
    goal: Tensor
    """``(B, T, G)``, raw: the goal of each action, which may change in mid-episode."""
    truth: Tensor
    """``(B, T + 1, K)``: hidden quantities at each observation; on the tabletop log mass [kg] and
    log friction."""
    hidden: Tensor
    """``(B, H)`` hidden state of the encoder before the first observation: zero, carried over from
    the previous episode, or that within an episode for a window. A state that is not zero comes
    from the encoder at collection time and is not refreshed by a burn-in (discussed by Kapturowski
    et al. 2019, R2D2)."""
    cell: Tensor
    """``(B, H)`` cell state, likewise."""
    task: Tensor
    """``(B,)`` int64. Episodes of one task have the same contexts at the same steps."""
    returns: Tensor
    """``(B,)`` sum of rewards."""
    demonstrated: Tensor
    """``(B, T)`` bool: the step is imitated: the demonstrator chose its label."""
    before: Tensor | None = None
    """``(B, A)`` action before the first observation; None: zeros, as where an episode begins."""
    reward: Tensor | None = None
    """``(B, T)`` rewards of the world; None if the task computes rewards itself."""
    length: Tensor | None = None
    """``(B,)`` int64 number of steps that count, at least 1; the others are behind the end of an
    episode. None: all count."""
    terminal: Tensor | None = None
    """``(B,)`` bool: the last step that counts led to a state of value 0. None: none did."""
    label: Tensor | None = None
    """``(B, T, A)`` action of the demonstrator at each step. None: the demonstrator itself acted,
    and its actions are those of ``action``."""

    @property
    def previous_action(self) -> Tensor:
        """``(B, T + 1, A)``: the action before each observation."""
        first = self.before
        first = torch.zeros_like(self.action[:, 0]) if first is None else first
        return torch.cat((first[:, None], self.action), dim=1)

    @property
    def labels(self) -> Tensor:
        """``(B, T, A)``: the demonstrator's actions at the steps to imitate."""
        return self.action if self.label is None else self.label

    @property
    def encoder_inputs(self) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """The inputs of a context encoder: observations, previous actions and initial state."""
        return self.observation, self.previous_action, (self.hidden, self.cell)

    @property
    def valid(self) -> Tensor:
        """``(B, T + 1)`` bool: the observation belongs to the episode, its last one included."""
        return self.until(self.counted)

    def until(self, steps: Tensor) -> Tensor:
        """Returns ``(B, T + 1)`` bool: the first observation, and those after ``steps`` steps."""
        times = torch.arange(self.observation.shape[1], device=self.task.device)
        return times <= steps[:, None]

    @property
    def counted(self) -> Tensor:
        """``(B,)`` int64: number of steps that count."""
        if self.length is not None:
            return self.length
        return torch.full_like(self.task, self.action.shape[1])

    def __len__(self) -> int:
        return len(self.task)

    def take(self, index: Tensor) -> Episodes:
        """Returns the episodes at ``index``."""
        return Episodes(**{name: value[index] for name, value in self.as_dict().items()})

    def to(self, device: torch.device) -> Episodes:
        """Returns the episodes on another device."""
        return Episodes(**{name: value.to(device) for name, value in self.as_dict().items()})

    def as_dict(self) -> dict[str, Tensor]:
        """Returns the tensors by name, without those that are None."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if value is not None}


def concatenate(*parts: Episodes) -> Episodes:
    """Returns the episodes of all parts, in order; all parts have the same fields."""
    named = [part.as_dict() for part in parts]
    return Episodes(**{name: torch.cat([one[name] for one in named]) for name in named[0]})


class EpisodeReplay:
    """The newest ``capacity`` episodes, and separately demonstrations, which are kept forever.

    Args:
        capacity: Maximum number of episodes beside the demonstrations.
        device: Device of the stored tensors.

    Raises:
        ValueError: the capacity is not positive.
    """

    def __init__(self, capacity: int, device: torch.device | str = "cpu") -> None:
        if capacity < 1:
            raise ValueError(f"replay needs a positive capacity, got {capacity}")
        self._capacity = capacity
        self._device = torch.device(device)
        self._store: dict[str, Tensor] = {}
        self._demonstrations: Episodes | None = None
        self._next = 0
        self._filled = 0

    def __len__(self) -> int:
        return self._filled

    @property
    def demonstrations(self) -> Episodes | None:
        """Episodes of scripted controllers, or None."""
        return self._demonstrations

    def keep_demonstrations(self, episodes: Episodes) -> None:
        """Stores the demonstrations of a run."""
        self._demonstrations = episodes.to(self._device)

    def add(self, episodes: Episodes) -> None:
        """Appends episodes, and overwrites the oldest.

        Raises:
            ValueError: there are more episodes than the capacity, or their sizes differ from the
                stored ones.
        """
        count = len(episodes)
        if count > self._capacity:
            raise ValueError(f"{count} episodes do not fit a replay of {self._capacity}")
        if not self._store:
            self._store = _allocate(episodes, self._capacity, self._device)
        places = torch.arange(self._next, self._next + count) % self._capacity
        for name, value in episodes.as_dict().items():
            held = self._store[name]
            if value.shape[1:] != held.shape[1:]:
                raise ValueError(
                    f"{name} of these episodes is {tuple(value.shape[1:])}, the replay holds "
                    f"{tuple(held.shape[1:])}"
                )
            held[places] = value.to(self._device, held.dtype)
        self._next = (self._next + count) % self._capacity
        self._filled = min(self._filled + count, self._capacity)

    def sample(self, n: int, generator: torch.Generator, *, demonstrated: int = 0) -> Episodes:
        """Draws ``n`` episodes uniformly with replacement.

        Args:
            n: Number of episodes.
            generator: Generator on the CPU.
            demonstrated: Number of demonstrations among them.

        Raises:
            ValueError: the replay is empty, or there are no demonstrations.
        """
        own = n - demonstrated if self._filled else 0
        parts: list[Episodes] = []
        if own:
            parts.append(self.at(torch.randint(self._filled, (own,), generator=generator)))
        if n > own:
            demonstrations = self._demonstrations
            if demonstrations is None:
                missing = "it has no demonstrations" if self._filled else "it is empty"
                raise ValueError(f"cannot sample {n - own} episodes from this replay: {missing}")
            index = torch.randint(len(demonstrations), (n - own,), generator=generator)
            parts.append(demonstrations.take(index.to(self._device)))
        return concatenate(*parts)

    def at(self, index: Tensor) -> Episodes:
        """Returns the stored episodes at ``index``."""
        index = index.to(self._device)
        return Episodes(**{name: value[index] for name, value in self._store.items()})

    def starts(self, index: Tensor) -> Tensor:
        """Returns first observation and goal ``(E, O + G)`` of the stored episodes, on the CPU."""
        if not self._store:
            return torch.zeros(0, 0)
        index = index.to(self._device)
        parts = [self._store[name][index, 0] for name in ("observation", "goal")]
        return torch.cat(parts, dim=-1).cpu()

    def newest(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Returns indices, tasks and scores of the newest ``count`` episodes, on the CPU.

        The score is the mean reward of the steps that count, so that an episode that ends early is
        not ranked by its length.
        """
        count = min(count, self._filled)
        places = (self._next - 1 - torch.arange(count)) % self._capacity
        if not count:
            return places, torch.zeros(0, dtype=torch.int64), torch.zeros(0)
        on_device = places.to(self._device)
        task, score = self._store["task"][on_device], self._store["returns"][on_device]
        if "length" in self._store:
            score = score / self._store["length"][on_device]
        else:
            score = score / self._store["action"].shape[1]
        return places, task.cpu(), score.cpu()

    def state_dict(self) -> dict[str, Any]:
        """Returns copies of the stored episodes, the index of the next one and the capacity."""
        store = {name: value[: self._filled].clone() for name, value in self._store.items()}
        demonstrations = self._demonstrations
        return {
            "store": store,
            "demonstrations": None if demonstrations is None else demonstrations.as_dict(),
            "next": self._next,
            "filled": self._filled,
            "capacity": self._capacity,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`.

        Raises:
            ValueError: the state comes from a replay of another capacity.
        """
        if int(state["capacity"]) != self._capacity:
            raise ValueError(
                f"the saved replay has capacity {state['capacity']}, this one {self._capacity}"
            )
        demonstrations = state["demonstrations"]
        if demonstrations is not None:
            self.keep_demonstrations(Episodes(**demonstrations))
        self._filled, self._next = int(state["filled"]), int(state["next"])
        if self._filled:
            held = Episodes(**state["store"])
            self._store = _allocate(held, self._capacity, self._device)
            for name, value in held.as_dict().items():
                self._store[name][: self._filled] = value.to(self._device)


def _allocate(like: Episodes, capacity: int, device: torch.device) -> dict[str, Tensor]:
    return {
        name: allocated((capacity, *value.shape[1:]), dtype=value.dtype, device=device).zero_()
        for name, value in like.as_dict().items()
    }
