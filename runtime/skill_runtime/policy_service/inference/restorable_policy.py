"""A policy whose steps can be undone, so that a refused request has no effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skill_proto.arrays import Float32Array, Ids
from skill_runtime.policy import Device, OnnxPolicy
from skill_runtime.policy.observation_inputs import History
from skill_runtime.policy.recurrent_state import RecurrentStates, Slots, Tensors
from skill_runtime.policy_service.inference.input_rows import InputRows
from skill_runtime.policy_service.inference.stepper import (
    SlotMemory,
    Spans,
    StepResult,
    whole_requests,
)


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
    history: History


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
            history=self._observation.save(index),
        )

    def restore(self, saved: SavedSlots, rows: slice) -> None:
        """Sets the slots of the given rows of a copy back."""
        slots = saved.slots[rows]
        self._inputs["previous_action"][slots] = saved.previous_action[rows]
        self._states.restore(slots, saved.recurrent, rows)
        self._observation.restore(slots, saved.history, rows)

    def copy_all(self) -> SlotMemory:
        """Returns a copy of the memory of all slots."""
        saved = self.save(range(self.slots))
        return SlotMemory(
            states=saved.recurrent.states,
            age=saved.recurrent.age,
            previous_action=saved.previous_action,
            history=saved.history,
        )

    def set_all(self, memory: SlotMemory) -> None:
        """Sets the memory of all slots."""
        states = SavedStates(states=memory.states, age=memory.age)
        slots = np.arange(self.slots)
        self.restore(
            SavedSlots(
                slots=slots,
                previous_action=memory.previous_action,
                recurrent=states,
                history=memory.history,
            ),
            slice(None),
        )


class RestorableStepper:
    """Runs a graph of any exporter by ``OnnxPolicy``, which converts at its border; see Stepper.

    Args:
        path: The policy file.
        device: Where it runs.
        slots: Number of sessions' rows that are kept apart, and largest batch.

    Raises:
        PolicyFileError: The file cannot be served.
    """

    mixes_commands = False

    def __init__(self, path: Path, *, device: Device, slots: int) -> None:
        self._policy = RestorablePolicy(path, device=device, slots=slots)
        self.manifest, self.path = self._policy.manifest, self._policy.path
        self.sha256 = self._policy.sha256
        self.rows = InputRows(self.manifest, slots)

    def step(self, slots: list[int], spans: Spans) -> StepResult:
        """Steps ``slots``, each named once, on the first rows of ``rows``; see ``Stepper``.

        Raises:
            Exception: The graph failed; no slot has changed.
        """
        n, rows = len(slots), self.rows
        saved = self._policy.save(slots)
        given = {name: array[:n] for name, array in rows.tensors.items()}
        if not rows.own_action[0]:
            del given["previous_action"]
        if "skill" in given and "goal" in given:
            del given["skill" if rows.use_goal[0, 0] else "goal"]
        try:
            output = self._policy.step_slots(slots, **given)
        except Exception:
            self._policy.restore(saved, slice(None))
            raise
        finite = output.is_finite
        if not finite.all():
            for row in np.flatnonzero(~whole_requests(finite, spans)):
                self._policy.restore(saved, slice(row, row + 1))
        return StepResult(
            action=output.action,
            context=output.context,
            context_distance=output.context_distance,
            estimate=output.estimate,
            is_finite=None if finite.all() else finite,
        )

    def reset_slot(self, slot: int) -> None:
        """Starts a new episode in one slot."""
        self._policy.reset_slot(slot)

    def memory(self) -> SlotMemory:
        """Returns a copy of the memory of all slots."""
        return self._policy.copy_all()

    def set_memory(self, memory: SlotMemory) -> None:
        """Takes over the memory of another policy with the same recurrent states."""
        self._policy.set_all(memory)
