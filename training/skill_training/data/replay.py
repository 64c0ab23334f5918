"""Replay: a ring buffer of transitions in raw units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skill_training.data.allocation import allocated
from skill_training.data.unusual import UnusualRows

Flags = NDArray[np.bool_]
Rows = Tensor | NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Transitions, float32. A time limit is not an end of the task, and so no terminal."""

    observation: Tensor
    """``(n, O)``, raw."""
    action: Tensor
    """``(n, A)`` in [-1, 1]."""
    next_observation: Tensor
    """``(n, O)``, raw."""
    skill: Tensor
    """``(n, Z)``, constant over an episode."""
    terminal: Tensor | None = None
    """``(n,)``: 1 where the task ended in the next state, else 0; None if it never does."""
    frames: Tensor | None = None
    """``(n, 3 stack, size, size)`` uint8, for a representation that sees frames."""
    next_frames: Tensor | None = None
    """The frames of the next state, in the same form."""

    @property
    def seen(self) -> tuple[Tensor, Tensor]:
        """Returns the representation's inputs, before and after: frames, else observations."""
        if self.frames is None or self.next_frames is None:
            return self.observation, self.next_observation
        return self.frames, self.next_frames

    def continued(self, values: Tensor) -> Tensor:
        """Returns the values ``(n,)`` or ``(n, Z)`` of the next states: 0 after a terminal."""
        if self.terminal is None:
            return values
        going_on = 1.0 - self.terminal
        return values * (going_on if values.ndim == 1 else going_on[:, None])


class ReplayBuffer:
    """The newest ``capacity`` transitions, sampled uniformly, or in part from unusual ones.

    Each transition is one row of one tensor, so that a sample is a single gather.

    Args:
        capacity: Maximum number of transitions.
        observation_size: O.
        action_size: A.
        skill_size: Z.
        terminals: Whether transitions have terminals.
        unusual: Finds unusual transitions; needed for ``unusual_share``.
        unusual_share: Share of each batch that is drawn from unusual transitions, if there are any.
        device: Device of the tensor.

    Raises:
        ValueError: the capacity or a size is not positive.
        ConfigError: the transitions do not fit into the memory.
    """

    def __init__(
        self,
        capacity: int,
        *,
        observation_size: int,
        action_size: int,
        skill_size: int,
        terminals: bool = False,
        unusual: UnusualRows | None = None,
        unusual_share: float = 0.0,
        device: torch.device | str = "cpu",
    ) -> None:
        self._sizes = [observation_size, action_size, observation_size, skill_size]
        self._sizes += [1] if terminals else []
        if capacity < 1 or min(self._sizes) < 1:
            raise ValueError(
                f"replay needs a positive capacity and sizes, got capacity {capacity}, "
                f"observation {observation_size}, action {action_size}, skill {skill_size}"
            )
        self._rows = allocated((capacity, sum(self._sizes)), device=device)
        self._next = 0
        self._filled = 0
        self._unusual = unusual
        self._unusual_share = unusual_share if unusual is not None else 0.0

    def __len__(self) -> int:
        return self._filled

    @property
    def capacity(self) -> int:
        """Maximum number of transitions."""
        return len(self._rows)

    def add(
        self,
        observation: Rows,
        action: Rows,
        next_observation: Rows,
        skill: Rows,
        terminal: Rows | Flags | None = None,
    ) -> None:
        """Appends ``n`` transitions and overwrites the oldest; arguments as in :class:`Batch`.

        Raises:
            ValueError: a width is wrong, or more rows than the capacity are given.
        """
        parts = [
            torch.as_tensor(part, dtype=torch.float32, device=self._rows.device)
            for part in (observation, action, next_observation, skill)
        ]
        if terminal is not None:
            flags = torch.as_tensor(terminal, dtype=torch.float32, device=self._rows.device)
            parts.append(flags[:, None])
        widths = [part.shape[-1] for part in parts]
        count = len(parts[0])
        if widths != self._sizes or count > self.capacity:
            raise ValueError(
                f"cannot store {count} transitions of widths {widths}; the buffer holds "
                f"{self.capacity} of widths {self._sizes}"
            )
        places = torch.arange(self._next, self._next + count, device=self._rows.device)
        self._rows[places % self.capacity] = torch.cat(parts, dim=-1)
        if self._unusual is not None:
            self._unusual.note(places % self.capacity, parts[0], parts[2])
        self._next = (self._next + count) % self.capacity
        self._filled = min(self._filled + count, self.capacity)

    def sample(self, n: int, generator: torch.Generator) -> Batch:
        """Draws ``n`` transitions with replacement.

        Args:
            n: Size of the batch.
            generator: Generator on the buffer's device.

        Raises:
            ValueError: the buffer is empty.
        """
        if not self._filled:
            raise ValueError("cannot sample from an empty replay buffer")
        index = torch.randint(self._filled, (n,), generator=generator, device=self._rows.device)
        special = round(n * self._unusual_share)
        if special and self._unusual is not None and len(self._unusual):
            index[:special] = self._unusual.sample(special, generator)
        return self.at(index)

    def at(self, places: Tensor) -> Batch:
        """Returns the transitions at ``places`` ``(n,)`` of the ring."""
        parts = self._rows[places].split(self._sizes, dim=-1)
        return Batch(
            observation=parts[0],
            action=parts[1],
            next_observation=parts[2],
            skill=parts[3],
            terminal=parts[4][:, 0] if len(parts) > 4 else None,
        )

    def state_dict(self) -> dict[str, Any]:
        """Returns a copy of the transitions, the index of the next one and the capacity."""
        rows = self._rows[: self._filled].clone()
        state: dict[str, Any] = {"rows": rows, "next": self._next, "capacity": self.capacity}
        if self._unusual is not None:
            state["unusual"] = self._unusual.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`.

        Raises:
            ValueError: the state comes from a buffer of another width or capacity.
        """
        rows: Tensor = state["rows"]
        saved = (int(state["capacity"]), rows.shape[-1])
        own = (self.capacity, self._rows.shape[-1])
        if saved != own:
            raise ValueError(
                f"the saved replay has capacity and row width {saved}, this buffer has {own}"
            )
        self._rows[: len(rows)] = rows.to(self._rows.device)
        self._filled = len(rows)
        self._next = int(state["next"]) % self.capacity
        if self._unusual is not None:
            self._unusual.load_state_dict(state["unusual"])
