"""How networks see an observation: its normalisation, and the entries that phi sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class FrameScale:
    """Statistics of frames under random actions, ``(size size 3)`` values, row by row."""

    mean: tuple[float, ...]
    change: tuple[float, ...]
    """Standard deviations of the changes in one control step, all positive."""

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> Self:
        """Returns the statistics of ``asdict``."""
        return cls(mean=tuple(state["mean"]), change=tuple(state["change"]))


@dataclass(frozen=True, kw_only=True)
class NetworkInputs:
    """Numbers that are fixed before the first gradient step, and stored with the networks."""

    scale: tuple[float, ...]
    """``(O,)`` magnitudes by which actor and critic divide, all positive."""
    offset: tuple[float, ...] | None = None
    """``(O,)`` values that actor and critic subtract first; None for zeros."""
    seen: tuple[int, ...]
    """Places of the ``k`` entries that the representation sees, in order."""
    seen_scale: tuple[float, ...]
    """``(k,)`` magnitudes by which the representation divides them, all positive."""
    seen_offset: tuple[float, ...] | None = None
    """``(k,)`` values that the representation subtracts first; None for zeros."""
    frame: FrameScale | None = None
    """Offset and magnitudes of frames, for a representation that sees frames and divides them by
    their change."""

    @property
    def size(self) -> int:
        """Length O of the observation."""
        return len(self.scale)

    def state_dict(self) -> dict[str, Any]:
        """Returns the numbers as plain containers."""
        return asdict(self)

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> Self:
        """Returns the inputs of :meth:`state_dict`."""
        offset, seen_offset = state["offset"], state.get("seen_offset")
        frame = state.get("frame")
        return cls(
            scale=tuple(state["scale"]),
            offset=None if offset is None else tuple(offset),
            seen=tuple(state["seen"]),
            seen_scale=tuple(state["seen_scale"]),
            seen_offset=None if seen_offset is None else tuple(seen_offset),
            frame=None if frame is None else FrameScale.from_state_dict(frame),
        )
