"""Recurrent states of a policy, per slot, never older than training has unrolled them.

Training unrolls the network for seconds, but serving runs for hours. With ``beyond_horizon``
'stagger', a second (standby) state therefore starts half a horizon after the active one, and
replaces it when the active one reaches the trained horizon. After the first half horizon of an
episode the active state is always between half and one horizon old. Both states are rows of one
batch.

Only a step that changes a state makes it older than half a horizon. A graph may keep its states
while its policy stands at a goal; otherwise a standby state that has seen nothing would replace the
active one there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skill_proto.arrays import Flags, Float32Array, Ids
from skill_proto.manifest import RecurrentState

Slots = NDArray[np.intp]
"""Indices of slots."""

Tensors = dict[str, Float32Array]

ACTIVE, STANDBY = 0, 1


@dataclass(frozen=True, kw_only=True, slots=True)
class GatheredStates:
    """The recurrent inputs of one inference."""

    slots: Slots
    """``(n,)`` slots that step."""
    with_standby: Slots
    """``(m,)`` positions in ``slots`` of those that have a standby state."""
    states: Tensors
    """``(n + m, ...)`` by name: the active states, then the standby states."""

    def with_standby_rows(self, tensor: Float32Array) -> Float32Array:
        """Extends ``(n, ...)`` to ``(n + m, ...)``: a standby state gets its active state's row."""
        if not len(self.with_standby):
            return tensor
        return np.concatenate([tensor, tensor[self.with_standby]])


def changed_rows(new: Float32Array, old: Float32Array) -> Flags:
    """Returns ``(n,)``: whether a row of ``(n, ...)`` differs from the old one."""
    return np.logical_or.reduce(new != old, axis=tuple(range(1, new.ndim)))


class RecurrentStates:
    """Recurrent states, two per slot.

    Args:
        states: The manifest's recurrent states; empty for a policy without any.
        slots: Number of streams that are kept apart.
    """

    def __init__(self, states: Sequence[RecurrentState], slots: int) -> None:
        self._horizon = min((state.trained_horizon_steps for state in states), default=1)
        self._half = self._horizon - self._horizon // 2
        self._staggered = any(state.beyond_horizon == "stagger" for state in states)
        self._states: Tensors = {
            state.name: np.zeros((2, slots, *state.shape), np.float32) for state in states
        }
        self._age = np.zeros(slots, np.int64)

    @property
    def age(self) -> Ids:
        """``(slots,)`` steps of the active states, as counted for the horizon; a copy."""
        return self._age.copy()

    def is_warm(self, slots: Slots) -> Flags:
        """Returns ``(n,)``: whether the active state is at least half a horizon old.

        This stays true after the first half horizon of an episode.
        """
        return self._age[slots] >= self._horizon // 2

    def reset(self, slots: Slots | int) -> None:
        """Sets active and standby states of these slots to zero."""
        for array in self._states.values():
            array[:, slots] = 0.0
        self._age[slots] = 0

    def gather(self, slots: Slots) -> GatheredStates:
        """Returns the states to feed for the next step of ``slots`` ``(n,)``, each named once."""
        with_standby = slots[:0]
        if self._staggered:
            with_standby = np.flatnonzero(self._age[slots] >= self._half)
        states = {name: array[ACTIVE, slots] for name, array in self._states.items()}
        if len(with_standby):
            standby_slots = slots[with_standby]
            states = {
                name: np.concatenate([rows, self._states[name][STANDBY, standby_slots]])
                for name, rows in states.items()
            }
        return GatheredStates(slots=slots, with_standby=with_standby, states=states)

    def scatter(self, gathered: GatheredStates, outputs: Tensors) -> Flags:
        """Stores the outputs of the step, ``(n + m, ...)`` as ``next_<name>``.

        An active state that has reached the horizon is replaced by its standby state.

        Returns:
            ``(n,)``: whether every stored number of a slot is finite.
        """
        slots, n = gathered.slots, len(gathered.slots)
        finite, changed = np.ones(n, np.bool_), np.zeros(n, np.bool_)
        for name, array in self._states.items():
            new = outputs[f"next_{name}"]
            changed |= changed_rows(new[:n], gathered.states[name][:n])
            array[ACTIVE, slots] = new[:n]
            if len(new) > n:
                array[STANDBY, slots[gathered.with_standby]] = new[n:]
            if not np.isfinite(new).all():
                row_finite = np.logical_and.reduce(np.isfinite(new.reshape(len(new), -1)), axis=1)
                finite &= row_finite[:n]
                finite[gathered.with_standby] &= row_finite[n:]
        self._age[slots] += changed | (self._age[slots] < self._horizon // 2)
        if self._staggered:
            self._activate_standby(slots[self._age[slots] >= self._horizon])
        return finite

    def _activate_standby(self, slots: Slots) -> None:
        if not len(slots):
            return
        for array in self._states.values():
            array[ACTIVE, slots] = array[STANDBY, slots]
            array[STANDBY, slots] = 0.0
        # The standby state started when the active one was `_half` steps old.
        self._age[slots] -= self._half
