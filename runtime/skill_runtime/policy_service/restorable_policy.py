"""A policy whose steps can be undone, so that a refused request has no effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Float32Array, Ids
from skill_runtime.policy import OnnxPolicy
from skill_runtime.policy.recurrent_state import RecurrentStates, Slots, Tensors


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedStates:
    """A copy of the recurrent states of some slots."""

    states: Tensors
    """``(2, n, ...)`` by name: active and standby states."""
    age: Ids
    """``(n,)``."""


class RestorableStates(RecurrentStates):
    """Recurrent states that can be copied and set back."""

    def save(self, slots: Slots) -> SavedStates:
        """Returns a copy of the states of ``slots`` ``(n,)``."""
        states = {name: array[:, slots] for name, array in self._states.items()}
        return SavedStates(states=states, age=self._age[slots])

    def restore(self, slots: Slots, saved: SavedStates, rows: slice) -> None:
        """Sets ``slots`` back to the given rows of a copy."""
        for name, array in saved.states.items():
            self._states[name][:, slots] = array[:, rows]
        self._age[slots] = saved.age[rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedSlots:
    """A copy of all that a policy keeps for some slots."""

    slots: Slots
    """``(n,)``."""
    previous_action: Float32Array
    """``(n, A)``."""
    recurrent: SavedStates


class RestorablePolicy(OnnxPolicy):
    """A policy file whose slots can be copied and set back."""

    def reset(self, n: int) -> None:
        """Starts ``n`` new episodes in ``n`` slots."""
        super().reset(n)
        self._states: RestorableStates = RestorableStates(self.manifest.recurrent, n)

    def save(self, slots: Sequence[int]) -> SavedSlots:
        """Returns a copy of recurrent state and previous action of ``slots``, each named once."""
        index = np.asarray(slots, np.intp)
        return SavedSlots(
            slots=index,
            previous_action=self._inputs["previous_action"][index],
            recurrent=self._states.save(index),
        )

    def restore(self, saved: SavedSlots, rows: slice) -> None:
        """Sets the slots of the given rows of a copy back."""
        slots = saved.slots[rows]
        self._inputs["previous_action"][slots] = saved.previous_action[rows]
        self._states.restore(slots, saved.recurrent, rows)
