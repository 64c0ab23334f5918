"""Frames in memory, as bytes: the newest ones, by their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skill_training.data.allocation import allocated


class FrameStore:
    """A ring of frames. Each frame has a number, from 0 in the order of arrival.

    A frame that belongs to two transitions, or to several stacks, is stored once.

    Args:
        capacity: Number of frames that are kept.
        size: Height and width of a frame [pixel].
        device: Device of the memory.
        flag: Flag that sets the capacity, for messages.

    Raises:
        ConfigError: the frames do not fit into the memory.
    """

    def __init__(
        self,
        capacity: int,
        size: int,
        device: torch.device | str = "cpu",
        *,
        flag: str = "a capacity of frames of",
    ) -> None:
        shape = (capacity, size, size, 3)
        self._frames = allocated(shape, dtype=torch.uint8, device=device, flag=flag)
        self._end = 0

    @property
    def capacity(self) -> int:
        """Number of frames that are kept."""
        return len(self._frames)

    @property
    def first(self) -> int:
        """Number of the oldest frame that is kept."""
        return max(0, self._end - self.capacity)

    def add(self, frames: NDArray[np.uint8]) -> Tensor:
        """Stores frames ``(n, size, size, 3)``, overwrites the oldest and returns the numbers.

        Raises:
            ValueError: there are more frames than the capacity.
        """
        count = len(frames)
        if count > self.capacity:
            raise ValueError(f"cannot store {count} frames; the capacity is {self.capacity}")
        numbers = torch.arange(self._end, self._end + count)
        places = (numbers % self.capacity).to(self._frames.device)
        self._frames[places] = torch.from_numpy(frames).to(self._frames.device)
        self._end += count
        return numbers

    def stacks(self, numbers: Tensor) -> Tensor:
        """Returns the frames ``(n, s)`` as stacks ``(n, 3 s, size, size)``, oldest first."""
        frames = self._frames[(numbers % self.capacity).to(self._frames.device)]
        return frames.permute(0, 1, 4, 2, 3).flatten(1, 2)

    def state_dict(self) -> dict[str, Any]:
        """Returns a copy of the frames, oldest first, and the number of the next one."""
        order = torch.arange(self.first, self._end) % self.capacity
        return {"frames": self._frames[order.to(self._frames.device)], "end": self._end}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`.

        Raises:
            ValueError: the frames have another size, or there are more than the capacity.
        """
        frames: Tensor = state["frames"]
        if frames.shape[1:] != self._frames.shape[1:] or len(frames) > self.capacity:
            raise ValueError(
                f"the saved replay has {len(frames)} frames of {tuple(frames.shape[1:])}, this one "
                f"holds {self.capacity} of {tuple(self._frames.shape[1:])}"
            )
        self._end = int(state["end"])
        numbers = torch.arange(self._end - len(frames), self._end)
        places = (numbers % self.capacity).to(self._frames.device)
        self._frames[places] = frames.to(self._frames.device)
