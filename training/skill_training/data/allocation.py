"""Memory of a replay, and the message if there is too little."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from skill_training.errors import ConfigError

CAPACITY = "--replay-capacity"
"""Flag that sets the size of a replay."""

OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")
"""Parts of torch's texts for memory that cannot be had."""


def allocated(
    shape: tuple[int, ...],
    *,
    device: torch.device | str,
    dtype: torch.dtype = torch.float32,
    flag: str = CAPACITY,
) -> Tensor:
    """Returns a tensor whose numbers are still to be written.

    Args:
        shape: Its shape; the first entry is the value of the flag.
        device: Its device.
        dtype: Type of its numbers.
        flag: Flag that sets the size, for the message.

    Raises:
        ConfigError: the device does not have as much memory.
    """
    try:
        return torch.empty(shape, dtype=dtype, device=device)
    except (MemoryError, OverflowError, RuntimeError, TypeError, ValueError):
        gigabytes = math.prod(shape) * dtype.itemsize / 1e9
        raise ConfigError(
            f"{flag} {shape[0]} needs {gigabytes:,.1f} GB of memory at once, which {device} does "
            "not have; lower it"
        ) from None


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an operation failed because of too little memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(part in str(error) for part in OUT_OF_MEMORY)
