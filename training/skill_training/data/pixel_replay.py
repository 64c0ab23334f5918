"""Replay of transitions with frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skill_training.data.frame_store import FrameStore
from skill_training.data.replay import Batch, Flags, ReplayBuffer, Rows


class PixelReplay:
    """The newest transitions whose frames are still kept, sampled uniformly.

    Args:
        rows: Replay of observations, actions and skills.
        frames: The frames.
        stack: Number of frames that the representation sees together.
    """

    def __init__(self, rows: ReplayBuffer, frames: FrameStore, *, stack: int) -> None:
        self.frames = frames
        self._rows = rows
        self._numbers = torch.zeros(rows.capacity, 2, stack, dtype=torch.int64)
        """Numbers of the frames of each transition, before and after it."""
        self._first = self._end = 0
        """Counters of the oldest usable transition and of the next one."""

    def __len__(self) -> int:
        return self._end - self._first

    def add_frames(self, frames: NDArray[np.uint8]) -> Tensor:
        """Stores frames, drops the transitions whose frames they overwrite, returns their numbers.

        Args:
            frames: ``(n, size, size, 3)``.

        Raises:
            ValueError: there are more frames than the capacity.
        """
        numbers = self.frames.add(frames)
        self._forget()
        return numbers

    def add(
        self,
        observation: Rows,
        action: Rows,
        next_observation: Rows,
        skill: Rows,
        terminal: Rows | Flags | None = None,
        frames: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        """Appends ``n`` transitions and overwrites the oldest.

        Args:
            observation: This and the following as in :class:`Batch`.
            action: See there.
            next_observation: See there.
            skill: See there.
            terminal: See there.
            frames: Numbers of the frames before and after, each ``(n, stack)``.

        Raises:
            ValueError: the numbers are missing, a width is wrong, or there are too many rows.
        """
        if frames is None:
            raise ValueError("a replay of frames needs the numbers of the frames")
        before, after = frames
        self._rows.add(observation, action, next_observation, skill, terminal)
        places = self._places(self._end, self._end + len(before))
        self._numbers[places] = torch.stack((before, after), dim=1)
        self._end += len(before)
        self._forget()

    def sample(self, n: int, generator: torch.Generator) -> Batch:
        """Draws ``n`` transitions with replacement.

        Args:
            n: Size of the batch.
            generator: Generator on the device of the rows.

        Raises:
            ValueError: no transition is usable.
        """
        if not len(self):
            raise ValueError("cannot sample from an empty replay buffer")
        drawn = torch.randint(len(self), (n,), generator=generator, device=generator.device)
        places = (self._first + drawn) % self._rows.capacity
        numbers = self._numbers[places.cpu()]
        return replace(
            self._rows.at(places),
            frames=self.frames.stacks(numbers[:, 0]),
            next_frames=self.frames.stacks(numbers[:, 1]),
        )

    def state_dict(self) -> dict[str, Any]:
        """Returns a copy of transitions and frames."""
        return {
            "rows": self._rows.state_dict(),
            "numbers": self._numbers[: len(self._rows)].clone(),
            "frames": self.frames.state_dict(),
            "first": self._first,
            "end": self._end,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`.

        Raises:
            ValueError: the state comes from a replay of another capacity, width or frame size.
        """
        self._rows.load_state_dict(state["rows"])
        self.frames.load_state_dict(state["frames"])
        numbers: Tensor = state["numbers"]
        self._numbers[: len(numbers)] = numbers.cpu()
        self._first, self._end = int(state["first"]), int(state["end"])

    def _places(self, first: int, end: int) -> Tensor:
        return torch.arange(first, end) % self._rows.capacity

    def _forget(self) -> None:
        """Drops the oldest transitions until none needs a frame that was overwritten."""
        self._first = max(self._first, self._end - self._rows.capacity)
        oldest = self._numbers[self._places(self._first, self._end), 0, 0]
        lost = (oldest < self.frames.first).nonzero()
        if len(lost):
            self._first += int(lost.max()) + 1
