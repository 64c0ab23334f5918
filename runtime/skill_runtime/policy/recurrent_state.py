"""Memory: the recurrent state of every slot, kept no older than training has seen.

Serving lasts hours where training unrolled a policy for seconds. So beside the state that acts a
successor grows up, begun half a horizon later, and takes over when the first has reached the
horizon (``beyond_horizon`` 'stagger'). The state that acts is then always between half and one
horizon old, but for the first half horizon of an episode. Both are rows of one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skill_proto.manifest import RecurrentState

Slots = NDArray[np.intp]
Tensors = dict[str, NDArray[np.float32]]

ACTING, SUCCESSOR = 0, 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Recall:
    """What one inference is fed from memory."""

    slots: Slots
    """``(n,)``: the slots that step."""
    with_successor: Slots
    """``(m,)``: of these, by position, those that have a successor."""
    states: Tensors
    """``(n + m, ...)`` by name: the acting states, then the successors."""

    def with_rows_for_successors(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(n, ...)`` made ``(n + m, ...)``: a successor sees what the acting state sees."""
        if not len(self.with_successor):
            return tensor
        return np.concatenate([tensor, tensor[self.with_successor]])


class RecurrentStates:
    """Recurrent states, two per slot.

    Args:
        states: of the manifest; none gives a memory that holds nothing.
        slots: streams that are kept apart.
    """

    def __init__(self, states: Sequence[RecurrentState], slots: int) -> None:
        self._horizon = min((state.trained_horizon_steps for state in states), default=1)
        self._half = self._horizon - self._horizon // 2
        self._staggers = any(state.beyond_horizon == "stagger" for state in states)
        self._states: Tensors = {
            state.name: np.zeros((2, slots, *state.shape), np.float32) for state in states
        }
        self._age = np.zeros(slots, np.int64)

    @property
    def age(self) -> NDArray[np.int64]:
        """``(slots,)`` steps that the acting state has seen; a copy."""
        return self._age.copy()

    def is_settled(self, slots: Slots) -> NDArray[np.bool_]:
        """``(n,)``: whether the acting state of each slot is half a horizon old, or older.

        After the first half horizon of an episode it stays so.
        """
        return self._age[slots] >= self._horizon // 2

    def forget(self, slots: Slots | int) -> None:
        """Starts anew in these slots."""
        for array in self._states.values():
            array[:, slots] = 0.0
        self._age[slots] = 0

    def recall(self, slots: Slots) -> Recall:
        """What to feed for the next step of ``slots`` ``(n,)``, each named once."""
        grown = slots[:0]
        if self._staggers:
            grown = np.flatnonzero(self._age[slots] >= self._half)
        states = {name: array[ACTING, slots] for name, array in self._states.items()}
        if len(grown):
            successors = slots[grown]
            states = {
                name: np.concatenate([rows, self._states[name][SUCCESSOR, successors]])
                for name, rows in states.items()
            }
        return Recall(slots=slots, with_successor=grown, states=states)

    def keep(self, recall: Recall, outputs: Tensors) -> NDArray[np.bool_]:
        """Stores what came out of that step, ``(n + m, ...)`` as ``next_<name>``.

        A state that has reached the horizon gives way to its successor.

        Returns:
            ``(n,)``: whether all that is stored of a slot are finite numbers.
        """
        slots, n = recall.slots, len(recall.slots)
        finite = np.ones(n, np.bool_)
        for name, array in self._states.items():
            new = outputs[f"next_{name}"]
            array[ACTING, slots] = new[:n]
            if len(new) > n:
                array[SUCCESSOR, slots[recall.with_successor]] = new[n:]
            if not np.isfinite(new).all():
                row_finite = np.logical_and.reduce(np.isfinite(new.reshape(len(new), -1)), axis=1)
                finite &= row_finite[:n]
                finite[recall.with_successor] &= row_finite[n:]
        self._age[slots] += 1
        if self._staggers:
            self._replace(slots[self._age[slots] >= self._horizon])
        return finite

    def _replace(self, slots: Slots) -> None:
        if not len(slots):
            return
        for array in self._states.values():
            array[ACTING, slots] = array[SUCCESSOR, slots]
            array[SUCCESSOR, slots] = 0.0
        # The successor was begun at age `half` of the one that it follows.
        self._age[slots] -= self._half
