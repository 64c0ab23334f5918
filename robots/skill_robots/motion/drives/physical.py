"""From an action in [-1, 1] to physical values, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import ActionPart


class PhysicalAction:
    """One part of an action vector.

    Args:
        part: as the manifest declares it.
        start: first entry of the part in the action vector.
    """

    def __init__(self, part: ActionPart, start: int) -> None:
        self.name = part.name
        self.slice = slice(start, start + part.size)
        self._scale = np.broadcast_to(np.asarray(part.scale, np.float64), (part.size,))
        self._offset = np.broadcast_to(np.asarray(part.offset, np.float64), (part.size,))

    def value(self, action: Array) -> Array:
        """Returns the physical values ``(size,)`` of a whole action ``(A,)``."""
        own = np.minimum(np.maximum(action[self.slice], -1.0), 1.0)
        return self._offset + self._scale * own

    def action(self, value: Array) -> Array:
        """Returns the part ``(size,)`` in [-1, 1] that names physical values ``(size,)``."""
        return np.clip((value - self._offset) / self._scale, -1.0, 1.0)


def parts_of(action: Sequence[ActionPart]) -> dict[str, PhysicalAction]:
    """Returns the parts of an action by name."""
    found: dict[str, PhysicalAction] = {}
    start = 0
    for part in action:
        found[part.name] = PhysicalAction(part, start)
        start += part.size
    return found
