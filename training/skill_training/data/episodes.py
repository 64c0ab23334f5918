"""Recurrent replay: whole episodes in raw units, for an encoder to be unrolled from their start.

Shapes: ``B`` episodes of ``T`` steps, ``O`` observation, ``A`` action, ``G`` goal, ``K`` hidden
quantities (log mass, log friction), ``H`` hidden units of the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Episodes:
    """Episodes of one length, float32; there is one observation more than there are actions."""

    observation: Tensor
    """``(B, T + 1, O)``, raw."""
    action: Tensor
    """``(B, T, A)`` in [-1, 1]."""
    goal: Tensor
    """``(B, T, G)``, raw: what each action was after; it may change in mid-episode."""
    truth: Tensor
    """``(B, T + 1, K)``: log mass [kg] and log friction at each observation."""
    hidden: Tensor
    """``(B, H)`` state of the encoder before the first observation: zero, or carried from the
    episode before. A carried one is of the encoder of its time, not refreshed by a burn-in
    (Kapturowski et al. 2019, R2D2, discuss it), and its first input has previous action 0."""
    cell: Tensor
    """``(B, H)``."""
    task: Tensor
    """``(B,)`` int64; episodes of one task went through the same contexts at the same steps."""
    returns: Tensor
    """``(B,)`` sum of rewards."""
    demonstrated: Tensor
    """``(B, T)`` bool: the action is what a scripted controller wanted."""

    @property
    def previous_action(self) -> Tensor:
        """``(B, T + 1, A)``: what was done before each observation, zeros before the first.

        Shifted along time, within each episode.
        """
        first = torch.zeros_like(self.action[:, :1])
        return torch.cat((first, self.action), dim=1)

    def __len__(self) -> int:
        return len(self.task)

    def take(self, index: Tensor) -> Episodes:
        """The episodes at these places."""
        return Episodes(**{name: value[index] for name, value in self.as_dict().items()})

    def to(self, device: torch.device) -> Episodes:
        """The same on another device."""
        return Episodes(**{name: value.to(device) for name, value in self.as_dict().items()})

    def as_dict(self) -> dict[str, Tensor]:
        """Tensors by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def concatenate(*parts: Episodes) -> Episodes:
    """All episodes of all parts."""
    return Episodes(
        **{
            field.name: torch.cat([getattr(part, field.name) for part in parts])
            for field in fields(Episodes)
        }
    )


class EpisodeReplay:
    """The newest ``capacity`` episodes, demonstrations kept apart and never overwritten.

    Args:
        capacity: Most episodes held beside the demonstrations.

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
        """What scripted controllers did, where there is any."""
        return self._demonstrations

    def keep_demonstrations(self, episodes: Episodes) -> None:
        """Takes the demonstrations of a run."""
        self._demonstrations = episodes.to(self._device)

    def add(self, episodes: Episodes) -> None:
        """Appends episodes, overwriting the oldest.

        Raises:
            ValueError: more episodes than the capacity, or of other sizes than those held.
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
            n: how many.
            generator: on the CPU.
            demonstrated: how many of them are demonstrations.

        Raises:
            ValueError: there is nothing to draw from, or there are no demonstrations.
        """
        own = n - demonstrated if self._filled else 0
        parts: list[Episodes] = []
        if own:
            parts.append(self.at(torch.randint(self._filled, (own,), generator=generator)))
        if n > own:
            shown = self._demonstrations
            if shown is None:
                missing = "it has no demonstrations" if self._filled else "it is empty"
                raise ValueError(f"cannot sample {n - own} episodes from this replay: {missing}")
            index = torch.randint(len(shown), (n - own,), generator=generator)
            parts.append(shown.take(index.to(self._device)))
        return concatenate(*parts)

    def at(self, index: Tensor) -> Episodes:
        """The episodes at these places."""
        index = index.to(self._device)
        return Episodes(**{name: value[index] for name, value in self._store.items()})

    def newest(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Places, tasks and returns of up to ``count`` of the newest episodes, on the CPU."""
        count = min(count, self._filled)
        places = (self._next - 1 - torch.arange(count)) % self._capacity
        if not count:
            return places, torch.zeros(0, dtype=torch.int64), torch.zeros(0)
        on_device = places.to(self._device)
        task, returns = self._store["task"][on_device], self._store["returns"][on_device]
        return places, task.cpu(), returns.cpu()

    def state_dict(self) -> dict[str, Any]:
        """The stored episodes (copies), the place of the next one and the capacity."""
        store = {name: value[: self._filled].clone() for name, value in self._store.items()}
        shown = self._demonstrations
        return {
            "store": store,
            "demonstrations": None if shown is None else shown.as_dict(),
            "next": self._next,
            "filled": self._filled,
            "capacity": self._capacity,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what :meth:`state_dict` gave.

        Raises:
            ValueError: the state comes from a replay of another capacity.
        """
        if int(state["capacity"]) != self._capacity:
            raise ValueError(
                f"the saved replay has capacity {state['capacity']}, this one {self._capacity}"
            )
        shown = state["demonstrations"]
        if shown is not None:
            self.keep_demonstrations(Episodes(**shown))
        self._filled, self._next = int(state["filled"]), int(state["next"])
        if self._filled:
            held = Episodes(**state["store"])
            self._store = _allocate(held, self._capacity, self._device)
            for name, value in held.as_dict().items():
                self._store[name][: self._filled] = value.to(self._device)


def _allocate(like: Episodes, capacity: int, device: torch.device) -> dict[str, Tensor]:
    return {
        name: torch.zeros((capacity, *value.shape[1:]), dtype=value.dtype, device=device)
        for name, value in like.as_dict().items()
    }
